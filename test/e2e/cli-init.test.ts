/** Issue 3, "What a user can do" 3: `init` in an empty folder, then `up` governs the user's own database with it. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Config } from '#schemas/config';
import { freePort, startPostgres, type PostgresServer } from '#test/support/postgres';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const cli = join(root, 'engine', 'cli', 'main.ts');

let server: PostgresServer;
let dir: string;
beforeAll(async () => {
  server = await startPostgres({ major: 17 });
  await server.query('CREATE TABLE notes (id int PRIMARY KEY, body text)');
  await server.query("INSERT INTO notes VALUES (1, 'hello')");
  dir = join(mkdtempSync(join(tmpdir(), 'interlock-init-')), 'gateway');
});
afterAll(async () => {
  await server.stop();
  rmSync(join(dir, '..'), { recursive: true, force: true });
});

async function interlock(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const options = { cwd: existsSync(dir) ? dir : '/', env: { ...process.env, SHOP_URL: server.url() } };
  try {
    return { code: 0, ...(await run(process.execPath, [cli, ...args], options)) };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

test('writes a configuration with its schema, policies with tests, a data document and a pipeline', async () => {
  const { code, stdout, stderr } = await interlock('init', dir);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('interlock up');
  expect(readdirSync(dir).sort()).toEqual(['.github', '.gitignore', 'ci', 'data.yaml', 'interlock.schema.json', 'interlock.yaml', 'policies']);
  expect(readFileSync(join(dir, 'interlock.yaml'), 'utf8').split('\n')[0]).toBe('# yaml-language-server: $schema=./interlock.schema.json');
  expect(JSON.parse(readFileSync(join(dir, 'interlock.schema.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(Config)));
  const files = readdirSync(join(dir, 'policies'), { recursive: true, encoding: 'utf8' });
  expect(files.some((file) => file.endsWith('_test.rego'))).toBe(true);
});

test('overwrites nothing', async () => {
  const { code, stderr } = await interlock('init', dir);
  expect(code).toBe(2);
  expect(stderr).toContain(`${join(dir, 'interlock.yaml')}`);
  expect(stderr).toContain('already there; nothing was written');
});

test('the pipeline’s own script passes on what was written', async () => {
  const workflow = parse(readFileSync(join(dir, '.github', 'workflows', 'policies.yml'), 'utf8')) as {
    jobs: { check: { steps: readonly { run?: string }[] } };
  };
  const command = workflow.jobs.check.steps.find((step) => step.run !== undefined)?.run ?? '';
  const bin = join(dir, '..', 'interlock');
  writeFileSync(bin, `#!/bin/sh\nexec ${process.execPath} ${cli} "$@"\n`, { mode: 0o755 });
  const { stdout } = await run('sh', ['-c', command], { cwd: dir, env: { ...process.env, INTERLOCK: bin } });
  expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed$/m);
  expect(existsSync(join(dir, 'build', 'policies.tar.gz'))).toBe(true);
});

test('with SHOP_URL alone, `up` governs the database: read, held in production, refused', async () => {
  const file = join(dir, 'interlock.yaml');
  const [api, listen] = [await freePort(), await freePort()];
  const config = readFileSync(file, 'utf8')
    .replace('127.0.0.1:8400', `127.0.0.1:${api}`)
    .replace('127.0.0.1:6432', `127.0.0.1:${listen}`)
    .replace('wait: 5m', 'wait: 1s');
  writeFileSync(file, config); // other gateways may run on this machine
  const gateway = spawn(process.execPath, [cli, 'up'], {
    cwd: dir,
    env: { ...process.env, SHOP_URL: server.url() },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    await accepting(gateway);
    const { stdout: token } = await interlock('token', '--login', 'you', '--group', 'developers');
    writeFileSync(join(dir, 'you.token'), token, { mode: 0o600 });
    const where = JSON.parse((await interlock('connect', 'shop', '--token-file', 'you.token', '--json')).stdout) as { url: string };
    const client = new pg.Client({ connectionString: where.url.replace('you@', `you:${token.trim()}@`) });
    await client.connect();
    expect((await client.query('SELECT body FROM notes')).rows).toEqual([{ body: 'hello' }]);
    await expect(client.query('DROP TABLE notes')).rejects.toMatchObject({ code: '42501' });
    await expect(client.query("UPDATE notes SET body = 'x' WHERE id = 1")).rejects.toMatchObject({ code: 'IL001' });
    await client.end();
    expect((await server.query('SELECT body FROM notes')).rows).toEqual([{ body: 'hello' }]);
    const { code, stdout } = await interlock('audit', 'verify', '--dir', '.interlock/journal', '--key', '.interlock/keys/checkpoint.pub');
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^verified: /) as string });
  } finally {
    gateway.kill('SIGTERM');
    if (gateway.exitCode === null) await once(gateway, 'exit');
  }
  expect(gateway.exitCode).toBe(0);
});

async function accepting(gateway: ChildProcess): Promise<void> {
  let log = '';
  gateway.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = once(gateway, 'exit').then(() => {
    throw new Error(`interlock up ended:\n${log}`);
  });
  await Promise.race([once(createInterface({ input: gateway.stdout as NodeJS.ReadableStream }), 'line'), ended]);
  ended.catch(() => {});
}
