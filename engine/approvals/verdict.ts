/** Whether this reviewer may give this verdict now, and for which stage. The order of the checks is what the reviewer is told first. */
import type { Clock } from '#client/clock';
import type { Principal } from '#client/identity';
import type { Stage } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import { type Chain, chainOf, isHuman, type Place, placeIn, sharesIdentity, type StageProgress } from './chain.ts';
import type { ApprovalRecord } from './record.ts';
import { CLOCK_TOLERANCE_MS, VERDICT_TOKEN_AGE_MS } from './limits.ts';
import { namesOf, whyVoid } from './view.ts';
import type { World } from './world.ts';

export interface VerdictInput {
  readonly reviewer: Principal;
  readonly outcome: 'approve' | 'deny' | 'changes';
  readonly comment?: string;
}

/** Where a verdict counts. `delegation`: the one by which the reviewer is asked; the event names it. */
export interface Admitted {
  readonly stage: Stage;
  readonly delegation: string | null;
}

/**
 * @param world of this record, now
 * @throws InterlockError VERDICT_TOKEN, VERDICT_SELF, VERDICT_CLOSED, VERDICT_NOT_ELIGIBLE, VERDICT_REASON, VERDICT_STEP_UP
 */
export function admitted(record: ApprovalRecord, input: VerdictInput, clock: Clock, world: World): Admitted {
  const { reviewer, outcome } = input;
  checkToken(reviewer, clock);
  if (sharesIdentity(reviewer.subject, record.subject, world)) {
    throw new InterlockError('VERDICT_SELF', 'whoever asks, or shares an identity with them, may not decide', { hint: 'ask somebody else' });
  }
  if (record.state !== 'open') throw new InterlockError('VERDICT_CLOSED', `the request is no longer open: ${whyVoid(record)}`);
  const chain = chainOf(record, world);
  const { stage, place } = seat(chain, input, record, world);
  checkFirst(chain, outcome, place, world);
  if (outcome === 'approve') {
    checkReason(stage, input.comment);
    checkStepUp(stage, reviewer.subject, clock);
  }
  return { stage, delegation: place.delegation };
}

/** A human's own token, for verdicts only, at most an hour old (A4). Tokens for data never carry the scope; one that carries both is for data. */
export function checkToken(reviewer: Principal, clock: Clock): void {
  const nowMs = clock.wallUs() / 1000;
  const ageMs = nowMs - reviewer.issuedAtMs;
  if (!reviewer.scopes.includes('approve') || reviewer.scopes.includes('connect')) throw refused('it does not carry the scope `approve` alone');
  if (!isHuman(reviewer.subject)) throw refused('it is not a human’s own');
  // `!(a <= b)`: a time that is no number refuses too.
  if (!(ageMs <= VERDICT_TOKEN_AGE_MS + CLOCK_TOLERANCE_MS && ageMs >= -CLOCK_TOLERANCE_MS)) throw refused('it is older than an hour');
  if (!(nowMs < reviewer.expiresAtMs + CLOCK_TOLERANCE_MS)) throw refused('it has ended');
}

/** A no from anybody who will be asked spares the others; a yes counts only where the chain stands. */
function seat(chain: Chain, { reviewer, outcome }: VerdictInput, record: ApprovalRecord, world: World): { stage: Stage; place: Place } {
  const inOrder = chain.stages.toSorted((a, b) => Number(b === chain.current) - Number(a === chain.current));
  const open: readonly StageProgress[] = outcome === 'approve' ? inOrder.filter((one) => one === chain.current) : inOrder;
  for (const { stage } of open) {
    const place = placeIn(stage, reviewer.subject, record.subject, world);
    if (place) return { stage, place };
  }
  throw new InterlockError('VERDICT_NOT_ELIGIBLE', 'you are not among those asked', { hint: asked(chain) });
}

/** One human, one verdict: in their own name, in another's, or given in their name by another. Who approved may still deny. */
function checkFirst(chain: Chain, outcome: VerdictInput['outcome'], place: Place, world: World): void {
  const among = (counted: readonly Subject[]): boolean => place.humans.some((one) => counted.some((other) => sharesIdentity(one, other, world)));
  if (among(chain.stages.flatMap(({ denying }) => denying)) && outcome !== 'changes') {
    throw new InterlockError('VERDICT_NOT_ELIGIBLE', 'you have denied it already; another human must', { hint: asked(chain) });
  }
  if (outcome === 'approve' && among(chain.stages.flatMap(({ approving }) => approving))) {
    throw new InterlockError('VERDICT_NOT_ELIGIBLE', 'you have approved it already; another human must', { hint: asked(chain) });
  }
}

function checkReason(stage: Stage, comment: string | undefined): void {
  if (stage.reason_required !== true || (comment ?? '').trim() !== '') return;
  throw new InterlockError('VERDICT_REASON', `stage ${stage.id} asks for a reason with each approval`, { hint: 'say why, in the comment' });
}

/** On the verdict's own token: `acr` as the issuer spells it, `auth_time` young enough. What the token does not say is not so. */
function checkStepUp({ id, step_up: wanted }: Stage, { properties }: Subject, clock: Clock): void {
  if (!wanted) return;
  const ageMs = clock.wallUs() / 1000 - Date.parse(properties.auth_time ?? '');
  const young = ageMs <= wanted.max_age_s * 1000 && ageMs >= -CLOCK_TOLERANCE_MS;
  if (young && (wanted.acr === undefined || properties.acr === wanted.acr)) return;
  const strong = wanted.acr === undefined ? '' : ` with acr ${wanted.acr}`;
  throw new InterlockError('VERDICT_STEP_UP', `stage ${id} asks for a login${strong} at most ${wanted.max_age_s} s ago`, {
    hint: 'log in again, as strongly as that, and give the verdict with the new token',
  });
}

function refused(why: string): InterlockError {
  return new InterlockError('VERDICT_TOKEN', `this token cannot give a verdict: ${why}`, {
    hint: 'get a fresh token of your own with scope `approve` only',
  });
}

function asked({ current }: Chain): string {
  return current ? `stage ${current.stage.id} asks ${namesOf(current.stage)}` : 'nobody else is asked';
}
