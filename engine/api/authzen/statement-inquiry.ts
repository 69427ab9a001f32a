/** A question with a statement: facts are made of it, and it is judged and recorded as any statement is. */
import type { ApprovalDraft } from '#client/approvals';
import type { EventDraft, Payload } from '#client/journal';
import type { Resource } from '#schemas/decision-request';
import { type Asked, type Inquiry, POINT_SETTING } from './inquiry.ts';
import type { StatementAnswer, StatementJudged } from './parts.ts';
import { type Question, type StatementAsked, wrong } from './question.ts';

/** @throws InterlockError USAGE */
export function statementInquiry(asked: Asked, statement: StatementAsked, revision: string): Inquiry {
  const { house, question, subject, point } = asked;
  const { journal, ids } = house.parts;
  const resource = resourceOf(question, asked);
  const action = actionOf(question);
  const client = { address: asked.address, application: question.application, tls: asked.tls };
  const sessionId = house.sessions.enter({ point: point.login, subject, resource, client }, revision, Buffer.byteLength(statement.text));
  const evaluationId = ids.next('stm');
  const at = { session_id: sessionId, statement_id: evaluationId, target: resource.id };
  const payload: Payload = { bytes: Buffer.from(statement.text), media: 'text' };
  const params: Payload | null = statement.params === null ? null : { bytes: Buffer.from(JSON.stringify(statement.params)), media: 'params' };
  const { settings, transaction, supported } = question;
  const judged: StatementJudged = {
    subject,
    resource,
    action,
    statement: statement.text,
    ...(statement.params === null ? {} : { params: statement.params }),
    transaction,
    settings,
    client,
    ...(supported === null ? {} : { supportedObligations: supported }),
    sessionId,
    statementId: evaluationId,
  };
  let answer: StatementAnswer | null = null;
  const ended = async (event: EventDraft): Promise<void> => void (await journal.durable(journal.append(event)));
  journal.append({ type: 'statement.received', ...at, action, payload, mode: 'authzen', ...(params === null ? {} : { params }) });
  return {
    evaluationId,
    asked,
    judge: async (approval) => {
      answer = await house.parts.judge.dryRun({ ...judged, ...(approval === null ? {} : { approval }) });
      journal.append(decidedEvent(at, answer));
      return answer.judgement;
    },
    draft: (judgement) => draftOf(judged, given(answer), judgement, { payload, params, point: point.id }),
    held: (approvalId, expiresAt) => void journal.append({ type: 'statement.held', ...at, approval_id: approvalId, expires_at: expiresAt }),
    refused: (_judgement, code, by) => ended({ type: 'statement.refused', ...at, code, by }),
    cleared: async ({ obligations }, receipt) => {
      const { binding } = given(answer).decision;
      const approval = receipt === null ? {} : { approval: { approval_id: receipt.approvalId, receipt: receipt.receipt } };
      const cleared = {
        type: 'statement.cleared',
        ...at,
        payload,
        binding,
        obligations: obligations.map(({ id }) => id),
        ...(params === null ? {} : { params }),
      } as const;
      journal.append({ ...cleared, ...approval });
      // nobody tells us how it ended
      await ended({ type: 'statement.finished', ...at, outcome: 'unknown', bytes: 0, response_digest: null, masked: {}, duration_us: 0 });
    },
  };
}

function decidedEvent(
  at: { readonly session_id: string; readonly statement_id: string; readonly target: string },
  answer: StatementAnswer,
): EventDraft {
  const { decision, judgement, facts, cached, judgedUs } = answer;
  const { context, expires_at } = decision.binding;
  const written = { decision_id: decision.decision_id, judgement, binding: { context, expires_at } };
  return { type: 'statement.decided', ...at, decision: written, facts, cached, judged_us: judgedUs };
}

interface Bound {
  readonly payload: Payload;
  readonly params: Payload | null;
  readonly point: string;
}

function draftOf(
  judged: StatementJudged,
  { decision, facts }: StatementAnswer,
  judgement: StatementAnswer['judgement'],
  bound: Bound,
): ApprovalDraft {
  const { subject, resource, sessionId, statementId, settings, transaction } = judged;
  if (judgement.approval === null) throw new Error('an approval without a requirement');
  return {
    subject,
    sessionId,
    statementId,
    target: resource.id,
    database: resource.properties.database ?? '',
    role: resource.properties.role ?? '',
    payload: bound.payload,
    params: bound.params,
    settings: { ...settings, [POINT_SETTING]: bound.point },
    transaction,
    objects: [...new Set(facts.effects.map(({ verb, object }) => `${verb} ${object.qualified}`))].toSorted((a, b) => (a < b ? -1 : 1)),
    decision,
    requirement: judgement.approval,
    facts,
  };
}

function given(answer: StatementAnswer | null): StatementAnswer {
  if (answer === null) throw new Error('not judged yet');
  return answer;
}

function actionOf({ action }: Question): 'sql.prepare' | 'sql.execute' {
  if (action.name === 'sql.execute' || action.name === 'sql.prepare') return action.name;
  throw wrong('`action.name` of a statement of postgresql is sql.execute or sql.prepare');
}

/** What the configuration says of a target counts; of others the enforcement point must say where they stand: a missing `env` must not pass a rule. */
function resourceOf({ resource }: Question, { house }: Asked): Resource {
  if (resource.type !== 'postgresql') throw wrong('`resource.type` of a statement of postgresql is postgresql');
  const { env, labels, database, role, server_version: version } = resource.properties;
  const known = house.parts.target(resource.id);
  if (known === null && typeof env !== 'string') throw wrong('`resource.properties.env` is missing: the configuration has no target of this name');
  const named = typeof database === 'string' ? database : known?.database;
  return {
    type: 'postgresql',
    id: resource.id,
    properties: {
      env: known?.env ?? String(env),
      labels: { ...(known?.labels ?? textsOf(labels)) },
      ...(named === undefined ? {} : { database: named }),
      ...(typeof role === 'string' ? { role } : {}),
      ...(typeof version === 'string' ? { server_version: version } : {}),
    },
  };
}

function textsOf(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  const entries = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : null;
  if (entries === null || !entries.every((entry): entry is [string, string] => typeof entry[1] === 'string'))
    throw wrong('`resource.properties.labels` is not a map of texts');
  return Object.fromEntries(entries);
}
