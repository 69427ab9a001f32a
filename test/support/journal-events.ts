/** Statements for a journal under test: drafts as an enforcer writes them. */
import { createHash } from 'node:crypto';
import type { EventDraft, Journal, Payload, Position } from '#client/journal';
import type { Judgement } from '#schemas/decision';
import type { SqlFacts } from '#schemas/sql-facts';

export type Draft<T extends EventDraft['type']> = Extract<EventDraft, { type: T }>;

export const REVISION: string = `sha256:${'a'.repeat(64)}`;
const CONTEXT = `sha256:${createHash('sha256').update('context').digest('hex')}`;

export const ALLOWED: Judgement = {
  effect: 'allow',
  reasons: [{ policy: 'policies.postgres.reads', code: 'READ', reason: 'reads are allowed', effect: 'allow' }],
  obligations: [],
  approval: null,
  revision: REVISION,
  shadow: [],
};
export const DENIED: Judgement = {
  ...ALLOWED,
  effect: 'deny',
  reasons: [{ policy: 'interlock', code: 'DEFAULT_DENY', reason: 'no', effect: 'deny' }],
};

export const FACTS: SqlFacts = {
  dialect: 'postgresql',
  parser: { name: 'libpg_query', major: 15 },
  parsed: true,
  statements: [],
  effects: [],
  session: [],
  params: [],
  opaque: [],
};

export function text(sql: string): Payload {
  return { bytes: Buffer.from(sql), media: 'text' };
}

export interface Written {
  readonly sessionId: string;
  readonly statementId: string;
  readonly payload: Payload;
}

export function opened(sessionId: string): EventDraft {
  return {
    type: 'session.opened',
    session_id: sessionId,
    target: 'shop',
    subject: 'https://issuer|alice',
    subject_detail: { type: 'user', id: 'https://issuer|alice', properties: { login: 'alice', groups: ['support'] } },
    resource: { type: 'postgresql', id: 'shop', properties: { env: 'test', labels: {} } },
    client: { address: '127.0.0.1', application: 'psql', tls: true },
    protocol: 'postgresql',
    decision_id: 'dec_1',
    revision: REVISION,
    lease: 'lea_1',
  };
}

export function received({ sessionId, statementId, payload }: Written): Draft<'statement.received'> {
  return {
    type: 'statement.received',
    session_id: sessionId,
    statement_id: statementId,
    target: 'shop',
    action: 'sql.execute',
    mode: 'simple',
    payload,
  };
}

export function decided(
  { sessionId, statementId }: Written,
  judgement: Judgement = ALLOWED,
  expires = '2026-11-23T10:00:05.000001Z',
): Draft<'statement.decided'> {
  return {
    type: 'statement.decided',
    session_id: sessionId,
    statement_id: statementId,
    target: 'shop',
    decision: { decision_id: `dec_of_${statementId}`, judgement, binding: { context: CONTEXT, expires_at: expires } },
    facts: FACTS,
    cached: true,
    judged_us: 0.5,
  };
}

export function cleared({ sessionId, statementId, payload }: Written, expires = '2026-11-23T10:00:05.000001Z'): Draft<'statement.cleared'> {
  const binding = { payload: `sha256:${'0'.repeat(64)}`, context: CONTEXT, expires_at: expires };
  return { type: 'statement.cleared', session_id: sessionId, statement_id: statementId, target: 'shop', payload, binding, obligations: [] };
}

export function finished({ sessionId, statementId }: Written): Draft<'statement.finished'> {
  return {
    type: 'statement.finished',
    session_id: sessionId,
    statement_id: statementId,
    target: 'shop',
    outcome: 'ok',
    rows: 1,
    tag: 'SELECT 1',
    bytes: 71,
    response_digest: null,
    masked: {},
    duration_us: 140,
  };
}

/** received, decided, cleared: one record. Returns its position. */
export function intent(journal: Journal, statement: Written): Position {
  journal.append(received(statement));
  journal.append(decided(statement));
  return journal.append(cleared(statement));
}
