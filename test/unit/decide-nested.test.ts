/** SQL in an argument of a tool is judged as a statement on its own target too, and the strictest of both counts (SECURITY §1.9). */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { loadConfig } from '#engine/config/load';
import { askedMcp } from '#client/asked-message';
import { toolsOf } from '#engine/decide/asked-knowledge';
import { openJudging } from '#engine/judging';
import type { CatalogRelation } from '#schemas/catalog';
import type { Decision } from '#schemas/decision';
import type { Resource, Subject } from '#schemas/decision-request';
import type { McpCatalog } from '#schemas/knowledge';

const root = join(import.meta.dirname, '..', '..');
const SHOP: Resource = { type: 'postgresql', id: 'shop', properties: { env: 'production', labels: {}, database: 'shop', server_version: '15' } };
const TOOLS: Resource = { type: 'mcp', id: 'tools', properties: { env: 'production', labels: {} } };
/** Every tool may be called, by whoever is in the group of the database. */
const ALLOW_TOOLS = `package policies.mcp.open
allow contains {"code": "TOOL", "reason": "Every tool."} if { input.stage == "request"; input.resource.type == "mcp" }
`;
/** Says no where a session is opened, and nothing of statements; and counts, of agents alone. */
const DOOR = `package policies.test.door
deny contains {"code": "DOOR", "reason": "Not for mallory."} if {
	input.stage == "session"
	input.resource.id == "shop"
	input.subject.properties.login == "mallory"
}
deny contains {"code": "NOT_COUNTED", "reason": "Nobody counted."} if {
	input.stage == "request"
	input.subject.type == "agent"
	not counted
}
counted if input.context.usage.rows_last_hour < 10
`;
const DATA = `guardrails: { read_write: [app] }
personal_data: { tags: [pii] }
catalog: { columns: { public.customers.ssn: { tags: [pii] } } }
production_writes: { stages: [{ id: owner, order: 1, any_of: [{ group: owners }], quorum: 1 }] }
`;

let dir = '';
let service: Awaited<ReturnType<typeof openJudging>>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'interlock-nested-'));
  await mkdir(join(dir, 'policies'));
  await writeFile(join(dir, 'policies', 'open.rego'), ALLOW_TOOLS);
  await writeFile(join(dir, 'policies', 'door.rego'), DOOR);
  await writeFile(join(dir, 'data.yaml'), DATA);
  const { cp } = await import('node:fs/promises');
  await cp(join(root, 'policies', 'postgres'), join(dir, 'policies', 'postgres'), { recursive: true });
  const config = {
    contract: 1,
    identity: { local: { enabled: true } },
    policies: { source: { dir: './policies' }, data: ['./data.yaml'] },
    targets: { tools: { protocol: 'mcp', listen: '127.0.0.1:0', mcp: { url: 'http://127.0.0.1:1/mcp' } } },
  };
  await writeFile(join(dir, 'interlock.yaml'), JSON.stringify(config));
  const loaded = await loadConfig(join(dir, 'interlock.yaml'));
  const relations = [table('orders', ['id', 'n'], 1), table('customers', ['id', 'ssn'], 2)];
  service = await openJudging(loaded, { log: silentLog, clock: systemClock, ids: new Ids(systemClock), record: () => {}, watch: false });
  service.learn('shop', { database: 'shop', serverMajor: 15, fingerprint: 'one', cluster: 'test', relations, systemRelations: [] });
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

function table(name: string, columns: readonly string[], oid: number): CatalogRelation {
  const shaped = columns.map((column, index) => ({
    attnum: index + 1,
    name: column,
    castType: 'pg_catalog.text',
    category: 'S',
    typeName: 'text',
    collation: null,
    generated: false,
  }));
  const alone = { parents: [], children: [], reads: [], storesRowsOf: [], hasRules: false } as const;
  return { oid: String(16_384 + oid), schema: 'public', name, kind: 'table', columns: shaped, ...alone };
}

async function judged(
  sql: string,
  kind: { resource?: Resource; target?: string } = { resource: SHOP, target: 'shop' },
  { groups = ['app'], login = 'alice', agent = false }: { groups?: string[]; login?: string; agent?: boolean } = {},
): Promise<Decision> {
  const { statement, action } = askedMcp({ tool: 'run_sql', arguments: { sql } });
  const tools = { run_sql: { arguments: [{ argument: '$.sql', as: 'sql' as const, ...kind }] } };
  const human = { id: `test|${login}`, login, groups };
  const subject: Subject = agent
    ? { type: 'agent', id: 'test|bot', properties: { login: 'bot', groups: ['app'], on_behalf_of: human } }
    : { type: 'user', id: human.id, properties: { login, groups } };
  const { decision } = await service.dryRun({ subject, resource: TOOLS, action, statement, knowledge: toolsOf(tools) });
  return decision;
}

interface Left {
  readonly params: Readonly<Record<string, unknown>>;
}

function sqlOf(left: Left | null): string {
  return String((left?.params['arguments'] as { readonly sql?: unknown } | undefined)?.sql);
}

/** As an enforcer asks: what is decided, and what would leave in the place of the call. */
async function decided(
  given: Readonly<Record<string, unknown>>,
  inputSchema: object = { type: 'object' },
): Promise<{ readonly decision: Decision; readonly left: Left | null }> {
  const knowledge: McpCatalog = {
    kind: 'mcp',
    fingerprint: JSON.stringify(inputSchema),
    tools: [
      { name: 'run_sql', digest: '', state: 'pinned', inputSchema, arguments: [{ argument: '$.sql', as: 'sql', target: 'shop', resource: SHOP }] },
    ],
  };
  service.learn('tools', knowledge);
  const subject = { type: 'user' as const, id: 'test|alice', properties: { login: 'alice', groups: ['app'] } };
  const client = { address: '127.0.0.1', application: 'test', tls: true };
  const session = service.openSession({ sessionId: 'ses_1', subject, resource: TOOLS, client, supportedObligations: ['mask', 'mask.paths'] });
  const { statement } = askedMcp({ tool: 'run_sql', arguments: given });
  const read = await session.read(Buffer.from(statement), {});
  const moment = { action: 'mcp.call', statementId: 'stm_1', transaction: 'idle', settings: {}, params: null } as const;
  const { decision, rewrite } = await session.decide(read, moment);
  session.close();
  return { decision, left: rewrite === null ? null : (JSON.parse(Buffer.from(rewrite.text).toString('utf8')) as Left) };
}

test('a statement that its target allows', async () => {
  expect(await judged('SELECT id FROM orders')).toMatchObject({ effect: 'allow' });
});

test('who may not open a session there does not reach it by a tool, nor does what acts for them', async () => {
  expect(await judged('SELECT id FROM orders', undefined, { login: 'mallory' })).toMatchObject({
    effect: 'deny',
    reasons: [expect.objectContaining({ code: 'DOOR', reason: 'its $.sql: Not for mallory.' })],
  });
  expect((await judged('SELECT id FROM orders', undefined, { login: 'mallory', agent: true })).reasons.map(({ code }) => code)).toContain('DOOR');
});

test('what an agent did lately counts for its statement as for the call', async () => {
  expect(await judged('SELECT id FROM orders', undefined, { agent: true })).toMatchObject({ effect: 'allow' });
});

test('what its target denies is denied, in its policy’s words and with the place', async () => {
  const { effect, reasons } = await judged('DROP TABLE orders');
  expect(effect).toBe('deny');
  expect(reasons[0]).toMatchObject({ policy: 'postgres.guardrails', effect: 'deny', reason: expect.stringMatching(/^its \$\.sql: /) as string });
  expect((await judged('SELECT id FROM orders', { resource: SHOP, target: 'shop' }, { groups: [] })).effect).toBe('deny');
});

test('what needs an approval there needs it here', async () => {
  const { effect, approval } = await judged('UPDATE orders SET n = 1 WHERE id = 7');
  expect(effect).toBe('require_approval');
  expect(approval?.stages.map(({ id }) => id)).toEqual(['owner']);
});

test('what cannot be understood is denied', async () => {
  expect((await judged('SELEC 1')).effect).toBe('deny');
});

test('masked columns are masked in the statement: the call leaves with it, and with nothing else changed', async () => {
  const { decision, left } = await decided({ sql: 'SELECT ssn AS x FROM customers WHERE id = $1', limit: 5 });
  expect(decision).toMatchObject({ effect: 'mask', rewrite: { masked: ['public.customers.ssn'] } });
  expect(decision.obligations).toMatchObject([{ type: 'mask', properties: { columns: { 'public.customers.ssn': {} }, paths: {} } }]);
  expect(left).toMatchObject({ method: 'tools/call', params: { name: 'run_sql', arguments: { limit: 5 } } });
  const sql = sqlOf(left);
  expect(sql).toContain(`CAST('***' AS pg_catalog.text) AS "ssn"`);
  expect(sql).toMatch(/^SELECT ssn AS x FROM \(SELECT .*\) AS "customers" +WHERE id = \$1$/);
});

test('a statement that reads no masked column leaves as it is', async () => {
  const { decision, left } = await decided({ sql: 'SELECT count(*) FROM orders' });
  expect([decision.effect, left]).toEqual(['allow', null]);
});

test('a masked statement that no longer fits the pinned schema is refused, as is one that cannot be masked', async () => {
  const fits = { type: 'object', properties: { sql: { type: 'string', maxLength: 40 } } };
  expect((await decided({ sql: 'SELECT ssn FROM customers' }, fits)).decision).toMatchObject({
    effect: 'deny',
    reasons: [{ code: 'MASK_IMPOSSIBLE' }],
  });
  expect((await decided({ sql: 'SELECT id FROM orders' }, fits)).decision.effect).toBe('allow');
  const { decision, left } = await decided({ sql: 'SELECT ctid, ssn FROM customers' });
  expect([decision.effect, decision.reasons[0]?.code, left]).toEqual(['deny', 'MASK_IMPOSSIBLE', null]);
});

test('what is masked and needs an approval is held, and leaves masked with it', async () => {
  const sql = 'UPDATE orders SET n = c.ssn FROM customers c WHERE orders.id = 7 AND c.id = 7';
  const { decision } = await decided({ sql });
  expect(['deny', 'require_approval']).toContain(decision.effect);
  expect(decision.effect === 'require_approval' ? decision.obligations[0]?.type : 'mask').toBe('mask');
});

test('every spelling of a masked read is masked: no text of the column is left for the server to read', async () => {
  const texts = [
    'SELECT * FROM customers',
    'SELECT c FROM customers c',
    'TABLE customers',
    'SELECT row_to_json(c) FROM "public"."customers" c',
    'WITH x AS (SELECT ssn FROM customers) SELECT * FROM x',
    "SELECT 'a' UNION SELECT ssn FROM customers",
    'SELECT id FROM orders WHERE n IN (SELECT ssn FROM customers)',
    'SELECT/**/ssn/**/FROM/**/customers--x',
    'SELECT U&"\\0073sn" FROM customers',
  ];
  for (const sql of texts) {
    const { decision, left } = await decided({ sql });
    expect(decision.effect, sql).toBe('mask');
    expect(sqlOf(left), sql).toContain("'***'");
  }
});

test('a target that is not known here is no target that may do everything', async () => {
  const { effect, reasons } = await judged('SELECT id FROM orders', { target: 'shop' });
  expect(effect).toBe('deny');
  expect(reasons[0]?.code).toBe('NESTED_TARGET');
});

test('an argument without a target is judged by its facts alone', async () => {
  expect((await judged('DROP TABLE orders', {})).effect).toBe('allow');
});
