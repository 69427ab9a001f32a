/** Statement cases, the `cases.yaml` beside a pack: read from the file, made the input of a dry run, and held against what came of it. */
import { parse } from 'yaml';
import { askedHttp, type AskedHttp, askedMcp, type AskedMcp, type AskedText } from '#client/asked-message';
import type { Catalog, CatalogRelation } from '#schemas/catalog';
import type { Decision, DecisionEffect } from '#schemas/decision';
import type { Resource, Subject, TransactionState, Usage } from '#schemas/decision-request';
import { ERRORS, InterlockError } from '#schemas/errors';
import type { Param } from '#schemas/sql-facts';
import { apiOf, type AskedApi, type AskedTools, toolsOf } from './asked-knowledge.ts';
import type { DryRunInput } from './dry-run.ts';
import { NO_USAGE, usageOf } from './usage.ts';

export interface StatementCase {
  readonly name: string;
  /** The contract's subject, or short: `{ login: alice, groups: [app] }`. */
  readonly subject: Subject | { readonly login?: string; readonly groups?: readonly string[]; readonly type?: Subject['type'] };
  /** The contract's resource, or short: `{ id: shop, env: production, labels: {…} }`. */
  readonly resource?:
    | Resource
    | { readonly id?: string; readonly env?: string; readonly labels?: Record<string, string>; readonly database?: string };
  /** One of these three. */
  readonly statement?: string;
  readonly http?: AskedHttp;
  readonly mcp?: AskedMcp;
  readonly params?: readonly Param[];
  readonly transaction?: TransactionState;
  readonly settings?: Readonly<Record<string, string>>;
  readonly action?: DryRunInput['action'];
  /** Of an agent: what it did lately, `{ rows_last_hour: 30000 }`. */
  readonly usage?: Partial<Usage>;
  /** Data merged over the documents in force, for this case alone: `{ guardrails: { read_only: [analysts] } }`. */
  readonly with?: Readonly<Record<string, unknown>>;
  /** Ordinary tables with columns of type text, `{ public.customers: [id, email] }`: all that the target has. Without it masks are judged by name. */
  readonly catalog?: Readonly<Record<string, readonly string[]>>;
  /** The operations that the API has, `{ GET /orders/{id}: { id: getOrder } }`: all of them. */
  readonly api?: AskedApi;
  /** The tools that the server has, all of them pinned. */
  readonly tools?: AskedTools;
  /** Also judged before any revision of the policies comes into force: one that does not refuse it is rejected. */
  readonly canary?: boolean;
  /** `codes`: all of them are among the reasons. */
  readonly expect: { readonly effect: DecisionEffect; readonly codes?: readonly string[] };
}

const KEYS: Readonly<Record<keyof StatementCase, true>> = {
  name: true,
  subject: true,
  resource: true,
  statement: true,
  http: true,
  mcp: true,
  params: true,
  transaction: true,
  settings: true,
  action: true,
  usage: true,
  with: true,
  catalog: true,
  api: true,
  tools: true,
  canary: true,
  expect: true,
};

/** @throws InterlockError POLICY_BUILD that names file and case */
export function readStatementCases(file: string, text: string): readonly StatementCase[] {
  const value = parsed(file, text);
  const list: unknown = value !== null && typeof value === 'object' && 'cases' in value ? value.cases : value;
  if (!Array.isArray(list)) throw wrong(`${file}: statement cases are a list of {name, subject, resource, statement, expect}`);
  for (const [at, entry] of (list as (Partial<StatementCase> | null)[]).entries()) {
    if (typeof entry?.name !== 'string' || !entry.subject || !entry.expect?.effect)
      throw wrong(`${file}: case ${at + 1} needs name, subject, statement and expect.effect`);
    if (typeof entry.statement !== 'string' && typeof entry.http?.path !== 'string' && typeof entry.mcp !== 'object')
      throw wrong(`${file}: case ${at + 1} (${entry.name}) needs one of \`statement\`, \`http\` (with \`path\`) and \`mcp\``);
    if (entry.usage !== undefined) checkUsage(entry.usage, `${file}: case ${at + 1} (${entry.name})`);
    const unknown = Object.keys(entry).find((key) => !Object.hasOwn(KEYS, key));
    // a misspelt `canary` would be a canary that never sings
    if (unknown !== undefined)
      throw wrong(`${file}: case ${at + 1} (${entry.name}) has the unknown key \`${unknown}\`; allowed: ${Object.keys(KEYS).join(', ')}`);
  }
  return list as StatementCase[];
}

function checkUsage(usage: unknown, where: string): void {
  try {
    usageOf(usage, where);
  } catch (error) {
    throw wrong((error as Error).message);
  }
}

export function inputOfCase(entry: StatementCase): DryRunInput {
  const { type, action, statement } = textOf(entry);
  const knowledge = entry.api ? apiOf(entry.api) : entry.tools ? toolsOf(entry.tools) : null;
  return {
    subject: subjectOf(entry.subject),
    resource: resourceOf(entry.resource ?? {}, type),
    action: entry.action ?? action,
    statement,
    ...(knowledge ? { knowledge } : {}),
    ...(entry.params ? { params: entry.params } : {}),
    ...(entry.transaction ? { transaction: entry.transaction } : {}),
    ...(entry.settings ? { settings: entry.settings } : {}),
    ...(entry.usage ? { usage: { ...NO_USAGE, ...entry.usage } } : {}),
    ...(entry.with ? { data: entry.with } : {}),
    ...(entry.catalog ? { catalog: catalogOf(entry.catalog) } : {}),
  };
}

/** null: as expected; else what was expected and what was found. */
export function differenceFrom(expected: StatementCase['expect'], decision: Pick<Decision, 'effect' | 'reasons'>): string | null {
  if (decision.effect === expected.effect && hasCodes(expected, decision)) return null;
  const found = decision.reasons.map(({ code, reason }) => `${code} (${reason})`).join(', ');
  return `expected ${[expected.effect, ...(expected.codes ?? [])].join(' ')}; found ${decision.effect}: ${found}`;
}

const STRICTNESS: Readonly<Record<DecisionEffect, number>> = { allow: 0, mask: 1, require_approval: 2, deny: 3 };

/** As `differenceFrom`, but other packages may be stricter: then this package's reasons, and what the engine would refuse after it, are not all told. */
export function canaryDifference(expected: StatementCase['expect'], decision: Pick<Decision, 'effect' | 'reasons'>): string | null {
  if (STRICTNESS[decision.effect] > STRICTNESS[expected.effect]) return null;
  const deniedByPolicy = decision.effect === 'deny' && decision.reasons.some(({ policy }) => policy !== 'interlock');
  const codes = deniedByPolicy ? expected.codes?.filter((code) => !Object.hasOwn(ERRORS, code)) : expected.codes;
  return differenceFrom({ effect: expected.effect, ...(codes ? { codes } : {}) }, decision);
}

function hasCodes({ codes = [] }: StatementCase['expect'], { reasons }: Pick<Decision, 'reasons'>): boolean {
  return codes.every((code) => reasons.some((reason) => reason.code === code));
}

function parsed(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw wrong(`${file}: ${(error as Error).message.split('\n')[0] ?? ''}`);
  }
}

function subjectOf(given: StatementCase['subject']): Subject {
  if ('properties' in given) return given;
  const login = given.login ?? 'tester';
  return { type: given.type ?? 'user', id: `test|${login}`, properties: { login, groups: [...(given.groups ?? [])] } };
}

function textOf({ statement = '', http, mcp }: StatementCase): AskedText {
  if (http) return askedHttp(http);
  return mcp ? askedMcp(mcp) : { type: 'postgresql', action: 'sql.execute', statement };
}

function resourceOf(given: NonNullable<StatementCase['resource']>, type: Resource['type']): Resource {
  if ('properties' in given) return given;
  const { id = 'test', env = 'test', labels = {}, database } = given;
  return { type, id, properties: { env, labels, ...(database === undefined ? {} : { database }) } };
}

const FIRST_USER_OID = 16_384;

function catalogOf(tables: NonNullable<StatementCase['catalog']>): Catalog {
  const relations = Object.entries(tables).map(([qualified, columns], at): CatalogRelation => {
    const dot = qualified.indexOf('.');
    return {
      oid: String(FIRST_USER_OID + at),
      schema: dot < 0 ? 'public' : qualified.slice(0, dot),
      name: qualified.slice(dot + 1),
      kind: 'table',
      columns: columns.map((name, index) => textColumn(name, index + 1)),
      parents: [],
      children: [],
      reads: [],
      storesRowsOf: [],
      hasRules: false,
    };
  });
  // a cluster of its own: masks are remembered by it
  return { database: '', serverMajor: 0, fingerprint: JSON.stringify(tables), cluster: 'cases', relations, systemRelations: [] };
}

function textColumn(name: string, attnum: number): CatalogRelation['columns'][number] {
  return { attnum, name, castType: 'pg_catalog.text', category: 'S', typeName: 'text', collation: null, generated: false };
}

function wrong(message: string): InterlockError {
  return new InterlockError('POLICY_BUILD', message);
}
