/** Issue 5, "What a user can do" 2: the package runs in an empty folder, with Node and nothing else. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPolicies } from '#engine/decide/bundle';
import { opaProgram } from '#test/support/decide';
import { installPackage, type Installed } from '#test/support/installed';
import { freePort, startPostgres, type PostgresServer } from '#test/support/postgres';
import { packageTarball } from '#tools/package';
import { contents } from '#tools/package/contents';
import { tarball } from '#tools/package/tar';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

let installed: Installed;
let dir: string;
beforeAll(async () => {
  installed = await installPackage();
  dir = join(installed.dir, 'gateway');
  expect(await installed.interlock(['init', 'gateway'])).toMatchObject({ code: 0, stderr: '' });
});
afterAll(() => installed[Symbol.dispose]());

describe('the tarball', () => {
  test('is the same for the same tree, and names no place of the machine that packed it', async () => {
    const files = await contents(() => {});
    const again = tarball(new Map([...files].reverse().map(([path, file]) => [`package/${path}`, file])));
    expect(again.equals(readFileSync(await packageTarball()))).toBe(true);
    const home = Buffer.from(root);
    for (const [path, { bytes }] of files) {
      const plain = path.endsWith('.gz') ? gunzipSync(bytes) : Buffer.from(bytes);
      expect(plain.includes(home), path).toBe(false);
    }
  });

  test('holds no TypeScript, no link, and the terms of whatever it brings along', () => {
    const base = join(installed.dir, 'node_modules', 'interlock-gateway');
    const { dependencies, bundleDependencies } = JSON.parse(readFileSync(join(base, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
      bundleDependencies: string[];
    };
    expect(bundleDependencies).toEqual(Object.keys(dependencies));
    const notice = readFileSync(join(base, 'NOTICE'), 'utf8');
    for (const name of bundleDependencies) {
      const { name: own, version } = JSON.parse(readFileSync(join(base, 'node_modules', name, 'package.json'), 'utf8')) as Record<string, string>;
      expect(notice).toContain(`\n${own} ${version} (`);
    }
    expect(notice).toContain('github.com/open-policy-agent/opa v1.22.2');
    expect(existsSync(join(base, 'dist', 'engine', 'cli', 'main.ts'))).toBe(false);
    expect(lstatSync(installed.command).isSymbolicLink()).toBe(true); // npm's own
  });
});

describe('installed, with neither Go nor opa in PATH', () => {
  test('says its version, and what an older Node lacks', async () => {
    for (const folder of installed.path.split(delimiter)) for (const tool of ['go', 'opa', 'npm']) expect(existsSync(join(folder, tool))).toBe(false);
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(await installed.interlock(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    const older = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' }); await import(${JSON.stringify(installed.command)})`;
    const refused = await run(process.execPath, ['--input-type=module', '-e', older]).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 70, stderr: 'interlock: needs Node >= 24.12; this is 20.20.2\n' });
  });

  test('builds and tests the policies that `init` wrote, as in a checkout', async () => {
    const built = await installed.interlock(['policy', 'build', 'policies', '--data', 'data.yaml', '-o', 'bundle.tar.gz', '--json'], { cwd: dir });
    expect(built).toMatchObject({ code: 0, stderr: '' });
    const { revision } = JSON.parse(built.stdout) as { revision: string };
    expect(revision).toBe((await buildPolicies(join(dir, 'policies'), { data: [join(dir, 'data.yaml')], opa: opaProgram })).revision);
    const tested = await installed.interlock(['policy', 'test', 'policies', '--data', 'data.yaml'], { cwd: dir });
    expect(tested).toEqual({ code: 0, stdout: expect.stringMatching(/^[1-9]\d+ passed, 0 failed\n$/), stderr: '' });
  });

  test('a policy test that fails, and a policy that does not compile, are said as in a checkout', async () => {
    const broken = mkdtempSync(join(tmpdir(), 'interlock-broken-'));
    try {
      writeFileSync(join(broken, 'a.rego'), 'package policies.a.main\n\nallow contains {"code": "X", "reason": http.send({}).body}\n');
      const refused = await installed.interlock(['policy', 'build', broken, '-o', join(broken, 'out')]);
      expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('a.rego:3: builtin http.send is not supported') });
      writeFileSync(join(broken, 'a.rego'), 'package policies.a.main\n\nallow contains {"code": "X", "reason": "x"}\n');
      writeFileSync(join(broken, 'a_test.rego'), 'package policies.a.main_test\n\ntest_wrong if false\n');
      expect(await installed.interlock(['policy', 'test', broken])).toMatchObject({
        code: 1,
        stdout: expect.stringContaining('FAILED a_test.rego: test_wrong'),
      });
    } finally {
      rmSync(broken, { recursive: true });
    }
  });

  test('up governs a database: allowed, in a worker too; denied; console; drained; the record verified', async () => {
    await using server = await startPostgres({ major: 17 });
    await server.query('CREATE TABLE notes (id int PRIMARY KEY, body text)');
    await server.query("INSERT INTO notes VALUES (1, 'hello')");
    await governs(server);
  });
});

async function governs(server: PostgresServer): Promise<void> {
  const [api, listen] = [await freePort(), await freePort()];
  const file = join(dir, 'interlock.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('127.0.0.1:8400', `127.0.0.1:${api}`).replace('127.0.0.1:6432', `127.0.0.1:${listen}`));
  const env = { HOME: installed.dir, PATH: installed.path, SHOP_URL: server.url() };
  const gateway = spawn(installed.command, ['up'], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    await accepting(gateway);
    const token = (await installed.interlock(['token', '--login', 'you', '--group', 'developers'], { cwd: dir, env })).stdout.trim();
    await using client = Object.assign(new pg.Client(`postgresql://you:${token}@127.0.0.1:${listen}/postgres`), {
      [Symbol.asyncDispose]: (): Promise<void> => client.end(),
    });
    await client.connect();
    expect((await client.query('SELECT body FROM notes')).rows).toEqual([{ body: 'hello' }]);
    const long = `SELECT body /* ${'x'.repeat(6_000)} */ FROM notes`; // longer than the enforcing thread parses
    expect((await client.query(long)).rows).toEqual([{ body: 'hello' }]);
    await expect(client.query('DROP TABLE notes')).rejects.toMatchObject({ code: '42501' });
    const page = await fetch(`http://127.0.0.1:${api}/`);
    expect(await page.text()).toContain('<div id="console">');
  } finally {
    gateway.kill('SIGTERM');
    if (gateway.exitCode === null) await once(gateway, 'exit');
  }
  expect(gateway.exitCode).toBe(0);
  const verified = await installed.interlock(['audit', 'verify', '--dir', '.interlock/journal', '--key', '.interlock/keys/checkpoint.pub'], {
    cwd: dir,
  });
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/^verified: /) });
}

async function accepting(gateway: ChildProcess): Promise<void> {
  let log = '';
  gateway.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = once(gateway, 'exit').then(() => {
    throw new Error(`interlock up ended:\n${log}`);
  });
  await Promise.race([once(createInterface({ input: gateway.stdout as NodeJS.ReadableStream }), 'line'), ended]);
  ended.catch(() => {});
}
