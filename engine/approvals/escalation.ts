/** What time does to a stage that is asked: it asks more people, and at last the request is denied. It never lowers what is required. */
import { type Clock, timestamp } from '#client/clock';
import type { Approver, Stage } from '#schemas/decision';
import { type Chain, chainOf, type StageProgress } from './chain.ts';
import { parseUs } from './deadline.ts';
import type { ApprovalRecord } from './record.ts';
import type { ApprovalEventDraft } from './store.ts';
import type { World } from './world.ts';

/** For how long a stage has been asked, by either clock. */
export interface Elapsed {
  readonly wallUs: number;
  readonly monotonicUs: number;
}

/**
 * The events that are due now: the denial, or escalations, of the stage where the chain stands. Nothing for what is settled or expired. A denial comes
 * by whichever clock says so; people are added when both do, because that lets somebody decide.
 */
export function due(record: ApprovalRecord, { current }: Chain, elapsed: Elapsed, nowUs: number): readonly ApprovalEventDraft[] {
  if (record.state !== 'open' || current === null || !(nowUs < parseUs(record.expiresAt))) return [];
  const { stage } = current;
  const longer = Math.max(elapsed.wallUs, elapsed.monotonicUs);
  if (stage.deny_after_s !== undefined && longer >= stage.deny_after_s * 1_000_000) return [deniedEvent(record, stage)];
  const shorter = Math.min(elapsed.wallUs, elapsed.monotonicUs);
  const added = (stage.escalate ?? []).filter(({ after_s }) => shorter >= after_s * 1_000_000).flatMap(({ add }) => add);
  const more = unknownTo(record, stage, added);
  return more.length === 0 ? [] : [escalatedEvent(record, stage, more)];
}

/** When it asks more people next, and when it denies, as the wall clock goes; both absent for a stage that is not asked or has its quorum. */
export function timesOf(
  record: Pick<ApprovalRecord, 'state' | 'added'>,
  progress: StageProgress,
): { readonly escalates_at?: string; readonly denies_at?: string } {
  const { stage, askedAt, approvedBy } = progress;
  if (record.state !== 'open' || askedAt === null || approvedBy.length >= stage.quorum) return {};
  const at = (seconds: number): string => timestamp(parseUs(askedAt) + seconds * 1_000_000);
  const next = (stage.escalate ?? []).filter(({ add }) => unknownTo(record, stage, add).length > 0).map(({ after_s }) => after_s);
  return {
    ...(next.length > 0 && { escalates_at: at(Math.min(...next)) }),
    ...(stage.deny_after_s !== undefined && { denies_at: at(stage.deny_after_s) }),
  };
}

/**
 * The two clocks of what is asked: the wall clock from the event's own time, the monotonic one from when this process first saw that a stage is asked.
 * After a restart it starts with what the wall clock says has passed, counted from the last thing that the journal has seen if that is later.
 */
export class StageTimers {
  readonly #clock: Clock;
  /** By entry: forgotten with it. */
  readonly #since = new WeakMap<object, { readonly stage: string; readonly askedAt: string; readonly monotonicUs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Call about once a second for each open request, inside its change.
   * @param entry the same object as long as the request is in memory
   * @param seenUs of a request that was there when the process started: when its journal had last seen anything; 0: it came later
   */
  due(entry: object, record: ApprovalRecord, world: World, seenUs: number = 0): readonly ApprovalEventDraft[] {
    const timed = record.requirement.stages.some(({ escalate, deny_after_s: after }) => escalate !== undefined || after !== undefined);
    if (record.state !== 'open' || !timed) return [];
    const chain = chainOf(record, world);
    const { current } = chain;
    if (current === null || current.askedAt === null) return [];
    const nowUs = this.#clock.wallUs();
    const askedUs = parseUs(current.askedAt);
    const elapsed = {
      wallUs: nowUs - askedUs,
      monotonicUs: this.#clock.monotonicUs() - this.#sinceOf(entry, current.stage.id, current.askedAt, Math.max(nowUs, seenUs) - askedUs),
    };
    return due(record, chain, elapsed, nowUs);
  }

  #sinceOf(entry: object, stage: string, askedAt: string, passedUs: number): number {
    const known = this.#since.get(entry);
    if (known?.stage === stage && known.askedAt === askedAt) return known.monotonicUs;
    const monotonicUs = this.#clock.monotonicUs() - Math.max(0, passedUs);
    this.#since.set(entry, { stage, askedAt, monotonicUs });
    return monotonicUs;
  }
}

/** Those that the stage does not ask already. */
function unknownTo({ added }: Pick<ApprovalRecord, 'added'>, stage: Stage, approvers: readonly Approver[]): readonly Approver[] {
  const known = new Set([...stage.any_of, ...(added.get(stage.id) ?? [])].map((approver) => JSON.stringify(approver)));
  const fresh = new Map(approvers.map((approver) => [JSON.stringify(approver), approver]));
  return [...fresh].filter(([key]) => !known.has(key)).map(([, approver]) => approver);
}

function escalatedEvent({ approvalId, target, subject }: ApprovalRecord, { id }: Stage, added: readonly Approver[]): ApprovalEventDraft {
  return { type: 'approval.escalated', approval_id: approvalId, stage: id, added: [...added], target, subject: subject.id };
}

function deniedEvent({ approvalId, target, subject }: ApprovalRecord, { id, deny_after_s: seconds }: Stage): ApprovalEventDraft {
  const detail = `stage ${id} was not decided within ${seconds} s`;
  return { type: 'approval.settled', approval_id: approvalId, outcome: 'denied', detail, target, subject: subject.id };
}
