/** Whether this reviewer may give this verdict now, and for which stage. The order of the checks is what the reviewer is told first. */
import type { Clock } from '#client/clock';
import type { Principal } from '#client/identity';
import type { Stage } from '#schemas/decision';
import { InterlockError } from '#schemas/errors';
import { chainOf, isAsked, isHuman, sharesIdentity } from './chain.ts';
import type { ApprovalRecord } from './record.ts';
import { CLOCK_TOLERANCE_MS, VERDICT_TOKEN_AGE_MS } from './limits.ts';
import { namesOf, whyVoid } from './view.ts';

export interface VerdictInput {
  readonly reviewer: Principal;
  readonly outcome: 'approve' | 'deny';
  readonly comment?: string;
}

/**
 * The stage that the verdict counts for.
 * @throws InterlockError VERDICT_TOKEN, VERDICT_SELF, VERDICT_CLOSED, VERDICT_NOT_ELIGIBLE
 */
export function stageFor(record: ApprovalRecord, { reviewer, outcome }: VerdictInput, clock: Clock): Stage {
  checkToken(reviewer, clock);
  if (sharesIdentity(reviewer.subject, record.subject)) {
    throw new InterlockError('VERDICT_SELF', 'whoever asks, or shares an identity with them, may not decide', { hint: 'ask somebody else' });
  }
  if (record.state !== 'open') throw new InterlockError('VERDICT_CLOSED', `the request is no longer open: ${whyVoid(record)}`);
  const chain = chainOf(record);
  // A no from anybody who will be asked spares the others; a yes counts only where the chain stands.
  const stages = outcome === 'deny' ? chain.stages : chain.stages.filter((one) => one === chain.current);
  const stage = stages.find((one) => isAsked(one.stage, reviewer.subject))?.stage;
  if (!stage) throw new InterlockError('VERDICT_NOT_ELIGIBLE', 'you are not among those asked', { hint: asked(chain.current?.stage) });
  if (outcome === 'approve' && chain.approvedBy.some((one) => sharesIdentity(one, reviewer.subject))) {
    throw new InterlockError('VERDICT_NOT_ELIGIBLE', 'you have approved it already; another human must', { hint: asked(chain.current?.stage) });
  }
  return stage;
}

/** A human's own token, for verdicts only, at most an hour old (A4). Tokens for data never carry the scope; one that carries both is for data. */
function checkToken(reviewer: Principal, clock: Clock): void {
  const nowMs = clock.wallUs() / 1000;
  const ageMs = nowMs - reviewer.issuedAtMs;
  if (!reviewer.scopes.includes('approve') || reviewer.scopes.includes('connect')) throw refused('it does not carry the scope `approve` alone');
  if (!isHuman(reviewer.subject)) throw refused('it is not a human’s own');
  // `!(a <= b)`: a time that is no number refuses too.
  if (!(ageMs <= VERDICT_TOKEN_AGE_MS + CLOCK_TOLERANCE_MS && ageMs >= -CLOCK_TOLERANCE_MS)) throw refused('it is older than an hour');
  if (!(nowMs < reviewer.expiresAtMs + CLOCK_TOLERANCE_MS)) throw refused('it has ended');
}

function refused(why: string): InterlockError {
  return new InterlockError('VERDICT_TOKEN', `this token cannot give a verdict: ${why}`, {
    hint: 'get a fresh token of your own with scope `approve` only',
  });
}

function asked(stage: Stage | undefined): string {
  return stage ? `stage ${stage.id} asks ${namesOf(stage)}` : 'nobody else is asked';
}
