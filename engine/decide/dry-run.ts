/** The one dry run behind `interlock decide`, its cases, statement cases of policies and the corpus: opens no request, needs no gateway. */
import type { Catalog } from '#schemas/catalog';
import { ALL_OBLIGATIONS, type Decision, type Judgement } from '#schemas/decision';
import type { ApprovalContext, Client, DecisionRequest, Resource, Subject, TransactionState, Usage } from '#schemas/decision-request';
import { type Facts, isSql } from '#schemas/facts';
import type { HttpCatalog, McpCatalog } from '#schemas/knowledge';
import type { Param } from '#schemas/sql-facts';
import type { Moment } from '#client/decision-service';
import type { Ids } from '#client/ids';
import { LocalSession, type SessionHost } from './decision-session.ts';
import { ownDenial } from './combine.ts';
import { maskingByName } from './named-masks.ts';
import { NO_USAGE } from './usage.ts';

const SERVER_VERSION = '17';

export interface DryRunInput {
  readonly subject: Subject;
  readonly resource: Resource;
  readonly action: Moment['action'];
  /** A text, or the bytes of what is none. */
  readonly statement: string | Uint8Array;
  readonly params?: readonly Param[];
  readonly transaction?: TransactionState;
  readonly settings?: Readonly<Record<string, string>>;
  /** Without one: what the service learnt of the target; without that, masks are judged by name and nothing is rewritten. */
  readonly catalog?: Catalog;
  /** Of an API or an MCP server, in the place of what the service learnt. */
  readonly knowledge?: HttpCatalog | McpCatalog;
  /** Merged over the data documents in force, for this run alone. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly client?: Client;
  /** Of an agent: what it did lately. Default: nothing yet. */
  readonly usage?: Usage;
  readonly supportedObligations?: readonly string[];
  /** One that the engine itself verified: for what outside enforcement points ask, and nothing else. */
  readonly approval?: ApprovalContext;
  /** What the record calls it. */
  readonly sessionId?: string;
  readonly statementId?: string;
}

export interface DryRunResult {
  readonly request: DecisionRequest;
  readonly decision: Decision;
  /** The same object for the same judgement. */
  readonly judgement: Judgement;
  /** As they were read: without the values of parameters. */
  readonly facts: Facts;
  readonly cached: boolean;
  readonly judgedUs: number;
  /** No catalog: which columns a statement reads was judged by the names in it. */
  readonly byName: boolean;
}

/** Any service that can: `LocalDecisionService` is one. */
export interface DryRunner {
  dryRun(input: DryRunInput): Promise<DryRunResult>;
}

export function dryRun(service: DryRunner, input: DryRunInput): Promise<DryRunResult> {
  return service.dryRun(input);
}

export async function runDry(host: SessionHost, input: DryRunInput, ids: Ids): Promise<DryRunResult> {
  const { resource, subject, catalog = null, knowledge = null } = input;
  const scope = {
    sessionId: input.sessionId ?? ids.next('ses'),
    subject,
    resource: { ...resource, properties: { server_version: SERVER_VERSION, ...resource.properties } },
    client: input.client ?? { address: '127.0.0.1', application: 'interlock decide', tls: true },
    supportedObligations: input.supportedObligations ?? ALL_OBLIGATIONS,
  };
  const dry: SessionHost = { ...host, masks: maskingByName(host.facts, host.masks) };
  const known = { ...(catalog && { catalog }), ...(knowledge && { knowledge }) };
  const withCatalog: SessionHost = catalog || knowledge ? { ...dry, contextOf: (...args) => ({ ...host.contextOf(...args), ...known }) } : dry;
  const session = new LocalSession(withCatalog, scope, ownDenial('DEFAULT_DENY', 'a dry run opens no session', host.revision));
  const bytes = typeof input.statement === 'string' ? Buffer.from(input.statement, 'utf8') : input.statement;
  const statement = await session.read(bytes, input.settings ?? {});
  const moment: Moment = {
    action: input.action,
    statementId: input.statementId ?? ids.next('stm'),
    transaction: input.transaction ?? 'idle',
    settings: input.settings ?? {},
    params: input.params ? () => input.params ?? [] : null,
    ...(input.approval && { approval: input.approval }),
    ...(subject.type === 'agent' && { usage: input.usage ?? NO_USAGE }),
  };
  const { decision, judgement, cached, judgedUs } = await session.decide(statement, moment);
  const byName = isSql(statement.facts) && statement.context.catalog === null;
  const request = session.request(statement, moment);
  return { request, decision: byName ? withoutRewrite(decision) : decision, judgement, facts: statement.facts, cached, judgedUs, byName };
}

function withoutRewrite(decision: Decision): Decision {
  const plain = { ...decision };
  delete plain.rewrite;
  return plain;
}
