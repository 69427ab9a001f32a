/**
 * Most metrics are a fold over what is recorded anyway: there is one place that counts, and no path that forgets to. Called synchronously for
 * each event that was placed.
 */
import type { EventDraft } from '#client/journal';
import { ERRORS } from '#schemas/errors';
import type { Clock } from '#client/clock';
import { LABELS, POLICY_CODE } from './catalogue.ts';
import type { Cell, Distribution, Meter } from './meter.ts';

/** Statements that wait for a verdict, whose time is taken; what is beyond is not measured. */
const HELD_MAX = 10_000;

/** @returns what to call with each event */
export function countEvents(meter: Meter, clock: Clock): (event: EventDraft) => void {
  const counts = new EventCounts(meter, clock);
  return (event) => counts.count(event);
}

class EventCounts {
  readonly #meter: Meter;
  readonly #clock: Clock;
  readonly #byTarget = new Map<string, TargetCounts>();
  readonly #judged: { readonly cached: Distribution; readonly fresh: Distribution };
  #lastTarget: string | undefined = undefined;
  #last: TargetCounts;
  /** By statement: since when, on the monotonic clock. */
  readonly #held = new Map<string, number>();

  constructor(meter: Meter, clock: Clock) {
    this.#meter = meter;
    this.#clock = clock;
    this.#judged = {
      cached: meter.histogram('interlock_decision_seconds', { cached: 'true' }),
      fresh: meter.histogram('interlock_decision_seconds', { cached: 'false' }),
    };
    for (const target of meter.targets) this.#byTarget.set(target, new TargetCounts(meter, target));
    this.#last = this.#byTarget.get(meter.target(undefined)) as TargetCounts;
    for (const verdict of LABELS.verdict) meter.counter('interlock_approval_verdicts', { verdict });
    for (const settled of LABELS.settled) meter.counter('interlock_approvals_settled', { settled });
    for (const change of LABELS.change) meter.counter('interlock_policy_changes', { change });
    meter.counter('interlock_approvals_consumed', {});
  }

  count(event: EventDraft): void {
    switch (event.type) {
      case 'statement.received':
        this.#of(event.target).received.value += 1;
        return;
      case 'statement.decided': {
        const { cached, judged_us: judgedUs } = event;
        const decided = this.#of(event.target).decided[event.decision.judgement.effect];
        (cached ? decided.cached : decided.fresh).value += 1;
        (cached ? this.#judged.cached : this.#judged.fresh).observe(judgedUs / 1e6);
        if (this.#held.size > 0) this.#released(event);
        return;
      }
      case 'statement.finished': {
        const of = this.#of(event.target);
        of.finished[event.outcome].value += 1;
        of.took.observe(event.duration_us / 1e6);
        return;
      }
      case 'statement.cleared':
        return;
      case 'statement.refused':
        this.#meter.counter('interlock_refusals', { target: this.#meter.target(event.target), code: codeOf(event.code), by: event.by }).value += 1;
        if (this.#held.size > 0) this.#released(event);
        return;
      default:
        this.#rare(event);
    }
  }

  #rare(event: EventDraft): void {
    const meter = this.#meter;
    const target = meter.target(event.target);
    switch (event.type) {
      case 'statement.held':
        if (event.statement_id !== undefined && this.#held.size < HELD_MAX) this.#held.set(event.statement_id, this.#clock.monotonicUs());
        return;
      case 'session.opened':
        meter.counter('interlock_sessions_opened', { target }).value += 1;
        return;
      case 'session.refused':
        meter.counter('interlock_sessions_refused', { target, code: codeOf(event.code) }).value += 1;
        return;
      case 'session.closed':
        meter.counter('interlock_sessions_closed', { target, reason: event.reason }).value += 1;
        meter.counter('interlock_session_received_bytes', { target }).value += event.bytes_in;
        meter.counter('interlock_session_sent_bytes', { target }).value += event.bytes_out;
        return;
      case 'approval.requested':
        meter.counter('interlock_approvals_requested', { target: meter.target(event.binding.target) }).value += 1;
        return;
      case 'approval.verdict':
        meter.counter('interlock_approval_verdicts', { verdict: event.outcome }).value += 1;
        return;
      case 'approval.settled':
        meter.counter('interlock_approvals_settled', { settled: event.outcome }).value += 1;
        return;
      case 'approval.consumed':
        meter.counter('interlock_approvals_consumed', {}).value += 1;
        return;
      case 'policy.activated':
        meter.counter('interlock_policy_changes', { change: 'activated' }).value += 1;
        return;
      case 'policy.rejected':
        meter.counter('interlock_policy_changes', { change: 'rejected' }).value += 1;
        return;
      default:
    }
  }

  #released({ statement_id: id, target }: EventDraft): void {
    const since = id === undefined ? undefined : this.#held.get(id);
    if (id === undefined || since === undefined) return;
    this.#held.delete(id);
    this.#of(target).held.observe((this.#clock.monotonicUs() - since) / 1e6);
  }

  /** Most statements are of the target of the one before. */
  #of(target: string | undefined): TargetCounts {
    if (target === this.#lastTarget) return this.#last;
    this.#lastTarget = target;
    this.#last = this.#byTarget.get(this.#meter.target(target)) as TargetCounts;
    return this.#last;
  }
}

type Both = { readonly cached: Cell; readonly fresh: Cell };

/** What one statement touches, looked up beforehand. */
class TargetCounts {
  readonly received: Cell;
  readonly decided: Readonly<Record<(typeof LABELS.effect)[number], Both>>;
  readonly finished: Readonly<Record<(typeof LABELS.outcome)[number], Cell>>;
  readonly took: Distribution;
  readonly held: Distribution;

  constructor(meter: Meter, target: string) {
    const both = (effect: (typeof LABELS.effect)[number]): Both => ({
      cached: meter.counter('interlock_decisions', { target, effect, cached: 'true' }),
      fresh: meter.counter('interlock_decisions', { target, effect, cached: 'false' }),
    });
    const finished = (outcome: (typeof LABELS.outcome)[number]): Cell => meter.counter('interlock_statements_finished', { target, outcome });
    this.received = meter.counter('interlock_statements', { target });
    this.decided = { allow: both('allow'), mask: both('mask'), require_approval: both('require_approval'), deny: both('deny') };
    this.finished = {
      ok: finished('ok'),
      error: finished('error'),
      aborted: finished('aborted'),
      cancelled: finished('cancelled'),
      unknown: finished('unknown'),
    };
    this.took = meter.histogram('interlock_statement_seconds', { target });
    this.held = meter.histogram('interlock_hold_seconds', { target });
  }
}

/** Ours, or that of a policy: whose text is its author's. */
function codeOf(code: string): string {
  return Object.hasOwn(ERRORS, code) ? code : POLICY_CODE;
}
