/** A target with `audit: strict`, through the whole gateway: PostgreSQL, a byte relay before it, nats-server with accounts (G5, I2, I6, C6). */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { journalIdIn } from '#engine/journal/journal-id';
import { createIdentity } from '#engine/nats/identity';
import { wantedStreams } from '#engine/nats/streams';
import { startGateway, type Gateway } from '#test/support/gateway';
import { somebody, STREAMS, TestNats, until } from '#test/support/nats';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { startRelay, type Relay } from '#test/support/relay';
import { stopwatch } from '#test/support/stopwatch';

const root = join(import.meta.dirname, '..', '..');
let server: PostgresServer;
let relay: Relay;
let nats: TestNats;
let gateway: Gateway;
let dir: string;
let journal: string;
/** May everything, as an operator might: of the tests alone, in a server of the tests. */
const operator = createIdentity();
/** With a token: to make one takes a process and a second. */
let url: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-strict-'));
  mkdirSync(join(dir, 'state', 'keys'), { recursive: true, mode: 0o700 });
  journal = journalIdIn(join(dir, 'journal'));
  const [engine, setup] = [somebody('engine', 'gateway', [journal]), somebody('setup', 'setup')];
  writeFileSync(join(dir, 'state', 'keys', 'nats'), engine.seed, { mode: 0o600 });
  server = await startPostgres({ major: 15 });
  relay = await startRelay(server);
  nats = await TestNats.start({ grants: [engine, setup], dir: join(dir, 'nats'), replaced: operated });
  await nats.setUp(setup, { duplicateWindowMs: 86_400_000 }); // what the configuration says when it says nothing
  gateway = await startGateway({
    dir,
    shape: 'up',
    upstream: { host: relay.host, port: relay.port, user: server.user, password: server.password, database: 'postgres' },
    policies: { dir: join(root, 'test', 'policies', 'allow-all') },
    target: { audit: 'strict' },
    config: { nats: { servers: [nats.url] } },
  });
  url = await gateway.url({ login: 'alice', groups: ['app'] });
}, 60_000);

afterAll(async () => {
  await gateway.stop();
  await relay.stop();
  await nats[Symbol.asyncDispose]();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

function operated(config: string): string {
  return config.replace('    users: [\n      #', `    users: [\n      { nkey: ${operator.publicKey} }\n      #`);
}

async function connected(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  return client;
}

test('what ran is in the archive before it ran, and an auditor verifies the archive with the public key alone', async () => {
  const client = await connected();
  expect((await client.query('SELECT 41 + 1 AS n')).rows).toEqual([{ n: 42 }]);
  await client.end();
  const archive = join(dir, 'state', 'archive', journal);
  await until(
    async () => (await gateway.interlock('events', '--dir', archive, '--json')).stdout.includes('session.closed'),
    10_000,
    'the session in the archive',
  );
  const { code, stdout } = await gateway.interlock('audit', 'verify', '--dir', archive, '--key', gateway.ready.public_key, '--json');
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { verified: true, sessions: 1, problems: [] }]);
});

test('G5: while nats-server stands still, statements and sessions are refused within a second and nothing reaches the target; then it goes on by itself', async () => {
  const client = await connected();
  await client.query('SELECT 1');
  await nats.freeze();
  using started = stopwatch();
  await expect(client.query("SELECT 'marker-frozen'")).rejects.toMatchObject({ code: '58000', severity: 'ERROR' });
  expect(started.ms()).toBeLessThan(1_000);
  using next = stopwatch();
  await expect(connected()).rejects.toMatchObject({ code: '58000' });
  expect(next.ms()).toBeLessThan(1_000);
  expect(relay.reached('marker-frozen')).toBe(false);
  using back = stopwatch();
  nats.thaw();
  await until(
    () =>
      connected().then(
        (again) => again.query("SELECT 'marker-thawed'").then(() => again.end().then(() => true)),
        () => false,
      ),
    10_000,
    'the healing',
  );
  expect(back.ms()).toBeLessThan(10_000);
  expect(relay.reached('marker-thawed')).toBe(true);
  // the session that was refused a statement goes on
  expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  await client.end();
});

test('N3: nats-server is gone: `interlock status` and readiness say so, and when it is back it catches up', async () => {
  await nats.stop();
  const problems = async (): Promise<string[]> => {
    const answer = await fetch(`${gateway.ready.api}/readyz`);
    return ((await answer.json()) as { problems: { code: string }[] }).problems.map(({ code }) => code);
  };
  await until(async () => (await problems()).includes('archive'), 10_000, 'the problem');
  await expect(connected()).rejects.toMatchObject({ code: '58000' });
  await nats.start();
  await until(async () => (await problems()).length === 0, 10_000, 'readiness');
  const client = await connected();
  expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  await client.end();
});

test('N2: somebody changes a stream: health is red and names it, and green when it is changed back', async () => {
  const ready = async (): Promise<readonly [status: number, problems: unknown]> => {
    const answer = await fetch(`${gateway.ready.api}/readyz`);
    return [answer.status, ((await answer.json()) as { problems: unknown }).problems];
  };
  const [wanted] = wantedStreams({ streams: STREAMS, replicas: 1, duplicateWindowMs: 86_400_000 });
  await using link = nats.link({ ...somebody('setup', 'operator'), ...operator });
  await until(() => link.connected);
  const change = (more: object): Promise<unknown> =>
    link.current?.request(`$JS.API.STREAM.UPDATE.${STREAMS.audit}`, JSON.stringify({ ...wanted, ...more })) ?? Promise.reject(new Error('gone'));
  await until(async () => (await ready())[0] === 200, 10_000, 'readiness');
  await change({ max_msgs: 1_000_000 });
  await until(async () => (await ready())[0] === 503, 10_000, 'red');
  const detail = `not set up as \`interlock nats setup\` would: ${STREAMS.audit}`;
  expect(await ready()).toEqual([503, [{ code: 'archive_drift', detail, serious: true }]]);
  await change({});
  await until(async () => (await ready())[0] === 200, 10_000, 'green');
});

test('apart: engine and enforcer have a key, an account and a journal each, and the engine keeps both journals’ files (N1)', async () => {
  const apart = mkdtempSync(join(tmpdir(), 'interlock-apart-archive-'));
  onTestFinished(() => rmSync(apart, { recursive: true, force: true }));
  const seat = (place: string): { readonly keys: string; readonly journal: string } => {
    mkdirSync(join(place, 'state', 'keys'), { recursive: true, mode: 0o700 });
    return { keys: join(place, 'state', 'keys', 'nats'), journal: journalIdIn(join(place, 'journal')) };
  };
  const [central, beside] = [seat(apart), seat(join(apart, 'enforcer-shop'))];
  const [engine, enforcer, setup] = [
    somebody('engine', 'engine', [central.journal]),
    somebody('enforcer', 'shop-1', [beside.journal]),
    somebody('setup', 'setup'),
  ];
  writeFileSync(central.keys, engine.seed, { mode: 0o600 });
  writeFileSync(beside.keys, enforcer.seed, { mode: 0o600 });
  await using own = await TestNats.start({ grants: [engine, enforcer, setup], dir: join(apart, 'nats') });
  await own.setUp(setup, { duplicateWindowMs: 86_400_000 });
  await using halves = await startGateway({
    dir: apart,
    shape: 'apart-local',
    upstream: { host: relay.host, port: relay.port, user: server.user, password: server.password, database: 'postgres' },
    policies: { dir: join(root, 'test', 'policies', 'allow-all') },
    target: { audit: 'strict' },
    config: { nats: { servers: [own.url] } },
  });
  const client = new pg.Client({ connectionString: await halves.url({ login: 'alice', groups: ['app'] }) });
  await client.connect();
  expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  await client.end();
  const archive = join(apart, 'state', 'archive');
  for (const id of [central.journal, beside.journal]) await until(() => existsSync(join(archive, id, 'checkpoint')), 10_000, 'the archive');
  await until(
    async () => (await halves.interlock('events', '--dir', join(archive, beside.journal), '--json')).stdout.includes('session.closed'),
    10_000,
  );
  const { code, stdout } = await halves.interlock(
    'audit',
    'verify',
    '--dir',
    join(archive, beside.journal),
    '--key',
    halves.ready.public_key,
    '--json',
  );
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { verified: true, sessions: 1, problems: [] }]);
}, 60_000);
