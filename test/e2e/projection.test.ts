/** A real run, and what is found of it afterwards: by command, by page, by whoever may (N6); and the same again after a rebuild and a kill. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ApprovalView } from '#schemas/approval';
import type { SessionDetail, SessionPage, StatementItem, StatementPage } from '#schemas/review';
import { startGateway, type Gateway, type GatewayOptions, type TokenOptions } from '#test/support/gateway';
import type { PostgresServer } from '#test/support/postgres';
import { production, startPayments } from '#test/support/production';
import { caughtUp, contents } from '#test/support/projection';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const alice: TokenOptions = { login: 'alice', groups: ['support'] };
const robot: TokenOptions = { login: 'robot', groups: ['support'], type: 'agent', for: 'alice' };
const carol: TokenOptions = { login: 'carol', groups: ['support'] };
const bob: TokenOptions = { login: 'bob', groups: ['owners'], scope: 'approve' };

let dir: string;
let server: PostgresServer;
let options: GatewayOptions;
let gateway: Gateway;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-projected-'));
  server = await startPayments();
  options = { ...production(server, dir, { config: { approvals: { wait: '1m' } } }), dir };
  gateway = await startGateway(options);
  for (const [who, statements] of RUNS) await run(who, statements);
  await held("DELETE FROM payments WHERE id = 2 AND status = 'new'");
});
afterAll(async () => {
  await gateway?.stop();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const RUNS: readonly (readonly [TokenOptions, readonly string[]])[] = [
  [alice, ['SELECT id FROM payments WHERE id = 1', 'SELECT count(*) FROM payments', 'DELETE FROM payments', 'SELECT no_such_column FROM payments']],
  [carol, ["SELECT 'carols_word' AS word", 'DROP TABLE payments']],
  [robot, ['SELECT status FROM payments WHERE id = 3']],
];

async function connect(who: TokenOptions): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: await gateway.url(who) });
  await client.connect();
  return client;
}

async function run(who: TokenOptions, statements: readonly string[]): Promise<void> {
  const client = await connect(who);
  for (const sql of statements) await client.query(sql).catch(() => null); // some are refused
  await client.query({ name: 'by_id', text: 'SELECT id FROM payments WHERE id = $1', values: [1] });
  await client.end();
}

async function held(sql: string): Promise<void> {
  const client = await connect(alice);
  const running = client.query(sql);
  const token = await tokenOf(bob);
  let waiting: ApprovalView | undefined;
  while (waiting === undefined) [waiting] = await get<ApprovalView[]>('/v1/approvals?state=open', token);
  const verdict = JSON.stringify({ outcome: 'approve', comment: 'as agreed', seen: waiting.payload_digest });
  const url = `${gateway.ready.api}/v1/approvals/${waiting.approval_id}/verdict`;
  const answer = await fetch(url, {
    method: 'POST',
    body: verdict,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  expect([answer.status, await answer.clone().text()]).toEqual([200, expect.anything()]);
  await running;
  await client.end();
}

const tokens = new Map<string, Promise<string>>();
function tokenOf(who: TokenOptions): Promise<string> {
  const made = tokens.get(who.login) ?? gateway.token(who);
  tokens.set(who.login, made);
  return made;
}

async function get<T>(path: string, token: string): Promise<T> {
  const answer = await fetch(`${gateway.ready.api}${path}`, { headers: { authorization: `Bearer ${token}` } });
  const document = (await answer.json()) as T;
  expect([path, answer.status, document]).toEqual([path, 200, document]);
  return document;
}

/** Waits until everything that was asked so far can be found. */
async function current(): Promise<void> {
  const token = await tokenOf(bob);
  for (let behind = 1; behind > 0; await wait(20)) {
    const { projection } = await get<{ projection: { state: string; behind: number } }>('/v1/status', token);
    behind = projection.state === 'following' ? projection.behind : 1;
  }
}

test('who deleted rows from payments, and under whose approval', async () => {
  await current();
  const found = await get<StatementPage>('/v1/search?object=payments&verb=delete&outcome=ok', await tokenOf(bob));
  expect(found.items).toMatchObject([
    {
      login: 'alice',
      target: 'shop',
      rows: 1,
      touched: expect.arrayContaining(['DELETE public.payments']),
      approval_id: expect.stringMatching(/^apr_/),
    },
  ]);
  const [first] = found.items;
  expect(first?.text).toBe("DELETE FROM payments WHERE id = 2 AND status = 'new'");
});

test('every statement of the run is there, with how it ended; what was prepared says so', async () => {
  await current();
  const { items } = await get<StatementPage>('/v1/search?limit=200', await tokenOf(bob));
  const told = (text: string): StatementItem | undefined => items.find((item) => item.text === text);
  expect(told('SELECT id FROM payments WHERE id = 1')).toMatchObject({ outcome: 'ok', effect: 'allow', rows: 1 });
  expect(told('DELETE FROM payments')).toMatchObject({ outcome: 'refused', effect: 'deny' });
  expect(told('SELECT no_such_column FROM payments')).toMatchObject({ outcome: 'error', sqlstate: '42703' });
  const byId = items.filter((item) => item.text === 'SELECT id FROM payments WHERE id = $1').map(({ action, outcome }) => `${action} ${outcome}`);
  expect(new Set(byId)).toEqual(new Set(['sql.prepare prepared', 'sql.execute ok']));
});

test('N6: one’s own and what acts on one’s behalf, and nothing of another’s', async () => {
  await current();
  const own = await get<StatementPage>('/v1/search?limit=200', await tokenOf(alice));
  expect(new Set(own.items.map(({ login }) => login))).toEqual(new Set(['alice', 'robot']));
  const others = await get<StatementPage>('/v1/search?q=carols_word', await tokenOf(alice));
  expect(others).toEqual({ items: [], next: null, total: 0 });
  const sessions = await get<SessionPage>('/v1/sessions/page', await tokenOf(carol));
  expect(sessions.items.map(({ login }) => login)).toEqual(['carol']);
  const [session] = sessions.items;
  const detail = await get<SessionDetail>(`/v1/sessions/${session?.session_id}/page`, await tokenOf(carol));
  expect(detail.statements.items.map(({ text }) => text).slice(0, 2)).toEqual(["SELECT 'carols_word' AS word", 'DROP TABLE payments']);
  const refused = await fetch(`${gateway.ready.api}/v1/sessions/${session?.session_id}/page`, {
    headers: { authorization: `Bearer ${await tokenOf(alice)}` },
  });
  expect(refused.status).toBe(404);
});

test('interlock audit search: a table for people, one statement a line for programs', async () => {
  await current();
  const tokenFile = join(dir, 'bob.token');
  writeFileSync(tokenFile, await tokenOf(bob), { mode: 0o600 });
  const asked = ['audit', 'search', '--object', 'payments', '--verb', 'delete', '--since', '1h', '--token-file', tokenFile];
  const table = await gateway.interlock(...asked);
  expect(table).toMatchObject({ code: 0, stderr: '' });
  expect(table.stdout).toContain("DELETE FROM payments WHERE id = 2 AND status = 'new'");
  const lines = await gateway.interlock(...asked, '--effect', 'deny', '--json');
  const items = lines.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as StatementItem);
  expect(items).toMatchObject([{ text: 'DELETE FROM payments', outcome: 'refused', login: 'alice' }]);
  expect(await gateway.interlock(...asked, '--who', 'nobody')).toMatchObject({ code: 0, stdout: 'no statements\n' });
});

test('interlock projection: a running gateway makes it anew when asked; the same rows are there', async () => {
  await current();
  const before = await get<StatementPage>('/v1/search?limit=200', await tokenOf(bob));
  const rebuilt = await gateway.interlock('projection', 'rebuild', '--json');
  expect(rebuilt.code).toBe(0);
  expect(JSON.parse(rebuilt.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({ percent: 100, done: true });
  await current();
  expect(await get<StatementPage>('/v1/search?limit=200', await tokenOf(bob))).toEqual(before);
  const status = await gateway.interlock('projection', 'status', '--json');
  expect(JSON.parse(status.stdout)).toMatchObject({ written: true, sessions: 4 });
});

test('after kill -9 it goes on; what it holds of a real run is what a rebuild makes of it', async () => {
  await current();
  const { process: child } = gateway;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  gateway = await startGateway(options);
  tokens.clear();
  await run(alice, ['SELECT status FROM payments WHERE id = 3']);
  await current();
  await gateway.stop();
  const live = join(dir, 'state', 'projection.sqlite');
  expect(await caughtUp(live, join(dir, 'journal'))).toBeNull();
  const again = join(dir, 'again.sqlite');
  await caughtUp(again, join(dir, 'journal'), 'asked');
  expect(contents(live)).toEqual(contents(again));
});
