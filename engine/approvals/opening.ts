/** Asking: the request that is there already, or a new one. */
import type { ApprovalDraft, Ticket } from '#client/approvals';
import { timestamp } from '#client/clock';
import { shown } from '#client/shown';
import { InterlockError } from '#schemas/errors';
import { type Bound, boundOf, joinKey } from './binding.ts';
import type { Core } from './core.ts';
import { requestedEvent } from './drafts.ts';
import { isLive } from './fold.ts';
import { LOG_LIMITS } from './ordering/limits.ts';
import { payersOf } from './quota.ts';
import { whyNobody } from './reachable.ts';
import type { ApprovalRecord } from './record.ts';
import { sentenceOf } from './sentence.ts';
import type { Entry } from './store.ts';
import { digestPrefix } from './text/text.ts';

/**
 * Equal drafts join: the open one, the approved one (each use asks again, so a grant of several uses is found here), or what was declined a short
 * while ago.
 */
export async function request(core: Core, draft: ApprovalDraft): Promise<Ticket> {
  core.checkUsable();
  const bound = boundOf(draft, draft.requirement, core.options.codeParams);
  const key = joinKey(bound);
  return core.guarded(() =>
    core.store.serial.run(`join ${key}`, async () => {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const denied = core.denials.find(bound);
        if (denied) return denied;
        const entry = await findOrOpen(core, draft, bound, key);
        if (entry) return core.ticket(entry);
      }
      throw new InterlockError('APPROVAL_UNAVAILABLE', 'the same is being asked through other engines');
    }),
  );
}

/** How often another engine may be faster to open, or to end, the same request. */
const ATTEMPTS_MAX = 10;

/** Why a request no longer fits the policies. */
export function otherRequirement(record: ApprovalRecord, draft: ApprovalDraft): string {
  return `policy asks for something else now: requested under revision ${record.revision ?? 'unknown'}, used under ${draft.decision.revision}`;
}

/** null: another engine was faster; look again. */
async function findOrOpen(core: Core, draft: ApprovalDraft, bound: Bound, key: string): Promise<Entry | null> {
  const before = core.store.get(core.joinable.get(key) ?? '');
  if (!before) return open(core, draft, bound, key);
  await core.expireIfPast(before);
  if (isLive(before.record) && before.record.requirement.digest === bound.requirement) return before;
  if (!isLive(before.record)) return open(core, draft, bound, key);
  await core.settle(before, 'superseded', { detail: otherRequirement(before.record, draft) });
  return open(core, draft, bound, key, before.record.approvalId);
}

async function open(core: Core, draft: ApprovalDraft, bound: Bound, key: string, supersedes: string | null = null): Promise<Entry | null> {
  const { limits, ids, journal, expireMs } = core.options;
  const { requirement, subject, target, sessionId } = draft;
  await refuseHopeless(core, draft);
  if (core.ordered.shared) refuseEndless(requirement);
  const bytes = bound.payload.length + (bound.params?.length ?? 0) + (draft.estimate?.plan?.bytes.length ?? 0);
  const payers = payersOf(subject, draft.settings);
  core.quota.take(payers, bytes);
  let entry: Entry | null = null;
  try {
    const approvalId = ids.next('apr');
    const waitMsMax = core.ordered.shared ? LOG_LIMITS.waitDaysMax * DAY_MS : Infinity;
    const lengthMs = Math.min(expireMs, requirement.expires_in_s * 1000, waitMsMax);
    const expiresAt = timestamp(core.clock.wallUs() + lengthMs * 1000);
    const literals = (core.options.payloads ?? 'clear') === 'clear';
    const sentence = draft.sentence !== undefined ? shown(draft.sentence) : sentenceOf(draft, { literals, digest: digestOf(draft, journal) });
    const summary = shortened(sentence, limits.summaryCharsMax);
    const follows = core.followers.answers(subject.id, target, sessionId);
    const opening = { approvalId, expiresAt, supersedes, follows, summary, literals, rowCeiling: rowCeilingOf(draft) };
    const plan = draft.estimate?.plan ? new TextDecoder().decode(draft.estimate.plan.bytes) : null;
    const event = requestedEvent(draft, bound, opening, journal);
    entry = await core.store.open(subject.id, () => (asked(core, bound, key) ? null : { event, bound, plan, lengthMs }));
    return entry;
  } finally {
    if (!entry) core.quota.give(payers, bytes);
  }
}

/** Through another engine, since we looked. */
function asked(core: Core, bound: Bound, key: string): boolean {
  const there = core.store.get(core.joinable.get(key) ?? '');
  return (there !== undefined && isLive(there.record)) || core.denials.find(bound) !== null;
}

/** As the page shows it, and with parameters theirs behind it. */
function digestOf({ payload, params }: ApprovalDraft, journal: Core['options']['journal']): string {
  const own = digestPrefix(journal.digestOf(payload));
  return params ? `${own}, parameters ${digestPrefix(journal.digestOf(params))}` : own;
}

/** Nobody waits for what nobody could ever approve. @throws InterlockError APPROVAL_CHAIN */
async function refuseHopeless(core: Core, draft: ApprovalDraft): Promise<void> {
  const why = whyNobody(draft.requirement, draft, await core.worldFor(draft, draft.requirement));
  if (why !== null) throw new InterlockError('APPROVAL_CHAIN', why, { hint: 'ask the owner of the policies' });
}

const DAY_MS = 86_400_000;

/** The log of several engines does not keep what would be needed. */
function refuseEndless({ valid_for_s: seconds }: ApprovalDraft['requirement']): void {
  if (seconds * 1000 <= LOG_LIMITS.grantDaysMax * DAY_MS) return;
  throw new InterlockError(
    'APPROVAL_UNAVAILABLE',
    `several engines keep a grant for ${LOG_LIMITS.grantDaysMax} days at most, and this one would last ${seconds} s`,
    {
      hint: 'ask the owner of the policies for a shorter `valid_for_s`',
    },
  );
}

const ROWS_AT_LEAST = 10;

/** The most rows that it may touch: as policy says, else twice what the reviewer saw estimated; null: nobody can say. */
function rowCeilingOf({ requirement, estimate }: ApprovalDraft): number | null {
  if (requirement.rows_max !== undefined) return requirement.rows_max;
  if (estimate?.state !== 'ok' || estimate.rows === undefined) return null;
  return Math.max(ROWS_AT_LEAST, Math.ceil(2 * estimate.rows));
}

/** A reviewer must not take a part of the sentence for the whole. */
function shortened(sentence: string, charsMax: number): string {
  if (sentence.length <= charsMax) return sentence;
  const note = `… and more: this sentence is cut, it has ${sentence.length} characters`;
  return sentence.slice(0, Math.max(0, charsMax - note.length)) + note;
}
