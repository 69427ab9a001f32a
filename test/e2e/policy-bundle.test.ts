/** E5: policies that a pipeline signs: key, build, verify; a gateway runs by the file, takes over the next one, and refuses an older one. */
import { execFile, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gatewayConfig, startGateway } from '#test/support/gateway';
import { type PostgresServer, startPostgres } from '#test/support/postgres';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const cli = join(root, 'engine', 'cli', 'main.ts');
const shipped = join(root, 'policies');

let dir: string;
let server: PostgresServer;
const at = (name: string): string => join(dir, name);

interface Told {
  readonly code: number;
  readonly json: Readonly<Record<string, unknown>>;
  readonly stderr: string;
}
async function interlock(...args: string[]): Promise<Told> {
  try {
    const { stdout, stderr } = await run(process.execPath, [cli, ...args, '--json'], { cwd: dir });
    return { code: 0, json: JSON.parse(stdout) as Told['json'], stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, json: (stdout === '' ? {} : JSON.parse(stdout)) as Told['json'], stderr };
  }
}

/** Signed, with who may write. */
function build(file: string, writers: string, ...args: string[]): Promise<Told> {
  writeFileSync(at('data.yaml'), `guardrails: { read_write: [${writers}] }\n`);
  return interlock('policy', 'build', shipped, '--data', at('data.yaml'), '-o', at(file), '--sign', at('k'), ...args);
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-signed-'));
  server = await startPostgres({ major: 15 });
  await server.query('CREATE TABLE orders (id int PRIMARY KEY, note text)');
});
afterAll(async () => {
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('E5 key, build --sign, verify', async () => {
  const key = await interlock('policy', 'key', '-o', at('k'));
  expect(key).toMatchObject({ code: 0, json: { key: at('k'), public_key: at('k.pub'), key_id: expect.stringMatching(/^[0-9a-f]{16}$/) } });
  expect((await interlock('policy', 'key', '-o', at('k'))).code).toBe(3); // never over an old one
  await interlock('policy', 'key', '-o', at('other'));
  const built = await build('one.bundle', 'support', '--number', '7', '--valid', '1h');
  expect(built).toMatchObject({ code: 0, json: { number: 7, signed_by: [key.json['key_id']], revision: expect.stringMatching(/^sha256:/) } });
  const verified = await interlock('policy', 'verify', at('one.bundle'), '--key', at('k.pub'));
  expect(verified).toMatchObject({ code: 0, json: { verified: true, number: 7, revision: built.json['revision'], signed_by: key.json['key_id'] } });
  expect(verified.json['packages']).toEqual(built.json['packages']);
  expect(await interlock('policy', 'verify', at('one.bundle'), '--key', at('other.pub'))).toMatchObject({
    code: 1,
    json: { verified: false, code: 'BUNDLE_KEY' },
  });
  const unsigned = await interlock('policy', 'build', shipped, '--data', at('data.yaml'), '-o', at('unsigned.tar.gz'));
  expect(unsigned.json['revision']).toBe(built.json['revision']);
  expect(await interlock('policy', 'verify', at('unsigned.tar.gz'), '--key', at('k.pub'))).toMatchObject({
    code: 1,
    json: { verified: false, code: 'BUNDLE_MALFORMED' },
  });
  expect((await interlock('policy', 'build', shipped, '-o', at('x'), '--number', '3')).code).toBe(2);
  expect((await interlock('policy', 'build', shipped, '-o', at('x'), '--sign', at('k'), '--number', '0')).code).toBe(2);
});

test('E5 a gateway runs by the file, takes over the next one, refuses an older one, and its record says all of it', async () => {
  const now = Date.now();
  const [old, fresh] = [await build('old.bundle', 'support', '--number', `${now}`), await build('new.bundle', 'nobody', '--number', `${now + 1}`)];
  copyFileSync(at('old.bundle'), at('live.bundle'));
  const policies = { source: { bundle: at('live.bundle') }, signing: { trusted: [at('k.pub')] }, watch: true };
  const upstream = { host: server.host, port: server.port, user: server.user, password: server.password, database: 'postgres' };
  const gateway = await startGateway({ upstream, config: { policies } });
  try {
    expect(gateway.ready.revision).toBe(old.json['revision']);
    const client = new pg.Client({ connectionString: await gateway.url({ login: 'alice', groups: ['support'] }) });
    await client.connect();
    expect((await client.query('SELECT * FROM orders WHERE id = 1')).rows).toEqual([]);
    copyFileSync(at('new.bundle'), at('live.bundle'));
    const denied = (): Promise<string> =>
      client.query('SELECT * FROM orders WHERE id = 1').then(
        () => 'allowed',
        (error: Error) => error.message,
      );
    await expect.poll(denied, { timeout: 20_000 }).toMatch(/refused by policy/);
    copyFileSync(at('old.bundle'), at('live.bundle'));
    const events = async (): Promise<{ type: string; code?: string; revision?: string; source?: string }[]> => {
      const { stdout } = await gateway.interlock('events', '--dir', gateway.ready.journal, '--json');
      const all = stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { type: string });
      return all.filter(({ type }) => type.startsWith('policy.'));
    };
    await expect.poll(async () => (await events()).at(-1), { timeout: 20_000 }).toMatchObject({ type: 'policy.rejected', code: 'BUNDLE_ROLLBACK' });
    expect(await denied()).toMatch(/refused by policy/);
    expect(await events()).toMatchObject([
      { type: 'policy.activated', revision: old.json['revision'], source: `bundle ${now}` },
      { type: 'policy.activated', revision: fresh.json['revision'], source: `bundle ${now + 1}` },
      { type: 'policy.rejected', code: 'BUNDLE_ROLLBACK' },
    ]);
    await client.end();
    // the commands judge by it, too, and remember nothing
    copyFileSync(at('new.bundle'), at('live.bundle'));
    const asked = ['--target', 'shop', '--login', 'alice', '--group', 'support', '--statement', 'SELECT 1 FROM orders WHERE id = 1', '--json'];
    expect((await gateway.interlock('decide', ...asked)).code).toBe(1);
  } finally {
    await gateway.stop();
  }
});

test('E5 it does not start without a trusted key, nor by a bundle that is not signed by one', async () => {
  const upstream = { host: '127.0.0.1', port: 1, user: 'u', password: 'pw-of-nobody', database: 'd' };
  const start = async (policies: object): Promise<Told> => {
    writeFileSync(at('interlock.yaml'), JSON.stringify({ ...gatewayConfig({ upstream }, dir), policies }));
    return await interlock('up', '-c', at('interlock.yaml'));
  };
  const none = await start({ source: { bundle: at('one.bundle') } });
  expect(none).toMatchObject({ code: 3, stderr: expect.stringContaining('policies.signing.trusted') });
  const wrong = await start({ source: { bundle: at('one.bundle') }, signing: { trusted: [at('other.pub')] } });
  expect(wrong).toMatchObject({ code: 3, stderr: expect.stringMatching(/the bundle is signed by [0-9a-f]{16}; trusted: [0-9a-f]{16}.*BUNDLE_KEY/) });
  const data = await start({ source: { bundle: at('one.bundle') }, signing: { trusted: [at('k.pub')] }, data: [at('data.yaml')] });
  expect(data).toMatchObject({ code: 3, stderr: expect.stringContaining('policies.data: stands beside `source.bundle`') });
});

test('E5 apart: an engine passes on what a pipeline signed; an enforcer that trusts another key refuses it, and says so', {
  timeout: 120_000,
}, async () => {
  const now = Date.now();
  const [old, fresh] = [await build('old.bundle', 'support', '--number', `${now}`), await build('new.bundle', 'nobody', '--number', `${now + 1}`)];
  copyFileSync(at('old.bundle'), at('live.bundle'));
  const home = mkdtempSync(at('apart-'));
  const gateway = await startGateway({
    shape: 'apart-local',
    dir: home,
    upstream: { host: server.host, port: server.port, user: server.user, password: server.password, database: 'postgres' },
    config: { policies: { source: { bundle: at('live.bundle') }, signing: { trusted: [at('k.pub')] }, watch: true } },
  });
  const journal = join(home, 'enforcer-shop', 'journal');
  const recorded = async (): Promise<{ type: string; code?: string; revision?: string }[]> => {
    const { stdout } = await gateway.interlock('events', '--dir', journal, '--json');
    const all = stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { type: string });
    return all.filter(({ type }) => type.startsWith('policy.'));
  };
  try {
    const client = new pg.Client({ connectionString: await gateway.url({ login: 'alice', groups: ['support'] }) });
    client.on('error', () => {}); // its enforcer ends
    await client.connect();
    expect((await client.query('SELECT * FROM orders WHERE id = 1')).rows).toEqual([]);
    copyFileSync(at('new.bundle'), at('live.bundle'));
    const denied = (): Promise<string> =>
      client.query('SELECT * FROM orders WHERE id = 1').then(
        () => 'allowed',
        (error: Error) => error.message,
      );
    await expect.poll(denied, { timeout: 20_000 }).toMatch(/refused by policy/);
    expect(await recorded()).toMatchObject([
      { type: 'policy.activated', revision: old.json['revision'] },
      { type: 'policy.activated', revision: fresh.json['revision'] },
    ]);
    gateway.process.kill('SIGKILL');
    const file = join(home, 'enforcer-shop', 'interlock.yaml');
    const config = JSON.parse(readFileSync(file, 'utf8')) as { enforcer: object };
    writeFileSync(file, JSON.stringify({ ...config, enforcer: { ...config.enforcer, trusted: [at('other.pub')] } }));
    const second = spawn(process.execPath, [cli, 'enforce', 'shop', '-c', file, '--json'], { stdio: 'ignore' });
    await expect
      .poll(async () => (await recorded()).at(-1), { timeout: 40_000, interval: 500 })
      .toMatchObject({ type: 'policy.rejected', code: 'BUNDLE_KEY' });
    second.kill('SIGKILL');
  } finally {
    await gateway.stop();
  }
});
