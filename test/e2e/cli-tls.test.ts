/** TLS on every leg: the API, clients to the gateway, the gateway to its target; and SIGHUP. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeAuthority } from '#test/support/certificates';
import { startGateway, type Gateway } from '#test/support/gateway';
import { startPostgres, type PostgresServer } from '#test/support/postgres';

const run = promisify(execFile);
const cli = join(import.meta.dirname, '..', '..', 'engine', 'cli', 'main.ts');
const POLICY = 'package policies.test.open\n\nallow contains {"code": "OPEN", "reason": "open"}\n';

let dir: string;
let server: PostgresServer;
let gateway: Gateway;
let ca: string;
let token: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-tls-'));
  const authority = await makeAuthority(join(dir, 'tls'));
  ca = authority.caFile;
  const own = await authority.issue('gateway');
  server = await startPostgres({ major: 15, tls: await authority.issue('database') });
  writeFileSync(join(dir, 'open.rego'), POLICY);
  const tls = { cert: own.certFile, key: own.keyFile, ca };
  gateway = await startGateway({
    upstream: { host: server.host, port: server.port, user: server.user, password: server.password, database: 'postgres' },
    policies: { dir, watch: false },
    target: { tls, upstream: { host: server.host, port: server.port, databases: ['postgres'], tls: { mode: 'verify-full', ca } } },
    config: { api: { listen: '127.0.0.1:0', tls } },
  });
  token = join(dir, 'alice.token');
  writeFileSync(token, await gateway.token({ login: 'alice' }), { mode: 0o600 });
});
afterAll(async () => {
  await gateway?.stop();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('nothing is said to be off', () => {
  expect(gateway.ready.api).toMatch(/^https:/);
  expect(gateway.log()).not.toContain('TLS');
});

test('the commands check the API’s certificate', async () => {
  expect((await gateway.interlock('status', '--token-file', token)).code).toBe(0);
  const config = JSON.parse(readFileSync(gateway.configFile, 'utf8')) as { api: { tls: { ca: string } } };
  const other = await makeAuthority(join(dir, 'other'));
  config.api.tls.ca = other.caFile;
  const file = join(dir, 'other.yaml');
  writeFileSync(file, JSON.stringify(config));
  const refused = await run(process.execPath, [cli, 'status', '-c', file, '--token-file', token]).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringMatching(/certificate.*\(NOT_REACHABLE\)/) as string });
});

test('connect names the authority, and a client that is started with it verifies the gateway', async () => {
  const where = JSON.parse((await gateway.interlock('connect', 'shop', '--token-file', token, '--json')).stdout) as Record<string, string>;
  expect(where['sslrootcert']).toBe(ca);
  expect(where['url']).toBe(`postgresql://alice@127.0.0.1:${gateway.port}/postgres?sslmode=verify-full&sslrootcert=${encodeURIComponent(ca)}`);
  const client = [process.execPath, '-e', 'console.log(process.env.PGSSLMODE, process.env.PGSSLROOTCERT, process.env.NODE_EXTRA_CA_CERTS)'];
  const { stdout } = await run(process.execPath, [cli, 'connect', 'shop', '-c', gateway.configFile, '--token-file', token, '--', ...client]);
  expect(stdout).toBe(`verify-full ${ca} ${ca}\n`);
});

test('doctor goes through the target’s TLS', async () => {
  const { checks } = JSON.parse((await gateway.interlock('doctor', '--json')).stdout) as {
    checks: readonly { id: string; ok: boolean; value: string }[];
  };
  expect(checks.find(({ id }) => id === 'target.shop.tls')).toMatchObject({ ok: true, value: 'verify-full' });
  expect(checks.find(({ id }) => id === 'target.shop.credential')).toMatchObject({ ok: true });
});

test('SIGHUP reloads the policies', async () => {
  const revision = async (): Promise<string> =>
    (JSON.parse((await gateway.interlock('status', '--token-file', token, '--json')).stdout) as { revision: string }).revision;
  expect(await revision()).toBe(gateway.ready.revision);
  writeFileSync(join(dir, 'open.rego'), POLICY.replaceAll('OPEN', 'OPENED'));
  gateway.process.kill('SIGHUP');
  await expect.poll(revision, { timeout: 30_000 }).not.toBe(gateway.ready.revision);
});
