/** Attacks on the wire (SECURITY §1.3) against a real server, with a byte relay as the witness of what reached it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { int16, int32, message, CODE } from '#enforcers/postgres/protocol';
import { ALLOW } from '#test/support/fake-decisions';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { startTestGateway, TOKEN, type TestGateway } from '#test/support/postgres-gateway';
import { errorOf, firstColumn, RawClient, say, startup, status, types } from '#test/support/raw-postgres';
import { startRelay, type Relay } from '#test/support/relay';

let server: PostgresServer;
let relay: Relay;
let gateway: TestGateway;

beforeAll(async () => {
  server = await startPostgres({ major: 15 });
  await server.query('CREATE TABLE payments (id int primary key, note text); INSERT INTO payments SELECT i, i::text FROM generate_series(1, 10) i');
  relay = await startRelay({ host: server.host, port: server.port });
  gateway = await startTestGateway(server, {
    upstreamPort: relay.port,
    rule: ({ text, moment }) => {
      const denied = text.includes('DENIED') || (text.includes('when executed') && moment.action === 'sql.execute');
      return denied ? { effect: 'deny', code: 'NO', reason: 'not this one' } : ALLOW;
    },
  });
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await relay?.[Symbol.asyncDispose]();
  await server?.stop();
});

const login = (parameters: Record<string, string> = {}): Promise<RawClient> => RawClient.login(gateway.port, TOKEN, parameters);
const payments = async (): Promise<number> => (await server.query<{ n: number }>('SELECT count(*)::int AS n FROM payments')).rows[0]?.n ?? -1;

describe('start-up', () => {
  const refused = async (packet: Buffer): Promise<Record<string, string>> => {
    await using client = await RawClient.connect(gateway.port);
    client.send(packet);
    return errorOf(await client.end());
  };

  test('P1: a parameter twice is refused', async () => {
    const twice = startup([
      ['user', 'alice'],
      ['database', 'postgres'],
      ['user', 'postgres'],
    ]);
    expect(await refused(twice)).toMatchObject({ C: '08P01', S: 'FATAL' });
  });

  test('P1: options, replication, role and unknown parameters are refused by name', async () => {
    for (const name of ['options', 'replication', 'role', 'search_path', 'session_authorization']) {
      const error = await refused(startup({ user: 'alice', database: 'postgres', [name]: 'database' }));
      expect(error, name).toMatchObject({ C: '0A000', D: 'code=UNSUPPORTED' });
    }
  });

  test('P15: another client_encoding is refused, the pinned one is not', async () => {
    expect(await refused(startup({ user: 'alice', database: 'postgres', client_encoding: 'SJIS' }))).toMatchObject({
      C: '42501',
      D: 'code=PIN_REFUSED',
    });
    await using client = await login({ client_encoding: "'utf-8'" });
    client.send(say.query('SHOW client_encoding'));
    expect(firstColumn(await client.ready())).toEqual(['UTF8']);
  });

  test('P1: an unknown minor version is negotiated down', async () => {
    await using client = await RawClient.connect(gateway.port);
    client.send(startup({ user: 'alice', database: 'postgres', '_pq_.thing': 'on' }, 196_610));
    expect(types(await client.until('R'))).toBe('vR');
  });

  test('P2: a second StartupMessage ends the connection', async () => {
    await using client = await RawClient.connect(gateway.port);
    client.send(startup({ user: 'alice', database: 'postgres' }));
    await client.until('R');
    client.send(startup({ user: 'postgres', database: 'postgres' }));
    expect(errorOf(await client.end())).toMatchObject({ S: 'FATAL', C: '08P01' });
  });

  test('P2: GSSENCRequest once, SSLRequest once', async () => {
    await using client = await RawClient.connect(gateway.port);
    const gss = Buffer.concat([int32(8), int32(CODE.gssenc)]);
    client.send(gss);
    expect(await client.byte()).toBe('N');
    client.send(gss);
    expect(errorOf(await client.end())).toMatchObject({ S: 'FATAL' });
  });

  test('P3: bytes behind SSLRequest are refused', async () => {
    await using client = await RawClient.connect(gateway.port);
    client.send(int32(8), int32(CODE.ssl), startup({ user: 'alice', database: 'postgres' }));
    expect(errorOf(await client.end())).toMatchObject({ C: '08P01' });
  });

  test('P14: lengths out of range end the connection', async () => {
    for (const length of [0, 4, -1, 10_001, 0x7fff_ffff]) {
      expect(await refused(Buffer.concat([int32(length), int32(196_608), Buffer.alloc(8)])), String(length)).toMatchObject({ S: 'FATAL' });
    }
  });

  test('a wrong token, another login and a foreign database are refused', async () => {
    const attempt = async (user: string, database: string, token: string): Promise<Record<string, string>> => {
      await using client = await RawClient.connect(gateway.port);
      client.send(startup({ user, database }));
      await client.until('R');
      client.send(message(112, token));
      return errorOf(await client.end());
    };
    expect(await attempt('alice', 'postgres', 'nonsense')).toMatchObject({ C: '28000', D: 'code=AUTH_FAILED', M: 'The token was not accepted.' });
    expect(await attempt('bob', 'postgres', TOKEN)).toMatchObject({ C: '28000', D: 'code=AUTH_LOGIN_MISMATCH' });
    expect(await attempt('alice', 'template1', TOKEN)).toMatchObject({ C: '42501', D: 'code=SESSION_DENIED' });
  });
});

describe('messages', () => {
  test('P7: FunctionCall is refused by name', async () => {
    await using client = await login();
    client.send(message(70, int32(2121), int16(0), int16(0), int16(0)));
    const answers = await client.ready();
    expect(types(answers)).toBe('EZ');
    expect(errorOf(answers)).toMatchObject({ C: '0A000', D: 'code=UNSUPPORTED' });
    expect((await gateway.events()).findLast((event) => event.type === 'statement.refused')).toMatchObject({ code: 'UNSUPPORTED', by: 'support' });
  });

  test('P14: NUL in a text, trailing bytes and impossible lengths end the connection', async () => {
    const bad = [
      message(81, Buffer.from('SELECT 1\0; DROP TABLE payments\0')),
      message(81, Buffer.from('SELECT 1')),
      message(80, '', 'SELECT 1', int16(3)),
      message(66, '', '', int16(0), int16(2), int32(1), Buffer.from('1')),
      message(66, '', '', int16(0), int16(1), int32(-2), int16(0)),
      Buffer.from('517fffffff41', 'hex'),
      Buffer.from('5100000003', 'hex'),
      Buffer.from('70000000096162636400', 'hex'),
    ];
    for (const bytes of bad) {
      await using client = await login();
      client.send(bytes);
      expect(errorOf(await client.end()), bytes.toString('hex')).toMatchObject({ S: 'FATAL', C: '08P01' });
    }
    expect(await payments()).toBe(10);
  });

  test('a statement over the limit is refused, and the session goes on', async () => {
    await using client = await login();
    client.send(say.query(`SELECT '${'x'.repeat(1_100_000)}'`));
    expect(errorOf(await client.ready())).toMatchObject({ C: '54000', D: 'code=BUDGET_TEXT' });
    client.send(say.query('SELECT 7'));
    expect(firstColumn(await client.ready())).toEqual(['7']);
  });

  test('P22: a denied tail denies the whole message', async () => {
    await using client = await login();
    client.send(say.query("INSERT INTO payments VALUES (99, 'x'); SELECT 'DENIED'"));
    expect(errorOf(await client.ready())).toMatchObject({ C: '42501' });
    expect(await payments()).toBe(10);
  });

  test('P11: a denial in the middle of a segment undoes what came before and drops what follows', async () => {
    await using client = await login();
    client.send(
      say.parse('', "INSERT INTO payments VALUES (99, 'x')"),
      say.bind('', ''),
      say.execute(''),
      say.parse('', "SELECT 'DENIED'"),
      say.bind('', ''),
      say.execute(''),
      say.parse('', "INSERT INTO payments VALUES (98, 'after')"),
      say.bind('', ''),
      say.execute(''),
      say.sync,
      say.query('SELECT 1'),
    );
    const answers = await client.ready();
    expect(types(answers)).toBe('12CEZ');
    expect(errorOf(answers)).toMatchObject({ C: '42501', M: 'refused by policy: not this one' });
    expect(firstColumn(await client.ready())).toEqual(['1']);
    expect(await payments()).toBe(10);
    expect(relay.reached('DENIED')).toBe(false);
    expect(relay.reached("98, 'after'")).toBe(false);
  });

  test('P11: an error of the server skips to Sync, denied or not', async () => {
    await using client = await login();
    client.send(
      say.parse('', 'SELECT 1/0'),
      say.bind('', ''),
      say.execute(''),
      say.parse('', "SELECT 'DENIED'"),
      say.bind('', ''),
      say.execute(''),
      say.sync,
    );
    expect(errorOf(await client.ready())).toMatchObject({ C: '22012' });
    client.send(say.query('SELECT 2'));
    expect(firstColumn(await client.ready())).toEqual(['2']);
  });

  test('P11: the target drops a segment in which parameters still wait for their execution: so do we, and the session goes on', async () => {
    await using client = await login();
    client.send(say.parse('q', 'SELECT n FROM nowhere'), say.flush, say.bind('', 'q'), say.close('S', 'q'));
    expect(errorOf(await client.until('E'))).toMatchObject({ C: '42P01' });
    client.send(say.sync);
    expect(types(await client.ready())).toBe('Z');
    client.send(say.parse('q', 'SELECT 7'), say.bind('', 'q'), say.execute(''), say.sync);
    const answers = await client.ready();
    expect(types(answers)).toBe('12DCZ');
    expect(firstColumn(answers)).toEqual(['7']);
  });

  test('P11: Flush ends a part of a segment; a denial after it still undoes it', async () => {
    await using client = await login();
    client.send(say.parse('', "INSERT INTO payments VALUES (97, 'x')"), say.bind('', ''), say.execute(''), say.flush);
    expect(types(await client.until('C'))).toBe('12C');
    client.send(say.parse('', "SELECT 'DENIED'"), say.flush);
    expect(types(await client.until('E'))).toBe('E');
    client.send(say.bind('', ''), say.execute(''), say.sync);
    expect(types(await client.ready())).toBe('Z');
    expect(await payments()).toBe(10);
  });

  test('P11: extended messages, then a denied Query, in one write', async () => {
    await using client = await login();
    client.send(say.parse('', 'SELECT 1'), say.bind('', ''), say.execute(''), say.query("SELECT 'DENIED'"), say.sync);
    expect(types(await client.ready())).toBe('12DCEZ');
    expect(types(await client.ready())).toBe('Z');
  });

  test('P12: a denial in a transaction aborts it; COMMIT answers ROLLBACK', async () => {
    await using client = await login();
    client.send(say.query('BEGIN'));
    expect(status(await client.ready())).toBe('T');
    client.send(say.query("INSERT INTO payments VALUES (96, 'x')"));
    await client.ready();
    client.send(say.query("SELECT 'DENIED'"));
    const denied = await client.ready();
    expect(types(denied)).toBe('EZ');
    expect(status(denied)).toBe('E');
    client.send(say.query("INSERT INTO payments VALUES (95, 'later')"));
    expect(errorOf(await client.ready())).toMatchObject({ C: '25P02' });
    expect(relay.reached('later')).toBe(false);
    client.send(say.query('COMMIT'));
    const committed = await client.ready();
    expect(committed[0]?.body.toString()).toBe('ROLLBACK\0');
    expect(status(committed)).toBe('I');
    expect(await payments()).toBe(10);
  });

  test('P12: a pipelined segment behind a denied one in a transaction does not reach the target', async () => {
    await using client = await login();
    client.send(say.query('BEGIN'));
    await client.ready();
    client.send(
      say.parse('', "SELECT 'DENIED'"),
      say.sync,
      say.parse('', "INSERT INTO payments VALUES (94, 'piped')"),
      say.bind('', ''),
      say.execute(''),
      say.sync,
    );
    expect(errorOf(await client.ready())).toMatchObject({ C: '42501' });
    expect(errorOf(await client.ready())).toMatchObject({ C: '25P02' });
    expect(relay.reached('piped')).toBe(false);
  });

  test('P12: what is pipelined behind the ROLLBACK of a refused transaction runs', async () => {
    await using client = await login();
    client.send(say.query('BEGIN'), say.query("SELECT 'DENIED'"), say.query('ROLLBACK'), say.query('SELECT 5'));
    await client.ready();
    expect(errorOf(await client.ready())).toMatchObject({ C: '42501' });
    expect(status(await client.ready())).toBe('I');
    expect(firstColumn(await client.ready())).toEqual(['5']);
  });

  test('P12: a savepoint saves the transaction if the client goes back to it', async () => {
    await using client = await login();
    for (const text of ['BEGIN', "INSERT INTO payments VALUES (93, 'kept')", 'SAVEPOINT s']) {
      client.send(say.query(text));
      await client.ready();
    }
    client.send(say.query("SELECT 'DENIED'"));
    expect(status(await client.ready())).toBe('E');
    client.send(say.query('ROLLBACK TO SAVEPOINT s'));
    expect(status(await client.ready())).toBe('T');
    client.send(say.query('COMMIT'));
    expect((await client.ready())[0]?.body.toString()).toBe('COMMIT\0');
    expect(await payments()).toBe(11);
    await server.query('DELETE FROM payments WHERE id = 93');
  });

  test('P13: COPY FROM is refused, and the data behind it is dropped', async () => {
    await using client = await login();
    client.send(say.query('COPY payments FROM STDIN'), message(100, Buffer.from('1\t2\n')), message(99), say.query('SELECT 3'));
    expect(errorOf(await client.ready())).toMatchObject({ C: '0A000' });
    expect(firstColumn(await client.ready())).toEqual(['3']);
  });

  test('P9: SQL cannot name what the protocol prepared, nor the other way round', async () => {
    await using client = await login();
    client.send(say.parse('shared', 'SELECT 4'), say.sync);
    await client.ready();
    for (const text of ['EXECUTE shared', 'PREPARE other AS SELECT 1', 'DECLARE c CURSOR FOR SELECT 1', 'FETCH ALL FROM shared', 'LISTEN x']) {
      client.send(say.query(text));
      expect(errorOf(await client.ready()), text).toMatchObject({ C: '0A000' });
    }
    client.send(say.query('SELECT name FROM pg_prepared_statements'));
    expect(firstColumn(await client.ready())).not.toContain('shared');
    client.send(say.bind('', 'other'), say.sync);
    expect(errorOf(await client.ready())).toMatchObject({ C: '26000', M: 'prepared statement "other" does not exist' });
    client.send(say.execute('nowhere'), say.sync);
    expect(errorOf(await client.ready())).toMatchObject({ C: '34000' });
  });

  test('P9: a name whose definition failed does not stand for what it should have become', async () => {
    await using client = await login();
    client.send(say.parse('s', "SELECT 'old'"), say.sync);
    await client.ready();
    // the first segment fails, so the target still has the old text; the second was judged with the new one in mind
    client.send(say.parse('bad', 'SELECT FROM nowhere'), say.close('S', 's'), say.parse('s', "SELECT 'new'"), say.sync);
    client.send(say.bind('', 's'), say.execute(''), say.sync);
    expect(errorOf(await client.ready())).toMatchObject({ C: '42P01' });
    expect(firstColumn(await client.ready())).toEqual(['old']);
    expect(gateway.decisions.texts.at(-1)).toBe("SELECT 'old'");
  });

  test('P9: DEALLOCATE, CLOSE and DISCARD follow the names', async () => {
    await using client = await login();
    client.send(say.parse('One', 'SELECT 1'), say.parse('two', 'SELECT 2'), say.sync);
    await client.ready();
    client.send(say.query('DEALLOCATE "One"'));
    expect(types(await client.ready())).toBe('CZ');
    client.send(say.bind('', 'One'), say.sync);
    expect(errorOf(await client.ready())).toMatchObject({ C: '26000' });
    client.send(say.parse('One', 'SELECT 11'), say.bind('', 'One'), say.execute(''), say.bind('', 'two'), say.execute(''), say.sync);
    expect(firstColumn(await client.ready())).toEqual(['11', '2']);
    client.send(say.query('DISCARD ALL'));
    expect(types(await client.ready())).toMatch(/CZ$/);
    client.send(say.bind('', 'two'), say.sync);
    expect(errorOf(await client.ready())).toMatchObject({ C: '26000' });
    client.send(say.parse('two', 'SELECT 22'), say.bind('', 'two'), say.execute(''), say.sync);
    expect(firstColumn(await client.ready())).toEqual(['22']);
  });

  test('P15, P16: pins stay, whatever policy says', async () => {
    await using client = await login();
    for (const text of [
      "SET client_encoding = 'GBK'",
      "SET NAMES 'SJIS'",
      'SET standard_conforming_strings = off',
      "SELECT set_config('backslash_quote', 'on', false)",
      'SET LOCAL transform_null_equals = on',
    ]) {
      client.send(say.query(text));
      expect(errorOf(await client.ready()), text).toMatchObject({ D: 'code=PIN_REFUSED' });
    }
    client.send(say.query("SET client_encoding TO 'utf8'"));
    expect(types(await client.ready())).toMatch(/CZ$/);
  });

  test('P15: a pin that moved behind our back ends the session', async () => {
    await using client = await login();
    client.send(say.query("DO $$ BEGIN PERFORM set_config('standard_' || 'conforming_strings', 'off', false); END $$"));
    await client.ready();
    client.send(say.query('SELECT 1'));
    expect(errorOf(await client.end())).toMatchObject({ S: 'FATAL', D: 'code=PIN_REFUSED' });
  });

  test('P16: settings that change meaning are those of the target', async () => {
    await using client = await login();
    const seen = async (): Promise<string | undefined> => {
      client.send(say.query('SELECT 1'));
      await client.ready();
      return gateway.decisions.moments.at(-1)?.settings['search_path'];
    };
    const run = async (text: string): Promise<void> => {
      client.send(say.query(text));
      await client.ready();
    };
    expect(await seen()).toBe('"$user", public');
    await run('SET search_path TO pg_catalog, public');
    expect(await seen()).toBe('pg_catalog, public');
    await run('BEGIN');
    await run('SET LOCAL search_path TO a');
    expect(await seen()).toBe('a');
    await run('SAVEPOINT s');
    await run("SELECT set_config('search' || '_path', 'b', false)");
    expect(await seen()).toBe('b');
    await run('ROLLBACK TO s');
    expect(await seen()).toBe('a');
    await run('ROLLBACK');
    expect(await seen()).toBe('pg_catalog, public');
    client.send(
      say.parse('', "SET search_path TO 'x'"),
      say.bind('', ''),
      say.execute(''),
      say.parse('', 'SELECT 1'),
      say.bind('', ''),
      say.execute(''),
      say.sync,
    );
    await client.ready();
    expect(gateway.decisions.moments.at(-1)?.settings['search_path']).toBe('x');
    await run('DISCARD ALL');
    expect(await seen()).toBe('"$user", public');
  });

  test('P6: a cancel request needs the key of the session and its address', async () => {
    await using client = await RawClient.connect(gateway.port);
    client.send(startup({ user: 'alice', database: 'postgres' }));
    await client.until('R');
    client.send(message(112, TOKEN));
    const key = (await client.ready()).find((answer) => answer.type === 'K')?.body ?? Buffer.alloc(8);
    client.send(say.query("SELECT pg_sleep(20), 'cancel-me'"));
    await expect
      .poll(
        async () =>
          (await server.query("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%cancel-me%' AND state = 'active' AND pid <> pg_backend_pid()"))
            .rowCount,
      )
      .toBe(1);
    const cancel = async (secret: Buffer): Promise<void> => {
      await using other = await RawClient.connect(gateway.port);
      other.send(int32(16), int32(CODE.cancel), key.subarray(0, 4), secret);
      await other.end();
    };
    await cancel(Buffer.from([1, 2, 3, 4]));
    expect(gateway.enforcer.sessions().some((session) => session.state === 'active')).toBe(true);
    await cancel(key.subarray(4));
    expect(errorOf(await client.ready())).toMatchObject({ C: '57014' });
  });

  test('invariant 2: each statement is cleared before it is finished, once', async () => {
    const events = await gateway.events();
    const cleared = events.filter((event) => event.type === 'statement.cleared').map((event) => event.statement_id);
    const finished = events.filter((event) => event.type === 'statement.finished').map((event) => event.statement_id);
    expect(new Set(cleared).size).toBe(cleared.length);
    expect(new Set(finished)).toEqual(new Set(cleared));
    expect(finished.length).toBe(cleared.length);
  });
});

describe('I2, I3: the parameters of an execution that is refused', () => {
  const TEXT = 'SELECT $1::text /* when executed */';
  const bind = say.bind('', 'refused', ['SECRET_OF_THE_REFUSED']);

  test.each([
    ['at once', [bind, say.execute(''), say.sync]],
    ['described first', [bind, say.describe('P', ''), say.execute(''), say.sync]],
    ['behind another execution', [say.parse('', 'SELECT 1'), say.bind('', ''), say.execute(''), bind, say.execute(''), say.sync]],
  ])('never leave, %s', async (_how, messages) => {
    await using client = await login();
    client.send(say.parse('refused', TEXT), say.sync);
    await client.ready();
    relay.clear();
    client.send(...messages);
    const answer = await client.ready();
    expect(errorOf(answer)).toMatchObject({ C: '42501' });
    expect(status(answer)).toBe('I');
    expect(relay.reached('SECRET_OF_THE_REFUSED')).toBe(false);
    // and the session goes on: the name of the portal means nothing, the statement stands
    client.send(say.query('SELECT 42'));
    expect(firstColumn(await client.ready())).toEqual(['42']);
    client.send(say.execute(''), say.sync);
    expect(errorOf(await client.ready())).toMatchObject({ C: '34000' });
  });

  test('byte by byte, and what is allowed passes in its order', async () => {
    await using client = await login();
    client.send(say.parse('fine', 'SELECT $1::text'), say.sync);
    await client.ready();
    for (const byte of Buffer.concat([say.bind('', 'fine', ['PASSES']), say.describe('P', ''), say.execute(''), say.sync]))
      client.send(Buffer.of(byte));
    const answer = await client.ready();
    expect(types(answer)).toBe('2TDCZ');
    expect(firstColumn(answer)).toEqual(['PASSES']);
  });
});
