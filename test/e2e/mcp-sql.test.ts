/** A tool that runs SQL, and a masked column: what it is given to run is the masked statement (SECURITY §1.9, I5), wherever the gateway can judge it. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { RawAnswer } from '#test/support/mcp-clients';
import { SSN, startMcpServer, type TestMcpServer } from '#test/support/mcp-server';
import { startMcpShop, TOOLS, type McpShop } from '#test/support/mcp-shop';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { root } from '#test/support/processes';
import { shapeAsked } from '#test/support/shapes';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 90_000 });

let postgres: PostgresServer;
let direct: pg.Pool;
let server: TestMcpServer;
let shop: McpShop;
let dir: string;
let alice: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-mcp-sql-'));
  postgres = await startPostgres({ major: 15 });
  await postgres.query(
    `CREATE TABLE customers (id int PRIMARY KEY, name text, ssn text); INSERT INTO customers VALUES (1, 'Ann', '${SSN}'); CREATE TABLE orders (id int)`,
  );
  direct = new pg.Pool({ connectionString: postgres.url('postgres') });
  server = await startMcpServer(async (sql) => (await direct.query<object>(sql)).rows);
  mkdirSync(join(dir, 'policies'));
  cpSync(TOOLS, join(dir, 'policies', 'tools'), { recursive: true });
  cpSync(join(root, 'policies', 'postgres'), join(dir, 'policies', 'postgres'), { recursive: true });
  writeFileSync(
    join(dir, 'data.yaml'),
    'guardrails: { read_write: [support] }\npersonal_data: { tags: [pii] }\ncatalog: { columns: { public.customers.ssn: { tags: [pii] } } }\n',
  );
  writeFileSync(join(dir, 'password'), postgres.password, { mode: 0o600 });
  const upstream = { host: postgres.host, port: postgres.port, databases: ['postgres'], tls: { mode: 'off' } };
  const credential = { user: postgres.user, password: { file: join(dir, 'password') } };
  shop = await startMcpShop({
    server: server.url,
    mcp: { arguments: { run_sql: { '$.sql': { as: 'sql', target: 'shop' } } } },
    targets: { shop: { protocol: 'postgresql', listen: '127.0.0.1:0', env: 'test', credential, upstream } },
    policies: { dir: join(dir, 'policies'), data: [join(dir, 'data.yaml')] },
  });
  alice = await shop.token('alice');
  // the catalog of a database is read with its first session
  const [host, port] = (shop.gateway.ready.targets['shop']?.address ?? '').split(':');
  const client = new pg.Client({ host: host ?? '', port: Number(port), user: 'alice', password: alice, database: 'postgres' });
  await client.connect();
  await client.query('SELECT id FROM customers');
  await client.end();
});
afterAll(async () => {
  await shop?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await direct?.end();
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  server.ran.length = 0;
});

const run = (sql: string): Promise<RawAnswer> => shop.call(alice, 'run_sql', { sql });
// policies beside the target know no other target
const judged = shapeAsked() !== 'apart-local';

test.runIf(judged).each([
  ['by its name', 'SELECT id, ssn FROM customers'],
  ['by another name', 'SELECT id, ssn AS note FROM customers'],
  ['as a part of something', "SELECT 'x' || ssn AS note FROM customers"],
  ['as a whole row', 'SELECT row_to_json(c) AS note FROM customers c'],
  ['in a question about it', `SELECT count(*) AS n FROM customers WHERE ssn = '${SSN}'`],
  ['in another spelling', 'SELECT "ssn"::text AS note FROM public.customers'],
])('a masked column is masked %s, before the server reads it', async (_how, sql) => {
  const answer = await run(sql);
  expect(answer.body.result, answer.text.slice(0, 300)).toBeDefined();
  expect(answer.text).not.toContain(SSN);
  const ran = JSON.stringify(server.ran[0]?.args);
  expect(ran).toContain(`CAST('***' AS pg_catalog.text) AS \\"ssn\\"`);
  if (sql.includes('count(*)')) expect(answer.body.result?.['structuredContent']).toEqual({ rows: [{ n: '0' }] });
});

test.runIf(judged)('what is recorded as leaving is what left; and what reads nothing masked leaves as it came', async () => {
  await run('SELECT ssn FROM customers');
  const [masked] = server.ran.splice(0);
  const cleared = (await shop.events()).findLast((event) => event.type === 'statement.cleared');
  expect(cleared?.obligations.length).toBe(1);
  expect(masked?.args).not.toEqual({ sql: 'SELECT ssn FROM customers' });
  await run('SELECT id FROM orders');
  expect(server.ran).toEqual([{ tool: 'run_sql', args: { sql: 'SELECT id FROM orders' } }]);
});

test('what the database’s own policies deny never reaches the tool', async () => {
  for (const sql of [
    'DROP TABLE customers',
    'SELECT 1; DROP TABLE customers',
    "SELECT pg_read_file('/etc/passwd')",
    'SELEC 1',
    'SELECT ctid, ssn FROM customers',
  ])
    expect((await run(sql)).body.error?.data, sql).toBeDefined();
  expect(server.ran).toEqual([]);
});

// of one shape only: in the others it is no test that was skipped
if (!judged)
  test('where no other target is known, a statement is refused, with what to do', async () => {
    expect((await run('SELECT id FROM customers')).body.error).toMatchObject({ code: -31_403, data: { hint: expect.any(String) as string } });
    expect(server.ran).toEqual([]);
  });
