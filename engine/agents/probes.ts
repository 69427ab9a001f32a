/** What an agent tries in thought, so that what is told of it is what policy answers: representative of each table, operation and tool that is known. */
import { type AskedHttp, askedHttp, type AskedMcp, askedMcp } from '#client/asked-message';
import type { Action } from '#client/decision-service';
import type { Catalog, CatalogRelation } from '#schemas/catalog';
import { type HttpCatalog, type HttpRoute, isCatalog, type Knowledge, type McpTool } from '#schemas/knowledge';
import { LIMITS } from './limits.ts';
import { sampleArguments } from './sample.ts';

export interface Probe {
  /** `read public.customers` */
  readonly what: string;
  /** As a person would write it: SQL, `POST /v1/refunds`, `tool search {"q":"example"}`. */
  readonly shown: string;
  /** Where `shown` is no statement: as a case of `interlock decide` has it. */
  readonly asked?: { readonly http: AskedHttp } | { readonly mcp: AskedMcp };
  readonly action: Action;
  /** The bytes that are judged. */
  readonly statement: string;
  /** Asked where this is allowed, and told in its place, unless it is denied: then `otherwise` is what is allowed. */
  readonly next?: Probe;
  readonly otherwise?: string;
}

const KINDS: readonly CatalogRelation['kind'][] = ['table', 'partitioned_table', 'view', 'materialized_view', 'foreign_table'];
const WRITABLE: readonly CatalogRelation['kind'][] = ['table', 'partitioned_table'];
const SYSTEM = /^(pg_|information_schema$)/;

export function probesOf(knowledge: Knowledge): readonly Probe[] {
  if (isCatalog(knowledge)) return databaseProbes(knowledge);
  if (knowledge.kind === 'http') return apiProbes(knowledge);
  return knowledge.tools
    .filter(({ state }) => state === 'pinned')
    .slice(0, LIMITS.toolsProbed)
    .map(toolProbe);
}

/** Where nothing is known of a database: whether anything at all can be asked. */
export function blindProbes(): readonly Probe[] {
  return [sql('run a statement that reads no table', 'SELECT 1')];
}

function databaseProbes({ relations }: Catalog): readonly Probe[] {
  const own = relations
    .filter(({ kind, schema }) => KINDS.includes(kind) && !SYSTEM.test(schema))
    .toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return [...own.slice(0, LIMITS.tablesProbed).flatMap(tableProbes), sql('change the database itself', 'CREATE TABLE interlock_probe (id int)')];
}

function tableProbes(relation: CatalogRelation): readonly Probe[] {
  const [first, second = first] = relation.columns;
  const table = `${quoted(relation.schema)}.${quoted(relation.name)}`;
  const name = nameOf(relation);
  const reading = sql(`read ${name}`, `SELECT * FROM ${table} LIMIT 10`);
  if (first === undefined || second === undefined || !WRITABLE.includes(relation.kind)) return [reading];
  const key = `${quoted(first.name)} = '1'`;
  return [
    reading,
    sql(`insert into ${name}`, `INSERT INTO ${table} (${quoted(second.name)}) VALUES (NULL)`),
    sql(`update one row of ${name}`, `UPDATE ${table} SET ${quoted(second.name)} = NULL WHERE ${key}`),
    sql(`delete one row of ${name}`, `DELETE FROM ${table} WHERE ${key}`),
    sql(`delete every row of ${name}`, `DELETE FROM ${table}`),
  ];
}

function apiProbes({ base, routes }: HttpCatalog): readonly Probe[] {
  return routes.slice(0, LIMITS.operationsProbed).map((route) => operationProbe(base, route));
}

function operationProbe(base: string, { method, route, id, class: kind, consumes }: HttpRoute): Probe {
  const target = `${base}${route.replace(/\{[^}]*\}/g, '1')}`;
  const takesJson = kind !== 'read' && method !== 'DELETE' && (consumes === undefined || consumes.includes('application/json'));
  const http: AskedHttp = { method, path: target, ...(takesJson && { body: {} }) };
  const { action, statement } = askedHttp(http);
  const what = id === `${method} ${route}` ? id : `${id} (${method} ${base}${route})`;
  return { what, shown: `${method} ${target}`, asked: { http }, action, statement };
}

/** As it is listed, and then as it is called, with the plainest arguments: where these are denied, others may be allowed. */
function toolProbe({ name, inputSchema }: McpTool): Probe {
  const given = sampleArguments(inputSchema);
  const listed = tool(name, `tool ${name}`, { method: 'tools/list', tool: name });
  const called = tool(name, `tool ${name} ${JSON.stringify(given)}`, { tool: name, arguments: given });
  return { ...listed, next: called, otherwise: `see the tool ${name}: which calls are allowed depends on their arguments` };
}

function tool(name: string, shown: string, mcp: AskedMcp): Probe {
  const { action, statement } = askedMcp(mcp);
  return { what: `use the tool ${name}`, shown, asked: { mcp }, action, statement };
}

function sql(what: string, statement: string): Probe {
  return { what, shown: statement, action: 'sql.execute', statement };
}

function nameOf({ schema, name }: CatalogRelation): string {
  return `${schema}.${name}`;
}

/** Always: a keyword is a name like any other. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
