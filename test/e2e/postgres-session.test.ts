/** The life of a session at the PostgreSQL enforcer: TLS on both legs, how it ends, and what it takes with it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from '#enforcers/common/limits';
import type { PostgresTarget } from '#enforcers/postgres/target';
import { CODE, int32, message } from '#enforcers/postgres/protocol';
import { makeAuthority, type Authority, type Certificate } from '#test/support/certificates';
import { ALLOW } from '#test/support/fake-decisions';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { principal, startTestGateway, TOKEN } from '#test/support/postgres-gateway';
import { errorOf, RawClient, say, startup, types } from '#test/support/raw-postgres';

let dir: string;
let authority: Authority;
let certificate: Certificate;
let server: PostgresServer;
const pem = (file: string): string => readFileSync(file, 'utf8');

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-session-'));
  authority = await makeAuthority(join(dir, 'ca'));
  certificate = await authority.issue('server');
  server = await startPostgres({ major: 15, tls: certificate });
  await server.query('CREATE TABLE t (id int primary key, secret text)');
});
afterAll(async () => {
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const tls = (): NonNullable<PostgresTarget['tls']> => ({ cert: pem(certificate.certFile), key: pem(certificate.keyFile), ca: pem(authority.caFile) });
const upstream = (more: Partial<PostgresTarget['upstream']> = {}): PostgresTarget['upstream'] => ({
  host: '127.0.0.1',
  port: server.port,
  databases: ['postgres'],
  tls: { mode: 'verify-full', ca: pem(authority.caFile) },
  ...more,
});

describe('TLS', () => {
  test('on both legs, verified on both', async () => {
    await using gateway = await startTestGateway(server, { target: { tls: tls(), upstream: upstream() } });
    const client = new pg.Client({ connectionString: gateway.url, ssl: { ca: pem(authority.caFile) } });
    await client.connect();
    expect((await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows).toEqual([{ ssl: true }]);
    const big = await client.query("SELECT repeat('x', 1000) AS x FROM generate_series(1, 5000)");
    expect(big.rowCount).toBe(5000);
    await client.end();
    expect(gateway.decisions.scopes[0]?.client.tls).toBe(true);
  });

  test('without TLS no token is asked for where a certificate is configured', async () => {
    await using gateway = await startTestGateway(server, { target: { tls: tls() } });
    await using client = await RawClient.connect(gateway.port);
    client.send(startup({ user: 'alice', database: 'postgres' }));
    const answers = await client.end();
    expect(types(answers)).toBe('E');
    expect(errorOf(answers)).toMatchObject({ C: '28000', D: 'code=AUTH_TLS_REQUIRED' });
  });

  test('P3: bytes behind SSLRequest do not come through, with TLS offered', async () => {
    await using gateway = await startTestGateway(server, { target: { tls: tls() } });
    await using client = await RawClient.connect(gateway.port);
    client.send(int32(8), int32(CODE.ssl), startup({ user: 'alice', database: 'postgres' }), message(112, TOKEN), say.query('SELECT 1'));
    expect(errorOf(await client.end())).toMatchObject({ C: '08P01' });
    expect(gateway.decisions.scopes.length).toBe(0);
  });

  test('a target with a certificate of somebody else is not spoken to', async () => {
    const other = await makeAuthority(join(dir, 'other'));
    const wrong = upstream({ tls: { mode: 'verify-full', ca: pem(other.caFile) } });
    await expect(startTestGateway(server, { target: { upstream: wrong } })).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
    await using plain = await startPostgres({ major: 15 });
    await expect(startTestGateway(plain, { target: { upstream: upstream({ port: plain.port }) } })).rejects.toThrow('does not offer TLS');
  });
});

describe('ends', () => {
  test('the target credential never reaches a client, and a wrong one names the step', async () => {
    const broken = { ...server, password: 'wrong-password' } as PostgresServer;
    const error = await startTestGateway(broken).catch((caught: Error) => caught);
    expect(error).toMatchObject({ code: 'TARGET_UNREACHABLE' });
    expect(String((error as Error).message)).not.toContain('wrong-password');
  });

  test('a session ends with its token: SESSION_EXPIRED', async () => {
    await using gateway = await startTestGateway(server);
    gateway.tokens.set(TOKEN, principal('alice', { expiresAtMs: Date.now() + 700 }));
    await using client = await RawClient.login(gateway.port, TOKEN);
    expect(errorOf(await client.end())).toMatchObject({ S: 'FATAL', C: '28000', D: 'code=SESSION_EXPIRED' });
    expect((await gateway.events()).findLast((event) => event.type === 'session.closed')).toMatchObject({ reason: 'policy' });
  });

  test('an idle session ends; one that runs does not', async () => {
    await using gateway = await startTestGateway(server, { target: { limits: { connections: 10, statementBytes: 1000, idleMs: 300 } } });
    await using client = await RawClient.login(gateway.port, TOKEN);
    client.send(say.query('SELECT pg_sleep(1.2)'));
    expect(types(await client.ready())).toBe('TDCZ');
    expect(errorOf(await client.end())).toMatchObject({ C: '57P05' });
  });

  test('the limit of connections holds, and a place is free again', async () => {
    await using gateway = await startTestGateway(server, { target: { limits: { connections: 1, statementBytes: 1000, idleMs: 60_000 } } });
    const first = await RawClient.login(gateway.port, TOKEN);
    await using second = await RawClient.connect(gateway.port);
    second.send(startup({ user: 'alice', database: 'postgres' }));
    await second.until('R');
    second.send(message(112, TOKEN));
    expect(errorOf(await second.end())).toMatchObject({ C: '53300' });
    await first[Symbol.asyncDispose]();
    await expect.poll(() => gateway.enforcer.sessions().length).toBe(0);
    await using third = await RawClient.login(gateway.port, TOKEN);
    expect(third.closed).toBe(false);
  });

  test('those who have not authenticated are counted for each address', async () => {
    await using gateway = await startTestGateway(server);
    const silent = await Promise.all(Array.from({ length: LIMITS.preAuthConnectionsPerAddress }, () => RawClient.connect(gateway.port)));
    await using more = await RawClient.connect(gateway.port);
    expect(errorOf(await more.end())).toMatchObject({ C: '53300', D: 'code=BUDGET_CONNECTIONS' });
    await Promise.all(silent.map((client) => client[Symbol.asyncDispose]()));
    await expect
      .poll(() =>
        RawClient.login(gateway.port, TOKEN).then(
          (client) => client[Symbol.asyncDispose]().then(() => 'in'),
          () => 'out',
        ),
      )
      .toBe('in');
  });

  test('a session that policy denies never reaches the target', async () => {
    await using gateway = await startTestGateway(server);
    gateway.decisions.opening = { effect: 'deny', code: 'NOT_HERE', reason: 'not in this window' };
    await using client = await RawClient.connect(gateway.port);
    client.send(startup({ user: 'alice', database: 'postgres' }));
    await client.until('R');
    client.send(message(112, TOKEN));
    expect(errorOf(await client.end())).toMatchObject({ C: '42501', M: 'refused by policy: not in this window' });
    expect((await gateway.events()).map((event) => event.type)).toEqual(['session.refused']);
  });

  test('I6: once the journal is dead nothing runs, within a second', async () => {
    await using gateway = await startTestGateway(server);
    await using client = await RawClient.login(gateway.port, TOKEN);
    await using idle = await RawClient.login(gateway.port, TOKEN);
    gateway.journal.fail(new Error('EIO'));
    client.send(say.query('SELECT 1'));
    expect(errorOf(await client.end())).toMatchObject({ S: 'FATAL', C: '58000', D: 'code=JOURNAL_UNAVAILABLE' });
    expect(errorOf(await idle.end())).toMatchObject({ D: 'code=JOURNAL_UNAVAILABLE' });
  });

  test('invariant 2: nothing leaves before the disk has it', async () => {
    await using gateway = await startTestGateway(server);
    await using client = await RawClient.login(gateway.port, TOKEN);
    const { promise, resolve } = Promise.withResolvers<void>();
    gateway.journal.gate = promise;
    client.send(say.query("INSERT INTO t VALUES (1, 'x')"));
    await expect.poll(() => gateway.decisions.texts.length).toBe(1);
    for (let round = 0; round < 5; round++) expect((await server.query('SELECT 1 FROM t')).rowCount).toBe(0);
    gateway.journal.gate = null;
    resolve();
    expect(types(await client.ready())).toBe('CZ');
    expect((await server.query('SELECT 1 FROM t')).rowCount).toBe(1);
  });

  test('drain lets what runs finish, and takes nobody new', async () => {
    await using gateway = await startTestGateway(server);
    await using running = await RawClient.login(gateway.port, TOKEN);
    await using idle = await RawClient.login(gateway.port, TOKEN);
    running.send(say.query('SELECT pg_sleep(0.5)'));
    await expect.poll(() => gateway.enforcer.sessions().some((session) => session.state === 'active')).toBe(true);
    const drained = gateway.enforcer.drain();
    expect(errorOf(await idle.end())).toMatchObject({ C: '57P01' });
    expect(types(await running.ready())).toBe('TDCZ');
    await drained;
    expect(gateway.enforcer.sessions()).toEqual([]);
    await expect(RawClient.connect(gateway.port)).rejects.toThrow(/ECONNREFUSED/);
  });

  test('what was sent when the client left is finished in the record', async () => {
    await using gateway = await startTestGateway(server);
    const client = await RawClient.login(gateway.port, TOKEN);
    client.send(say.query('SELECT pg_sleep(0.3)'));
    await expect.poll(async () => (await server.query("SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(0.3)'")).rowCount).toBe(1);
    await client[Symbol.asyncDispose]();
    await expect.poll(() => gateway.enforcer.sessions().length).toBe(0);
    expect((await gateway.events()).find((event) => event.type === 'statement.finished')).toMatchObject({ outcome: 'ok', tag: 'SELECT 1' });
  });

  test('a target that dies: the client is told, the outcome is unknown', async () => {
    await using other = await startPostgres({ major: 17 });
    await using gateway = await startTestGateway(other);
    await using client = await RawClient.login(gateway.port, TOKEN);
    client.send(say.query('SELECT pg_sleep(20)'));
    await expect.poll(async () => (await other.query("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")).rowCount).toBe(1);
    await other.stop();
    const error = errorOf(await client.end());
    expect(['57P01', '57P02', '58000']).toContain(error['C']);
    expect((await gateway.events()).find((event) => event.type === 'statement.finished')).toMatchObject({
      outcome: expect.stringMatching(/unknown|error/),
    });
  });
});

test('a target with masks: tables are not used behind DDL of the same transaction, nor behind it in one message', async () => {
  await using gateway = await startTestGateway(server, { rule: () => ALLOW, masks: true });
  await using client = await RawClient.login(gateway.port, TOKEN);
  const run = async (text: string): Promise<Record<string, string>> => {
    client.send(say.query(text));
    return errorOf(await client.ready());
  };
  expect(await run('ALTER TABLE t RENAME secret TO open; SELECT open FROM t')).toMatchObject({ D: 'code=UNSUPPORTED' });
  await run('BEGIN');
  expect(await run('SELECT * FROM t')).toEqual({});
  expect(await run('ALTER TABLE t RENAME secret TO open')).toEqual({});
  expect(await run('SELECT open FROM t')).toMatchObject({ D: 'code=UNSUPPORTED', C: '0A000' });
  await run('ROLLBACK');
  expect(await run('SELECT secret FROM t')).toEqual({});
  const learned = gateway.decisions.learned.length;
  expect(await run('ALTER TABLE t ADD COLUMN more int')).toEqual({});
  expect(await run('SELECT more FROM t')).toEqual({});
  expect(gateway.decisions.learned.length).toBe(learned + 1);
});
