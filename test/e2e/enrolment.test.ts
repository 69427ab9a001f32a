/** Enrolment by the commands alone, over restarts (E6, issue 5): `enforce --join`, what an engine forgets in a crash (nothing), and who may say who is an enforcer. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gatewayConfig } from '#test/support/gateway';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { cli, root, startProcess, type Running } from '#test/support/processes';
import { engineHalf, enforcerHalf, freePort } from '#test/support/shapes';

const run = promisify(execFile);
let server: PostgresServer;
let dir: string;
let engineFile: string;
let enforcerFile: string;
let admin: string;
let engine: Running;
let enforcer: Running | undefined;

beforeAll(async () => {
  server = await startPostgres({ major: 15 });
  dir = mkdtempSync(join(tmpdir(), 'interlock-enrolment-'));
  const { host, port, user, password } = server;
  const policies = { dir: join(root, 'test', 'policies', 'allow-all') };
  const whole = gatewayConfig({ upstream: { host, port, user, password, database: 'postgres' }, policies }, dir) as Record<string, unknown>;
  const channel = `127.0.0.1:${await freePort()}`;
  engineFile = join(dir, 'engine.yaml');
  enforcerFile = join(dir, 'enforcer.yaml');
  writeFileSync(engineFile, JSON.stringify(engineHalf({ ...whole, api: { listen: '127.0.0.1:0', admins: ['admins'] } }, channel)));
  writeFileSync(enforcerFile, JSON.stringify(enforcerHalf(whole, 'shop', { engines: [channel], dir: join(dir, 'shop'), judging: 'local' })));
  engine = await startProcess(['engine', '-c', engineFile]);
  admin = await tokenFile('root', 'admins', 'approve');
});
afterAll(async () => {
  await enforcer?.end('SIGKILL');
  await engine?.end('SIGKILL');
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('only an administrator with a token that may decide adds an enforcer: exit 5', async () => {
  for (const other of [await tokenFile('carol', 'support', 'approve'), await tokenFile('root', 'admins', 'connect')])
    expect(await interlock(engineFile, 'enforcer', 'add', 'shop-1', '--target', 'shop', '--token-file', other)).toMatchObject({ code: 5 });
  expect((await interlock(engineFile, 'enforcer', 'list', '--token-file', admin)).out).toBe('no enforcers');
});

test('--join joins where nobody has, and is passed over afterwards; the code is in no file, the key in one that its owner alone reads', async () => {
  const { out: code } = await interlock(engineFile, 'enforcer', 'add', 'shop-1', '--target', 'shop', '--token-file', admin);
  expect(code).toMatch(/^ilj1\.shop-1\.[\w-]{32}\.[\w-]{43}$/);
  enforcer = await startProcess(['enforce', 'shop', '-c', enforcerFile, '--join', code]);
  await enforcer.end('SIGTERM');
  enforcer = await startProcess(['enforce', 'shop', '-c', enforcerFile, '--join', code]);
  const identity = join(dir, 'shop', 'identity', 'identity.pem');
  expect(statSync(identity).mode & 0o777).toBe(0o600);
  const secret = code.split('.')[2] as string;
  for (const file of [identity, engineFile, enforcerFile]) expect(readFileSync(file, 'latin1')).not.toContain(secret);
  const { stdout } = await run('grep', ['-rlF', '--', secret, dir]).catch(() => ({ stdout: '' }));
  expect(stdout).toBe('');
  expect(JSON.parse((await interlock(engineFile, 'enforcer', 'show', 'shop-1', '--json', '--token-file', admin)).out)).toMatchObject({
    state: 'joined',
    targets: ['shop'],
    by: 'root',
  });
});

test('an engine that was killed knows its enforcers again; one that is removed stays out after another kill', async () => {
  await engine.end('SIGKILL');
  engine = await startProcess(['engine', '-c', engineFile]);
  const connected = async (): Promise<unknown> => {
    const { out } = await interlock(engineFile, 'status', '--json', '--token-file', admin);
    return (JSON.parse(out) as { enforcers: { enforcer: string; channel: { connected: boolean } | null }[] }).enforcers[0]?.channel?.connected;
  };
  await expect.poll(connected, { timeout: 10_000 }).toBe(true);
  expect((await interlock(engineFile, 'enforcer', 'remove', 'shop-1', '--token-file', admin)).code).toBe(0);
  await engine.end('SIGKILL');
  engine = await startProcess(['engine', '-c', engineFile]);
  expect((await interlock(engineFile, 'enforcer', 'show', 'shop-1', '--token-file', admin)).out).toContain('shop-1: removed');
  await expect.poll(() => engine.log(), { timeout: 10_000 }).toContain('shop-1 was removed'); // it tried
});

async function tokenFile(login: string, group: string, scope: string): Promise<string> {
  const file = join(dir, `${login}-${group}-${scope}.token`);
  writeFileSync(file, (await interlock(engineFile, 'token', '--login', login, '--group', group, '--scope', scope)).out);
  return file;
}

async function interlock(file: string, ...args: readonly string[]): Promise<{ readonly code: number; readonly out: string }> {
  try {
    return { code: 0, out: (await run(process.execPath, [cli, ...args, '-c', file])).stdout.trim() };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: `${stdout}${stderr}` };
  }
}
