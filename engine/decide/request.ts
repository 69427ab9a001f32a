/** The decision request (CONTRACT §2), whole and in the parts of which its projection is put together. */
import type { DecisionRequest } from '#schemas/decision-request';
import { type Facts, isSql, memberOf } from '#schemas/facts';
import type { Param } from '#schemas/sql-facts';
import type { Moment, SessionScope } from '#client/decision-service';
import { projectedMembers } from './projection.ts';
import type { ReadNode } from './read-trie.ts';
import type { ReadStatement } from './statement.ts';

const NO_CHILDREN: ReadonlyMap<string, ReadNode> = new Map();

/** Between the members of a part's top level and those of its context; raw NUL never occurs in JSON. */
const SPLIT = '\0';

/** Everything that policy would see. @param time RFC 3339 */
export function wholeRequest(scope: SessionScope, moment: Moment, statement: ReadStatement, params: readonly Param[], time: string): DecisionRequest {
  return {
    stage: 'request',
    subject: scope.subject,
    action: { name: moment.action },
    resource: scope.resource,
    context: {
      time,
      session_id: scope.sessionId,
      statement_id: moment.statementId,
      client: scope.client,
      transaction: moment.transaction,
      settings: moment.settings,
      ...(moment.approval ? { approval: moment.approval } : {}),
      ...(moment.usage ? { usage: moment.usage } : {}),
      supported_obligations: [...scope.supportedObligations],
    },
    ...factsMember(statement.facts, params),
    payload: { digest: statement.payloadDigest, bytes: statement.text.length },
  };
}

export function sessionRequest(scope: SessionScope, payload: DecisionRequest['payload'], time: string): DecisionRequest {
  return {
    stage: 'session',
    subject: scope.subject,
    action: { name: 'session.open' },
    resource: scope.resource,
    context: { time, session_id: scope.sessionId, statement_id: '', client: scope.client, supported_obligations: [...scope.supportedObligations] },
    payload,
  };
}

/** The session's part of the key. What the enforcer supports is in it always, because the combiner reads it. */
export function sessionText(reads: ReadNode, scope: SessionScope): string {
  const top = projectedMembers(reads, { subject: scope.subject, resource: scope.resource }, ['subject', 'resource']);
  const context = { client: scope.client, supported_obligations: scope.supportedObligations };
  return [top, contextMembers(reads, context), scope.supportedObligations.join()].join(SPLIT);
}

export function momentText(reads: ReadNode, moment: Moment): string {
  const top = projectedMembers(reads, { stage: 'request', action: { name: moment.action } }, ['stage', 'action']);
  return [top, contextMembers(reads, { transaction: moment.transaction, settings: moment.settings })].join(SPLIT);
}

export function statementText(reads: ReadNode, statement: ReadStatement, params: readonly Param[]): string {
  return projectedMembers(reads, factsMember(statement.facts, params), [memberOf(statement.facts)]);
}

/** Parameters are of SQL. */
function factsMember(facts: Facts, params: readonly Param[]): Pick<DecisionRequest, 'sql' | 'http' | 'mcp'> {
  return { [memberOf(facts)]: params.length > 0 && isSql(facts) ? { ...facts, params: [...params] } : facts };
}

/** The projection of the whole request, from its parts: equal parts are equal inputs. */
export function inputText(reads: ReadNode, session: string, moment: string, statement: string): string {
  const [sessionTop = '', sessionContext = ''] = session.split(SPLIT);
  const [momentTop = '', momentContext = ''] = moment.split(SPLIT);
  const context = reads.children.has('context') ? `"context":{${joined(momentContext, sessionContext)}}` : '';
  return `{${joined(momentTop, sessionTop, context, statement)}}`;
}

function contextMembers(reads: ReadNode, context: Readonly<Record<string, unknown>>): string {
  const node = reads.children.get('context');
  return (node?.children ?? NO_CHILDREN).size > 0 && node ? projectedMembers(node, context, Object.keys(context)) : '';
}

function joined(...members: readonly string[]): string {
  return members.filter((text) => text !== '').join(',');
}
