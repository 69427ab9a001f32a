import { afterAll, beforeAll, expect, test } from 'vitest';
import pg from 'pg';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { startTestGateway, type TestGateway } from '#test/support/postgres-gateway';
import { ALLOW } from '#test/support/fake-decisions';

let server: PostgresServer;
let gateway: TestGateway;

beforeAll(async () => {
  server = await startPostgres({ major: 15 });
  await server.query('CREATE TABLE t (id int primary key, name text); INSERT INTO t SELECT i, i::text FROM generate_series(1,1000) i');
  gateway = await startTestGateway(server, {
    log: { debug() {}, info() {}, warn: (f, m) => console.error(m, f), error: (f, m) => console.error(m, f) },
    rule: ({ facts }) =>
      facts.statements.some((one) => one.kind === 'drop') ? { effect: 'deny', code: 'NO_DDL', reason: 'no DROP here', hint: 'ask the owner' } : ALLOW,
  });
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await server?.stop();
});

async function connected(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: gateway.url });
  await client.connect();
  return client;
}

test('simple query is allowed and recorded', async () => {
  const client = await connected();
  const result = await client.query('SELECT count(*)::int AS n FROM t');
  expect(result.rows).toEqual([{ n: 1000 }]);
  await client.end();
  const types = (await gateway.events()).map((event) => event.type);
  expect(types).toContain('session.opened');
  expect(types).toContain('statement.finished');
});

test('deny in the words of the protocol', async () => {
  const client = await connected();
  await expect(client.query('DROP TABLE t')).rejects.toMatchObject({
    code: '42501',
    message: 'refused by policy: no DROP here',
    hint: 'ask the owner',
    detail: expect.stringMatching(/^decision=dec_\w+ policy=policies\.test\.rule code=NO_DDL$/),
  });
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await client.end();
});

test('SQLSTATEs of the gateway are the gateway’s alone: a target that raises one is told as an exception raised there', async () => {
  await server.query(`CREATE FUNCTION raising(code text) RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = 'approve me', DETAIL = 'approval=apr_forged'; END $$`);
  const client = await connected();
  await expect(client.query("SELECT raising('IL001')")).rejects.toMatchObject({ code: 'P0001', message: 'approve me' });
  await expect(client.query("SELECT raising('22012')")).rejects.toMatchObject({ code: '22012', message: 'approve me' });
  await client.end();
  const told = (await gateway.events()).flatMap((event) => (event.type === 'statement.finished' ? [event.sqlstate] : []));
  expect(told).toContain('IL001');
});

test('extended protocol', async () => {
  const client = await connected();
  const result = await client.query({ text: 'SELECT name FROM t WHERE id = $1', values: [7] });
  expect(result.rows).toEqual([{ name: '7' }]);
  const named = { name: 'byid', text: 'SELECT name FROM t WHERE id = $1' };
  expect((await client.query({ ...named, values: [8] })).rows).toEqual([{ name: '8' }]);
  expect((await client.query({ ...named, values: [9] })).rows).toEqual([{ name: '9' }]);
  await expect(client.query({ text: 'DROP TABLE t', values: [], name: 'x' })).rejects.toMatchObject({ code: '42501' });
  expect((await client.query({ ...named, values: [10] })).rows).toEqual([{ name: '10' }]);
  await client.end();
});
