/** What somebody may do with a request now: each verb's own checks, tried without doing it. */
import type { Principal } from '#client/identity';
import { InterlockError } from '#schemas/errors';
import type { Ability, Act } from '#schemas/review';
import { isHuman, placeIn, sharesIdentity } from './chain.ts';
import { closed, type Core } from './core.ts';
import { whyNotShown } from './deciding.ts';
import { checkRequester, checkWithdrawal } from './ending.ts';
import { isLive } from './fold.ts';
import { checkReviewer, glassRule } from './glass.ts';
import type { ApprovalRecord } from './record.ts';
import type { Entry } from './store.ts';
import { admitted } from './verdict.ts';

export async function abilitiesOf(core: Core, entry: Entry, principal: Principal): Promise<readonly Ability[]> {
  await core.prepare(entry);
  const { record } = entry;
  return [
    tried('approve', () => approves(core, entry, principal)),
    tried('deny', () => void verdict(core, record, principal, 'deny')),
    tried('changes', () => {
      verdict(core, record, principal, 'changes');
      return true;
    }),
    tried('cancel', () => {
      checkRequester(record, principal);
      if (!isLive(record)) throw closed(record);
    }),
    tried('withdraw', () => checkWithdrawal(core, record, principal)),
    tried('break_glass', () => {
      glassRule(core, entry, principal);
      return true;
    }),
    tried('review', () => {
      checkReviewer(core, record, principal);
      return true;
    }),
  ];
}

/**
 * Whether they may look at it because it is, or was, theirs to decide: a stage asks them now, also in another's place; they gave a verdict; they are
 * asked to review its broken glass. The age of a token says nothing here: whoever must log in again to decide may read on.
 */
export async function concerns(core: Core, entry: Entry, { subject }: Principal): Promise<boolean> {
  if (!isHuman(subject)) return false;
  await core.prepare(entry);
  const { record } = entry;
  const world = core.world(record);
  if (record.verdicts.some(({ reviewer }) => sharesIdentity(reviewer, subject, world))) return true;
  const review = record.glass ? [{ id: 'review', order: 0, any_of: [...record.glass.reviewers], quorum: 1 }] : [];
  const stages = [...core.chain(record).stages.map(({ stage }) => stage), ...review];
  return stages.some((stage) => placeIn(stage, subject, record.subject, world) !== null);
}

/** `check` throws what the attempt would get, or answers whether words are needed. */
function tried(act: Act, check: () => boolean | void): Ability {
  try {
    const words = check();
    return { act, allowed: true, ...(words === true && { reason_required: true }) };
  } catch (error) {
    if (!(error instanceof InterlockError)) throw error;
    return { act, allowed: false, code: error.code, why: error.message };
  }
}

function approves(core: Core, entry: Entry, principal: Principal): boolean {
  const stage = verdict(core, entry.record, principal, 'approve');
  const whyNot = whyNotShown(entry);
  if (whyNot !== null) throw new InterlockError('VERDICT_NOT_SHOWN', `nobody can approve what cannot be shown whole: ${whyNot}`);
  return stage.reason_required === true;
}

/** With words, so that what remains is what words do not mend. */
function verdict(
  core: Core,
  record: ApprovalRecord,
  reviewer: Principal,
  outcome: 'approve' | 'deny' | 'changes',
): ReturnType<typeof admitted>['stage'] {
  return admitted(record, { reviewer, outcome, comment: 'words' }, core.clock, core.world(record)).stage;
}
