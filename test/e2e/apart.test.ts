/** What an administrator does, by the commands alone: an engine, a code, an enforcer that joins; both are well; a session is ended; the enforcer is removed. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EnforcerReport } from '#schemas/enforcer-report';
import { gatewayConfig } from '#test/support/gateway';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { cli, root, startProcess, type Running } from '#test/support/processes';
import { engineHalf, enforcerHalf, freePort } from '#test/support/shapes';

const run = promisify(execFile);
let server: PostgresServer;
let dir: string;
let engineFile: string;
let enforcerFile: string;
let engine: Running;
let enforcer: Running;
let clientToken: string;

beforeAll(async () => {
  server = await startPostgres({ major: 15 });
  await server.query('CREATE DATABASE shop');
  dir = mkdtempSync(join(tmpdir(), 'interlock-apart-'));
  const { host, port, user, password } = server;
  const policies = { dir: join(root, 'test', 'policies', 'allow-all') };
  const whole = gatewayConfig({ upstream: { host, port, user, password, database: 'shop' }, policies }, dir) as Record<string, unknown>;
  const channel = `127.0.0.1:${await freePort()}`;
  engineFile = join(dir, 'engine.yaml');
  enforcerFile = join(dir, 'enforcer.yaml');
  const half = engineHalf({ ...whole, api: { listen: '127.0.0.1:0', admins: ['admins'] } }, channel);
  writeFileSync(engineFile, JSON.stringify(half));
  writeFileSync(enforcerFile, JSON.stringify(enforcerHalf(whole, 'shop', { engines: [channel], dir: join(dir, 'shop'), judging: 'local' })));
});
afterAll(async () => {
  await enforcer?.end('SIGKILL');
  await engine?.end('SIGKILL');
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function interlock(file: string, ...args: readonly string[]): Promise<{ readonly code: number; readonly out: string }> {
  try {
    return { code: 0, out: (await run(process.execPath, [cli, ...args, '-c', file])).stdout.trim() };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: `${stdout}${stderr}` };
  }
}

async function token(login: string, group: string, scope: string): Promise<string> {
  return (await interlock(engineFile, 'token', '--login', login, '--group', group, '--scope', scope)).out;
}

async function reports(admin: string): Promise<readonly EnforcerReport[]> {
  return (JSON.parse((await interlock(engineFile, 'status', '--json', '--token-file', admin)).out) as { enforcers: EnforcerReport[] }).enforcers;
}

test('an enforcer cannot start before it has joined: exit 3, and what to do', async () => {
  const { code, out } = await interlock(enforcerFile, 'enforce', 'shop');
  expect({ code, out }).toMatchObject({ code: 3, out: expect.stringContaining('no enforcer has joined here') });
});

test('joined with a code, both are well, and say so', async () => {
  engine = await startProcess(['engine', '-c', engineFile]);
  expect(engine.ready).toMatchObject({ targets: {}, channel: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
  const admin = join(dir, 'admin.token');
  writeFileSync(admin, await token('root', 'admins', 'approve'));
  const { out: code } = await interlock(engineFile, 'enforcer', 'add', 'shop-1', '--target', 'shop', '--token-file', admin);
  const joined = await interlock(enforcerFile, 'enforcer', 'join', code);
  expect(joined, joined.out).toMatchObject({ code: 0 });
  enforcer = await startProcess(['enforce', 'shop', '-c', enforcerFile]);
  clientToken = await token('alice', 'app', 'connect');
  expect(enforcer.ready).toMatchObject({ revision: engine.ready.revision, targets: { shop: { protocol: 'postgresql' } } });
  await expect.poll(async () => (await reports(admin))[0]?.health, { timeout: 10_000 }).toBe('ok');
  expect(await reports(admin)).toMatchObject([
    { enforcer: 'shop-1', target: 'shop', home: 'apart', judging: 'local', revision: engine.ready.revision },
  ]);
  expect((await interlock(engineFile, 'status', '--token-file', admin)).code).toBe(0);
});

test('an administrator ends a session at the enforcer; nobody else does', async () => {
  const client = await connect();
  const admin = join(dir, 'admin.token');
  const mine = join(dir, 'alice.token');
  writeFileSync(mine, await token('alice', 'app', 'approve'));
  const [session] = (await openSessions(admin)) as [string];
  expect((await interlock(engineFile, 'sessions', 'end', session, '--token-file', mine)).code).toBe(5);
  const ended = new Promise<Error>((resolve) => client.once('error', resolve));
  expect(await interlock(engineFile, 'sessions', 'end', session, '--token-file', admin)).toEqual({ code: 0, out: `${session} is ended` });
  expect((await ended).message).toContain('terminated by an administrator');
  expect((await interlock(engineFile, 'sessions', 'end', session, '--token-file', admin)).out).toContain('SESSION_NOT_FOUND');
});

test('removed: cut off within a second, and its clients come in no more', async () => {
  const admin = join(dir, 'admin.token');
  const client = await connect();
  await interlock(engineFile, 'enforcer', 'remove', 'shop-1', '--token-file', admin);
  const refused = async (): Promise<string> => {
    try {
      await (await connect()).end();
      return 'let in';
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  };
  await expect.poll(refused, { timeout: 1_000, interval: 20 }).toBe('58000');
  await client.end().catch(() => {});
});

async function connect(): Promise<pg.Client> {
  const [host = '', port = ''] = (enforcer.ready.targets['shop']?.address ?? '').split(':');
  const client = new pg.Client({ host, port: Number(port), user: 'alice', password: clientToken, database: 'shop' });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Of the enforcer's own journal: no archive is set up here. */
async function openSessions(admin: string): Promise<readonly string[]> {
  const { out } = await interlock(enforcerFile, 'sessions', 'list', '--dir', enforcer.ready.journal, '--json', '--token-file', admin);
  return out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { state: string; session_id: string })
    .filter(({ state }) => state === 'open')
    .map(({ session_id }) => session_id);
}
