/**
 * One tree of spans for each statement, made from its events as they are placed:
 *
 *   statement ─┬─ decide      facts to decision; again after a verdict
 *              ├─ hold        until somebody decided
 *              ├─ durable     cleared until the intent is on stable storage
 *              └─ execute     first byte to the target until the end of its answer
 *
 * Attributes are ids, names of the configuration and values of closed sets: never the text, a parameter, a row or a login.
 */
import { randomUUID } from 'node:crypto';
import type { Attributes, Context, HrTime, Span, Tracer } from '@opentelemetry/api';
import type { Clock } from '#client/clock';
import type { EventDraft } from '#client/journal';
import { ERRORS } from '#schemas/errors';
import { POLICY_CODE } from '../metrics/catalogue.ts';
import { traceParentOf, type TraceParent } from './traceparent.ts';

/** Statements at a time; what is beyond is not traced. */
const STATEMENTS_MAX = 10_000;

/** What is used of OpenTelemetry, so that nothing of it is loaded unless it is wanted. */
export interface Spans {
  readonly tracer: Tracer;
  /** The context of a parent elsewhere; null: of none. */
  contextOf(parent: TraceParent | null): Context;
  inside(span: Span): Context;
  /** False: those that wait to be sent are too many; then nothing is traced. */
  hasRoom(): boolean;
}

export interface TracesFrom {
  readonly spans: Spans;
  readonly clock: Clock;
  /** One of so many statements without a parent. */
  readonly oneIn: number;
}

interface Traced {
  readonly traceId: string;
  /** null: not sampled; only its id stands in the record. */
  readonly root: { readonly span: Span; readonly context: Context } | null;
  readonly wallUs: number;
  readonly tickUs: number;
  /** Monotonic: where the last child ended. */
  markUs: number;
  held: Span | null;
  clearedUs: number;
}

export class StatementTraces {
  readonly #from: TracesFrom;
  readonly #open = new Map<string, Traced>();
  #count = 0;

  constructor(from: TracesFrom) {
    this.#from = from;
  }

  /** The event as it is to be placed, with the id of its trace. */
  readonly placing = (event: EventDraft): EventDraft => {
    const id = event.statement_id;
    if (id === undefined) return event;
    const traced = event.type === 'statement.received' ? this.#begin(id, event) : this.#open.get(id);
    if (traced === undefined) return event;
    if (traced.root !== null) this.#follow(traced, event);
    if (event.type === 'statement.finished' || event.type === 'statement.refused') this.#open.delete(id);
    return { ...event, trace_id: traced.traceId };
  };

  #begin(id: string, event: Extract<EventDraft, { type: 'statement.received' }>): Traced | undefined {
    if (this.#open.size >= STATEMENTS_MAX) return undefined;
    const { clock } = this.#from;
    const parent = traceParentOf(event.payload.bytes);
    const tickUs = clock.monotonicUs();
    const times = { wallUs: clock.wallUs(), tickUs, markUs: tickUs, held: null, clearedUs: 0 };
    const root = this.#samples(parent) ? this.#root(parent, id, event, times.wallUs) : null;
    const traceId = root?.span.spanContext().traceId ?? parent?.traceId ?? randomUUID().replaceAll('-', '');
    const traced: Traced = { traceId, root, ...times };
    this.#open.set(id, traced);
    return traced;
  }

  /** A caller that traces has decided for us. */
  #samples(parent: TraceParent | null): boolean {
    const { spans, oneIn } = this.#from;
    const wanted = parent === null ? this.#count++ % oneIn === 0 : parent.sampled;
    return wanted && spans.hasRoom();
  }

  #root(parent: TraceParent | null, id: string, event: Extract<EventDraft, { type: 'statement.received' }>, wallUs: number): Traced['root'] {
    const { spans } = this.#from;
    const attributes = {
      'interlock.statement_id': id,
      'interlock.session_id': event.session_id ?? '',
      'interlock.target': event.target ?? '',
      'interlock.action': event.action,
      'interlock.mode': event.mode,
    };
    const span = spans.tracer.startSpan('statement', { kind: SERVER, startTime: hr(wallUs), attributes }, spans.contextOf(parent));
    return { span, context: spans.inside(span) };
  }

  #follow(traced: Traced, event: EventDraft): void {
    const { root } = traced;
    if (root === null) return;
    const nowUs = this.#from.clock.monotonicUs();
    switch (event.type) {
      case 'statement.decided': {
        const { judgement } = event.decision;
        this.#released(traced, nowUs);
        this.#child(traced, 'decide', traced.markUs, nowUs, {
          'interlock.decision_id': event.decision.decision_id,
          'interlock.effect': judgement.effect,
          'interlock.cached': event.cached,
          'interlock.revision': judgement.revision,
        });
        traced.markUs = nowUs;
        return;
      }
      case 'statement.held':
        traced.held = this.#started(traced, 'hold', nowUs, { 'interlock.approval_id': event.approval_id });
        return;
      case 'statement.cleared':
        traced.clearedUs = nowUs;
        return;
      case 'statement.refused':
        this.#released(traced, nowUs);
        root.span.setAttributes({ 'interlock.refused': codeOf(event.code), 'interlock.refused_by': event.by });
        if (event.by === 'fault') root.span.setStatus({ code: ERROR });
        root.span.end(this.#at(traced, nowUs));
        return;
      case 'statement.finished': {
        const beganUs = Math.max(traced.clearedUs, nowUs - event.duration_us);
        this.#child(traced, 'durable', traced.clearedUs, beganUs, {});
        this.#child(traced, 'execute', beganUs, nowUs, { 'interlock.outcome': event.outcome, 'interlock.response_bytes': event.bytes });
        root.span.setAttribute('interlock.outcome', event.outcome);
        if (event.outcome !== 'ok') root.span.setStatus({ code: ERROR });
        root.span.end(this.#at(traced, nowUs));
        return;
      }
      default:
    }
  }

  #released(traced: Traced, nowUs: number): void {
    if (traced.held === null) return;
    traced.held.end(this.#at(traced, nowUs));
    traced.held = null;
    traced.markUs = nowUs;
  }

  #child(traced: Traced, name: string, fromUs: number, toUs: number, attributes: Attributes): void {
    this.#started(traced, name, fromUs, attributes).end(this.#at(traced, toUs));
  }

  #started(traced: Traced, name: string, fromUs: number, attributes: Attributes): Span {
    return this.#from.spans.tracer.startSpan(name, { startTime: this.#at(traced, fromUs), attributes }, traced.root?.context);
  }

  /** Spans of one tree keep to one clock: the wall clock when it began, and the monotonic one from there. */
  #at({ wallUs, tickUs }: Traced, monotonicUs: number): HrTime {
    return hr(wallUs + (monotonicUs - tickUs));
  }
}

/** Of OpenTelemetry's enumerations, which are values of packages that are loaded only where they are wanted. */
const SERVER = 1;
const ERROR = 2;

function hr(us: number): HrTime {
  return [Math.floor(us / 1e6), Math.round(us % 1e6) * 1000];
}

function codeOf(code: string): string {
  return Object.hasOwn(ERRORS, code) ? code : POLICY_CODE;
}
