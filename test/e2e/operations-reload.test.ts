/** A running gateway follows its configuration, on SIGHUP and when it is saved: limits, level of the log, credentials, certificates (issue 5, Operations). */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Authority, makeAuthority } from '#test/support/certificates';
import { type Gateway, startGateway } from '#test/support/gateway';
import { type PostgresServer, startPostgres } from '#test/support/postgres';
import { stopwatch } from '#test/support/stopwatch';

const alice = { login: 'alice', groups: ['support'] };

let dir: string;
let server: PostgresServer;
let authority: Authority;
let gateway: Gateway;
let url: string;
const files = { cert: '', key: '' };

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-reload-'));
  server = await startPostgres({ major: 15 });
  await server.query('CREATE DATABASE shop');
  authority = await makeAuthority(join(dir, 'tls'));
  Object.assign(files, { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key') });
  await present('first');
  gateway = await startGateway({
    dir,
    upstream: { ...server, database: 'shop' },
    policies: { dir: policies() },
    target: { tls: { ...files, ca: authority.caFile } },
    config: { api: { listen: '127.0.0.1:0', tls: { ...files, ca: authority.caFile } } },
  });
  url = await gateway.url(alice);
});
afterAll(async () => {
  await gateway.stop();
  await server.stop();
  rmSync(dir, { recursive: true });
});

/** Statements are judged by the target's environment and labels; DELETE is asked for. */
function policies(): string {
  const folder = join(dir, 'policies');
  mkdirSync(folder);
  writeFileSync(join(folder, 'reload.rego'), POLICY);
  return folder;
}

/** The certificate that the configuration points to. */
async function present(name: string): Promise<void> {
  const { certFile, keyFile } = await authority.issue(name);
  copyFileSync(keyFile, files.key);
  copyFileSync(certFile, files.cert);
}

async function client(): Promise<pg.Client> {
  const opened = new pg.Client({ connectionString: url, ssl: { ca: readFileSync(authority.caFile, 'utf8') } });
  opened.on('error', () => {});
  await opened.connect();
  return opened;
}

const POLICY = `package policies.test.reload

allow contains {"code": "TEST", "reason": "Only the configuration is tested here."}

deny contains {"code": "FROZEN", "reason": "This target is frozen."} if {
	input.stage == "request"
	input.resource.properties.env == "production"
	input.resource.properties.labels.state == "frozen"
}

require_approval contains {
	"code": "ASK",
	"reason": "This needs an approval.",
	"stages": [{"id": "owner", "order": 1, "any_of": [{"group": "owners"}], "quorum": 1}],
	"grant": {"of": "statement", "uses": 1},
	"valid_for_s": 900,
	"expires_in_s": 3600,
} if {
	input.stage == "request"
	some effect in input.sql.effects
	effect.verb == "delete"
}
`;

interface Shape {
  approvals?: object;
  targets: { shop: { env?: string; labels?: object; limits?: object; credential: { user: string; password: object } } };
  log?: object;
  journal: object;
}

function save(change: (config: Shape) => void): void {
  const config = JSON.parse(readFileSync(gateway.configFile, 'utf8')) as Shape;
  change(config);
  writeFileSync(gateway.configFile, JSON.stringify(config, null, 2));
}

/** Lines of the log with this message, since the gateway started. */
function lines(message: string): readonly Record<string, unknown>[] {
  return gateway
    .log()
    .split('\n')
    .filter((text) => text.includes(message))
    .map((text) => JSON.parse(text) as Record<string, unknown>);
}

async function reread(action: () => void | Promise<void>): Promise<void> {
  const before = lines('the configuration was read again').length;
  await action();
  await expect.poll(() => lines('the configuration was read again').length, { timeout: 10_000 }).toBeGreaterThan(before);
}

test('on save: limits count at once, what needs a restart is named by its key, a mistake changes nothing', async () => {
  await reread(() =>
    save((config) => {
      config.targets.shop.limits = { connections: 1 };
      config.journal = { ...config.journal, segment: '1MiB' };
      config.log = { level: 'debug' };
    }),
  );
  expect(lines('the configuration was read again').at(-1)).toMatchObject({
    applied: expect.arrayContaining(['targets.shop.limits.connections', 'log.level']),
  });
  await expect.poll(() => lines('need a restart').at(-1), { timeout: 10_000 }).toMatchObject({ keys: ['journal.segment'] });
  const one = await client();
  await expect(client()).rejects.toMatchObject({ message: expect.stringContaining('the limit of 1 connections') });
  save((config) => void (config.targets.shop.limits = { connections: 0 }));
  await expect.poll(() => lines('saved with a mistake').length, { timeout: 10_000 }).toBe(1);
  expect(gateway.log()).toContain('targets.shop.limits.connections');
  expect((await one.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  await expect(client()).rejects.toThrow('the limit of 1 connections');
  await one.end();
  await reread(() => save((config) => void delete config.targets.shop.limits));
});

test('another credential counts from the next session on; open sessions go on; I7: neither stands in the log', async () => {
  const before = await client();
  await server.query("CREATE ROLE second LOGIN SUPERUSER PASSWORD 'second-secret-0815'");
  writeFileSync(join(dir, 'second-password'), 'second-secret-0815', { mode: 0o600 });
  await reread(() => save((config) => void (config.targets.shop.credential = { user: 'second', password: { file: join(dir, 'second-password') } })));
  const after = await client();
  const user = async (of: pg.Client): Promise<unknown> => (await of.query<{ user: string }>('SELECT current_user AS user')).rows[0]?.user;
  expect(await user(after)).toBe('second');
  expect(await user(before)).toBe(server.user);
  await Promise.all([before.end(), after.end()]);
  expect(gateway.log()).not.toContain('second-secret-0815');
});

test('what the target is, and how long is waited for approval: sessions from then on see it, whole; open ones go on', async () => {
  const before = await client();
  await before.query('CREATE TABLE IF NOT EXISTS orders (id int)');
  await reread(() =>
    save((config) => {
      config.targets.shop.env = 'production';
      config.targets.shop.labels = { state: 'frozen' };
      config.approvals = { wait: '1s' };
    }),
  );
  expect(lines('the configuration was read again').at(-1)).toMatchObject({
    applied: expect.arrayContaining(['targets.shop.env', 'targets.shop.labels.state', 'approvals.wait']),
  });
  const after = await client();
  await expect(after.query('SELECT 1')).rejects.toMatchObject({ code: '42501', message: 'refused by policy: This target is frozen.' });
  expect((await before.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  await after.end();
  await reread(() => save((config) => void (config.targets.shop.labels = { state: 'thawed' })));
  const asking = await client();
  using started = stopwatch();
  await expect(asking.query('DELETE FROM orders')).rejects.toMatchObject({ code: 'IL001' });
  expect(started.ms()).toBeLessThan(10_000); // the default is five minutes
  await Promise.all([before.end(), asking.end()]);
});

test('what needs a restart is named by interlock status too, as long as the file says something else than what is in force', async () => {
  const tokenFile = join(dir, 'alice.token');
  writeFileSync(tokenFile, await gateway.token(alice), { mode: 0o600 });
  const restart = async (): Promise<unknown> => {
    const { stdout } = await gateway.interlock('status', '--token-file', tokenFile, '--json');
    return (JSON.parse(stdout) as { restart: unknown }).restart;
  };
  await reread(() => save((config) => void (config.approvals = { ...config.approvals, remember_denial: '1m' })));
  expect(await restart()).toContain('approvals.remember_denial');
  const { stdout } = await gateway.interlock('status', '--token-file', tokenFile);
  expect(stdout).toContain('needs a restart');
  await reread(() => save((config) => void (config.approvals = { wait: '1s' })));
  expect(await restart()).not.toContain('approvals.remember_denial');
});

test('on SIGHUP certificates are read again, at the target and at the API; open sessions stay', async () => {
  const open = await client();
  await present('second');
  await reread(() => void gateway.process.kill('SIGHUP'));
  expect(await presented(gateway.port, 'postgresql')).toBe('second');
  expect(await presented(Number(new URL(gateway.ready.api).port), 'https')).toBe('second');
  expect((await open.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  await open.end();
  // a key that does not fit is told, and the one before stays
  writeFileSync(files.key, readFileSync((await authority.issue('third')).keyFile));
  gateway.process.kill('SIGHUP');
  await expect.poll(() => lines('the reload failed').length, { timeout: 10_000 }).toBe(1);
  expect(await presented(gateway.port, 'postgresql')).toBe('second');
});

/** The name on the certificate that is shown there. */
async function presented(port: number, protocol: 'postgresql' | 'https'): Promise<string> {
  const plain = connect({ host: '127.0.0.1', port });
  if (protocol === 'postgresql') {
    plain.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])); // SSLRequest
    await new Promise((resolve) => plain.once('data', resolve));
  }
  const secure = connectTls({ socket: plain, ca: readFileSync(authority.caFile), servername: 'localhost' });
  try {
    await new Promise<void>((resolve, reject) => secure.once('secureConnect', resolve).once('error', reject));
    return secure.getPeerCertificate().subject.CN as string;
  } finally {
    plain.destroy();
  }
}
