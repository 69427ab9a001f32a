/** The events of one statement (CONTRACT §4), each with one shape so that the hot path stays monomorphic. */
import type { Decided, Statement } from '#client/decision-service';
import type { EventDraft, WrittenDecision } from '#client/journal';
import type { Asked, Scene } from './asked.ts';
import type { Refusal } from './refusal.ts';

export function receivedEvent(asked: Asked, scene: Scene): EventDraft {
  const { action, payload, statementId, params } = asked;
  const mode = scene.asksOnly ? `ask ${asked.mode}` : asked.mode;
  const { sessionId: session_id, target } = scene;
  return params === null
    ? { type: 'statement.received', session_id, statement_id: statementId, target, action, payload, mode }
    : { type: 'statement.received', session_id, statement_id: statementId, target, action, payload, mode, params };
}

export function decidedEvent(asked: Asked, statement: Statement, decided: Decided, scene: Scene): EventDraft {
  return {
    type: 'statement.decided',
    session_id: scene.sessionId,
    statement_id: asked.statementId,
    target: scene.target,
    decision: written(decided),
    facts: statement.facts,
    cached: decided.cached,
    judged_us: decided.judgedUs,
  };
}

function written(decided: Decided): WrittenDecision {
  const { decision, judgement, rewrite } = decided;
  const binding = { context: decision.binding.context, expires_at: decision.binding.expires_at };
  return rewrite === null
    ? { decision_id: decision.decision_id, judgement, binding }
    : { decision_id: decision.decision_id, judgement, binding, rewrite: { masked: rewrite.masked } };
}

export function refusedEvent(asked: Pick<Asked, 'statementId'>, refusal: Refusal, scene: Scene): EventDraft {
  return {
    type: 'statement.refused',
    session_id: scene.sessionId,
    statement_id: asked.statementId,
    target: scene.target,
    code: refusal.code,
    by: refusal.by,
    sqlstate: refusal.sqlstate,
  };
}

export function heldEvent(asked: Asked, approvalId: string, expiresAt: string, scene: Scene): EventDraft {
  return {
    type: 'statement.held',
    session_id: scene.sessionId,
    statement_id: asked.statementId,
    target: scene.target,
    approval_id: approvalId,
    expires_at: expiresAt,
  };
}

export interface Finish {
  readonly statementId: string;
  readonly outcome: 'ok' | 'error' | 'aborted' | 'cancelled' | 'unknown';
  readonly rows: number;
  readonly bytes: number;
  readonly tag: string | null;
  readonly sqlstate: string | null;
  /** Columns, each masked in every row; or how often each field was. */
  readonly masked: readonly string[] | Readonly<Record<string, number>>;
  readonly durationUs: number;
}

const NOT_MASKED: Readonly<Record<string, number>> = {};

/** One literal for each shape: this is on the hot path. What came back counts for the agent that asked. */
export function finishedEvent(finish: Finish, scene: Pick<Scene, 'sessionId' | 'target' | 'meter'>): EventDraft {
  scene.meter?.rows(finish.rows);
  const type = 'statement.finished';
  const { sessionId: session_id, target } = scene;
  const { statementId: statement_id, outcome, rows, bytes, tag, sqlstate, durationUs: duration_us } = finish;
  const response_digest = null;
  const masked = countsOf(finish.masked, rows);
  if (tag !== null && sqlstate === null)
    return { type, session_id, statement_id, target, outcome, bytes, response_digest, masked, duration_us, rows, tag };
  if (tag === null && sqlstate === null)
    return { type, session_id, statement_id, target, outcome, bytes, response_digest, masked, duration_us, rows };
  const failed = {
    type,
    session_id,
    statement_id,
    target,
    outcome,
    bytes,
    response_digest,
    masked,
    duration_us,
    rows,
    sqlstate: sqlstate ?? '',
  } as const;
  return tag === null ? failed : { ...failed, tag };
}

function countsOf(masked: Finish['masked'], rows: number): Readonly<Record<string, number>> {
  if (!isList(masked)) return masked;
  return masked.length === 0 ? NOT_MASKED : Object.fromEntries(masked.map((column) => [column, rows]));
}

function isList(masked: Finish['masked']): masked is readonly string[] {
  return Array.isArray(masked);
}
