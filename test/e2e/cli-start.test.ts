/** Every mistake at start is one readable message with file, line, key, what was found and what is allowed; exit 3, or 4 where the target cannot be reached. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { freePort, startPostgres, type PostgresServer } from '#test/support/postgres';

const root = join(import.meta.dirname, '..', '..');
const cli = join(root, 'engine', 'cli', 'main.ts');
const allowAll = join(root, 'test', 'policies', 'allow-all');

let server: PostgresServer;
let dir: string;
beforeAll(async () => void (server = await startPostgres({ major: 15 })));
afterAll(async () => await server.stop());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-start-'));
  return () => rmSync(dir, { recursive: true, force: true });
});

interface Parts {
  readonly [section: string]: object | undefined;
}

/** A configuration that would start, with sections replaced. */
function write(changes: Parts & { readonly target?: object } = {}): string {
  const { target, ...sections } = changes;
  writeFileSync(join(dir, 'password'), server.password, { mode: 0o600 });
  const config = {
    contract: 1,
    state: { dir: './state' },
    api: { listen: '127.0.0.1:0' },
    identity: { local: { enabled: true } },
    policies: { source: { dir: allowAll }, watch: false },
    targets: {
      shop: {
        protocol: 'postgresql',
        listen: '127.0.0.1:0',
        upstream: { host: '127.0.0.1', port: server.port, databases: ['postgres'], tls: { mode: 'off' } },
        credential: { user: 'postgres', password: { file: './password' } },
        ...target,
      },
    },
    log: { format: 'json' },
    ...sections,
  };
  const file = join(dir, 'interlock.yaml');
  writeFileSync(file, stringify(config));
  return file;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** Without the log. */
  readonly told: string;
  readonly stderr: string;
}

async function up(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(process.execPath, [cli, 'up', ...args], { cwd: dir, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.once('data', () => child.kill('SIGTERM')); // it started: the test says so
  const [code] = (await once(child, 'close')) as [number | null];
  const told = stderr
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('{'))
    .join('\n');
  return { code, stdout, stderr, told };
}

describe('mistakes at start', () => {
  test('none: it says where it listens, drains on SIGTERM, exit 0, and leaves no address behind', async () => {
    write();
    const ready = join(dir, 'ready.json');
    const { code, stdout, told } = await up(['--json', '--ready', ready]);
    expect({ code, told }).toEqual({ code: 0, told: '' });
    const line = JSON.parse(stdout.split('\n')[0] ?? '') as Record<string, unknown>;
    expect(line).toEqual({
      ready: true,
      pid: expect.any(Number) as number,
      version: '0.1.0',
      contract: 1,
      revision: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
      api: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
      targets: { shop: { protocol: 'postgresql', address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string, databases: ['postgres'] } },
      journal: join(dir, 'state', 'journal'),
      public_key: join(dir, 'state', 'keys', 'checkpoint.pub'),
    });
    expect(JSON.parse(readFileSync(ready, 'utf8'))).toEqual(line);
    expect(existsSync(join(dir, 'state', 'gateway.json'))).toBe(false);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('%s while its policies compile ends it, and their copy goes with it', async (signal) => {
    write();
    const copies = join(dir, 'tmp');
    mkdirSync(copies);
    const env = { ...process.env, TMPDIR: copies };
    const child = spawn(process.execPath, [cli, 'up'], { cwd: dir, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let told = '';
    child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
    const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    const copied = (): boolean => readdirSync(copies).some((name) => name.startsWith('interlock-policies-'));
    await expect.poll(() => copied() || child.exitCode !== null, { interval: 5, timeout: 10_000 }).toBe(true);
    expect(copied(), told).toBe(true);
    child.kill(signal);
    expect(await closed).toEqual([null, signal]);
    expect(readdirSync(copies)).toEqual([]);
  });

  test('what is weaker than the default is said (TLS off on loopback)', async () => {
    write();
    const { stderr } = await up();
    expect(stderr).toContain('targets.shop: TLS to the target is off, accepted because 127.0.0.1 is local');
    expect(stderr).toContain('targets.shop: TLS from clients is off, accepted because 127.0.0.1 is loopback');
  });

  test('a typo', async () => {
    write({ approvals: { wiat: '1m' } });
    expect(await up()).toMatchObject({
      code: 3,
      stdout: '',
      told: 'interlock: interlock.yaml:31:3: approvals.wiat: unknown key (did you mean `wait`?); allowed here: wait, expire, in_transaction, remember_denial, sources, notify (CONFIG_INVALID)',
    });
  });

  test('a secret in the file, which is not repeated', async () => {
    write({ target: { credential: { user: 'postgres', password: server.password } } });
    const { code, told, stderr } = await up();
    expect(code).toBe(3);
    expect(told).toContain(
      'targets.shop.credential.password: a secret stands here in clear; refer to it instead: `{ file: PATH }`, `{ env: NAME }` or `{ exec: [PROGRAM, …] }` (CONFIG_SECRET_INLINE)',
    );
    expect(stderr).not.toContain(server.password);
  });

  test('files and variables that are not there, all at once, each with its place', async () => {
    write({
      policies: { source: { dir: './policies' }, data: ['./data.yaml'] },
      target: { upstream: { url: { env: 'INTERLOCK_NOT_SET' } }, credential: undefined, tls: { cert: 'tls.crt', key: 'tls.key' } },
    });
    const { code, told } = await up();
    expect(code).toBe(3);
    for (const line of [
      `policies.source.dir: ${join(dir, 'policies')} does not exist`,
      `policies.data[0]: ${join(dir, 'data.yaml')} does not exist`,
      `targets.shop.tls.cert: ${join(dir, 'tls.crt')} does not exist`,
      'targets.shop.upstream.url: the environment variable INTERLOCK_NOT_SET is not set',
    ])
      expect(told).toMatch(new RegExp(`interlock\\.yaml:\\d+:\\d+ ${line.replace(/[.[\]]/g, '\\$&')}`));
  });

  test.each([
    ['not an address', 'the sekret', 'is not a postgresql:// address'],
    [
      'no check of who answers',
      'postgresql://u:sekret@db.example.com/shop?sslmode=require',
      'has sslmode=require, which does not check who answers; allowed: verify-full',
    ],
    ['TLS off towards elsewhere', 'postgresql://u:sekret@db.example.com/shop?sslmode=disable', 'would leave TLS off towards db.example.com'],
    ['no password', 'postgresql://sekret@127.0.0.1/shop', 'must name user and password'],
    ['a parameter that would be ignored', 'postgresql://u:sekret@127.0.0.1/shop?options=-crole%3Dx', 'has the parameter `options`'],
  ])('an address in the environment: %s', async (_name, url, says) => {
    write({ target: { upstream: { url: { env: 'SHOP_URL' } }, credential: undefined } });
    const { code, told, stderr } = await up([], { SHOP_URL: url });
    expect(code).toBe(3);
    expect(told).toMatch(/interlock\.yaml:\d+:\d+ targets\.shop\.upstream\.url \(environment variable SHOP_URL\): /);
    expect(told).toContain(says);
    expect(stderr).not.toContain('sekret');
  });

  test.each([
    ['api.listen', (listen: string) => ({ api: { listen } })],
    ['targets.shop', (listen: string) => ({ target: { listen } })],
  ])('a port that is taken: %s', async (path, change) => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
    write(change(address));
    const { code, told } = await up();
    taken.close();
    expect(code).toBe(3);
    expect(told).toMatch(
      new RegExp(
        `^interlock: interlock\\.yaml:\\d+:\\d+ ${path}[^\n]*${address}[^\n]*\\(PORT_TAKEN\\)\n  remedy: Choose another port, or stop the other program\\.$`,
      ),
    );
  });

  test('policies that do not compile, and ones that use what is not supported: file and line', async () => {
    mkdirSync(join(dir, 'policies'));
    write({ policies: { source: { dir: './policies' } } });
    writeFileSync(join(dir, 'policies', 'broken.rego'), 'package policies.a.broken\n\nallow contains {"code": "X", "reason": "x"} if {\n');
    expect(await up()).toMatchObject({ code: 3, stdout: '', told: expect.stringMatching(/broken\.rego:\d+: .*\(POLICY_BUILD\)/s) as string });
    writeFileSync(
      join(dir, 'policies', 'broken.rego'),
      'package policies.a.broken\n\nallow contains {"code": "X", "reason": "x"} if http.send({"url": "http://x", "method": "get"}).body\n',
    );
    expect(await up()).toMatchObject({
      code: 3,
      stdout: '',
      told: expect.stringMatching(/broken\.rego:3: .*http\.send.*\(POLICY_BUILTIN\)/s) as string,
    });
  });

  test('a state directory that others can read', async () => {
    write();
    mkdirSync(join(dir, 'state'), { mode: 0o700 });
    chmodSync(join(dir, 'state'), 0o755);
    expect(await up()).toMatchObject({
      code: 3,
      told: `interlock: ${join(dir, 'state')}: mode is 0755; allowed: 0700 or stricter (STATE_MODE)\n  remedy: chmod 0700 ${join(dir, 'state')}`,
    });
  });

  test('a target that does not answer: exit 4', async () => {
    write({ target: { upstream: { host: '127.0.0.1', port: await freePort(), databases: ['postgres'], tls: { mode: 'off' } } } });
    const { code, stdout, told } = await up();
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(told).toMatch(/^interlock: interlock\.yaml:\d+:\d+ targets\.shop: [^\n]*ECONNREFUSED[^\n]*\(TARGET_UNREACHABLE\)\n {2}remedy: /);
  });

  test('a target that does not take the credential: exit 4, and the credential is not told', async () => {
    writeFileSync(join(dir, 'wrong'), 'wrong-sekret\n', { mode: 0o600 });
    write({ target: { credential: { user: 'postgres', password: { file: './wrong' } } } });
    const { code, told, stderr } = await up();
    expect(code).toBe(4);
    expect(told).toContain('(TARGET_UNREACHABLE)');
    expect(stderr).not.toContain('wrong-sekret');
  });

  test('another gateway on the same journal', async () => {
    write();
    const first = spawn(process.execPath, [cli, 'up', '--json'], { cwd: dir, stdio: ['ignore', 'pipe', 'ignore'] });
    await once(first.stdout, 'data');
    const { code, told } = await up();
    first.kill('SIGTERM');
    await once(first, 'exit');
    expect(code).toBe(3);
    expect(told).toContain('(STATE_LOCKED)');
  });
});
