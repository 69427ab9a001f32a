/** A3: the transaction around an approved write, on a real server: what it holds, what it counts, and that a client sees none of it. */
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CODE, int32 } from '#enforcers/postgres/protocol';
import { LIMITS } from '#enforcers/common/limits';
import { type ApprovingGateway, ASK, refusalOf, startApproving } from '#test/support/approving-gateway';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { TOKEN } from '#test/support/postgres-gateway';
import { errorOf, RawClient, say, status, types } from '#test/support/raw-postgres';
import { socketOf } from '#test/support/approval-shop';

let server: PostgresServer;
let desk: ApprovingGateway;
/** A key that an administrator holds while a statement is to be caught in the middle. */
const GATE = 4711;
const WAITS = `pg_advisory_xact_lock(${GATE}) IS NOT NULL`;

beforeAll(async () => {
  server = await startPostgres({ major: 15 });
  desk = await startApproving({ server });
});
afterAll(async () => {
  await desk?.[Symbol.asyncDispose]();
  await server?.stop();
});
beforeEach(async () => {
  desk.ask({});
  await server.query(`DROP SCHEMA public CASCADE; CREATE SCHEMA public;
    CREATE TABLE payments (id int PRIMARY KEY, n int NOT NULL); INSERT INTO payments SELECT i, 0 FROM generate_series(1, 100) i; ANALYZE payments`);
});
afterEach(async () => {
  for (const left of desk.book.list({ state: ['open', 'approved'] })) await desk.book.supersede(left.approval_id, 'the test is over');
});

const sum = async (): Promise<number> => Number((await server.query<{ sum: string }>('SELECT sum(n) FROM payments')).rows[0]?.sum);
const outcomes = async (text: string): Promise<string[]> =>
  (await desk.finished(text)).map(({ outcome, sqlstate }) => `${outcome} ${sqlstate ?? ''}`.trim());

/** Runs it approved, in a client of its own. */
async function run(text: string, before: readonly string[] = [], values: readonly unknown[] = []): Promise<pg.QueryResult> {
  const client = await desk.client();
  try {
    for (const sql of before) await client.query(sql);
    return await desk.approved(client.query(`${text} ${ASK}`, [...values]), text);
  } finally {
    await client.end();
  }
}

async function administrator(): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** Resolves once something waits for a lock, and has for so long. */
async function somebodyWaits(ms: number = 0): Promise<void> {
  const long = `wait_event_type = 'Lock' AND clock_timestamp() - query_start > '${ms} ms'`;
  const waiting = async (): Promise<number> =>
    Number((await server.query<{ n: string }>(`SELECT count(*) AS n FROM pg_stat_activity WHERE ${long}`)).rows[0]?.n);
  await expect.poll(waiting, { timeout: 10_000, interval: 10 }).not.toBe(0);
}

describe('the ceiling', () => {
  test('statistics are stale: the estimate is wrong, and what was not foreseen is rolled back', async () => {
    await server.query('CREATE TABLE stale (id int); ALTER TABLE stale SET (autovacuum_enabled = off); INSERT INTO stale VALUES (1); ANALYZE stale');
    await server.query('INSERT INTO stale SELECT generate_series(2, 1512)');
    desk.ask({ rows_max: 1_200 });
    const why = await refusalOf(run('DELETE FROM stale'));
    expect(why).toMatchObject({ code: 'IL003', detail: expect.stringMatching(/^decision=dec_\w+ policy=\S+ code=\w+ approval=apr_\w+$/) });
    expect(why.message).toMatch(/^approval apr_\w+ no longer fits: it touched 1,512 rows, and it was approved for at most 1,200$/);
    expect((await server.query('SELECT FROM stale')).rowCount).toBe(1512);
    expect(await outcomes('DELETE FROM stale')).toEqual(['aborted IL003']);
  });

  test('twice what was estimated passes; the reviewer saw the number, and the plan', async () => {
    const client = await desk.client();
    const running = client.query(`UPDATE payments SET n = 1 WHERE id <= 50 ${ASK}`);
    const view = await desk.opened('id <= 50');
    expect(view.estimate).toMatchObject({ state: 'ok', rows: expect.toSatisfy((rows: number) => rows >= 48 && rows <= 52) });
    expect(view.row_ceiling).toBe(2 * (view.estimate?.rows ?? 0));
    expect(view.plan_text).toMatch(/^Update on payments .*\n\s+->\s+Seq Scan on payments/);
    expect(view.binding.objects).toContainEqual(expect.stringMatching(/^table public\.payments \(oid \d+, definition sha256:[0-9a-f]{32}\)$/));
    await desk.approve(view.approval_id);
    expect((await running).rowCount).toBe(50);
    await client.end();
    expect(await outcomes('id <= 50')).toEqual(['ok']);
  });

  test('what triggers wrote counts, by table', async () => {
    await server.query(`CREATE TABLE log (id int); CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO log SELECT generate_series(1, NEW.n); RETURN NULL; END $$;
      CREATE TRIGGER log AFTER UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION log()`);
    desk.ask({ rows_max: 10 });
    expect((await run('UPDATE payments SET n = 1 WHERE id <= 10')).rowCount).toBe(10); // ten rows of each
    const why = await refusalOf(run('UPDATE payments SET n = 11 WHERE id = 20'));
    expect(why.message).toMatch(/it touched 11 rows of public\.log, and it was approved for at most 10$/);
    expect((await server.query('SELECT FROM log')).rowCount).toBe(10);
  });

  test('what a foreign key takes along counts', async () => {
    await server.query('CREATE TABLE lines (p int REFERENCES payments ON DELETE CASCADE); INSERT INTO lines SELECT 1 FROM generate_series(1, 30)');
    expect((await refusalOf(run('DELETE FROM payments WHERE id = 1'))).message).toMatch(/touched 30 rows of public\.lines, and .* at most 10$/);
    expect((await server.query('SELECT FROM payments')).rowCount).toBe(100);
  });

  test('what a function or a DO block wrote counts, though no command says how much', async () => {
    await server.query("CREATE FUNCTION purge() RETURNS void LANGUAGE sql AS 'DELETE FROM payments'");
    desk.ask({ rows_max: 10 });
    expect((await refusalOf(run('SELECT purge()'))).message).toContain('it touched 100 rows of public.payments');
    expect((await refusalOf(run("DO 'BEGIN DELETE FROM payments; END'"))).message).toContain('it touched 100 rows of public.payments');
    expect((await server.query('SELECT FROM payments')).rowCount).toBe(100);
    expect((await run("DO 'BEGIN DELETE FROM payments WHERE id = 1; END'")).command).toBe('DO');
    expect((await server.query('SELECT FROM payments')).rowCount).toBe(99);
  });

  test('of several statements in one text all count together, and all or none stay', async () => {
    const text = (rows: number): string => `UPDATE payments SET n = 1 WHERE id <= ${rows}; UPDATE payments SET n = n + 1 WHERE id > ${100 - rows}`;
    desk.ask({ rows_max: 10 });
    expect((await refusalOf(run(text(6)))).message).toContain('it touched 12 rows');
    expect(await sum()).toBe(0);
    expect(await run(text(5))).toMatchObject([{ rowCount: 5 }, { rowCount: 5 }]);
    expect(await sum()).toBe(10);
  });

  test('UPDATE … RETURNING: of what is rolled back no row reaches the client', async () => {
    desk.ask({ rows_max: 10 });
    await using client = await RawClient.login(desk.gateway.port, TOKEN);
    const text = `UPDATE payments SET n = 1 WHERE id <= 11 RETURNING id ${ASK}`;
    client.send(say.query(text));
    await desk.approve((await desk.opened(text)).approval_id);
    expect(types(await client.ready())).toBe('NEZ');
    client.send(say.parse('', text), say.bind('', ''), say.describe('P', ''), say.execute(''), say.sync);
    await desk.approve((await desk.opened(text)).approval_id);
    expect(types(await client.ready())).toBe('N1EZ'); // what Bind and Describe would be answered too: they leave with their execution
    expect(await sum()).toBe(0);
    expect((await run('UPDATE payments SET n = 1 WHERE id <= 10 RETURNING id')).rows).toHaveLength(10);
  });

  test('TRUNCATE does not tell how many rows it takes: under a ceiling it does not run', async () => {
    desk.ask({ rows_max: 1_000 });
    expect((await refusalOf(run('TRUNCATE payments'))).message).toContain('TRUNCATE does not tell how many rows it takes');
    desk.ask({});
    expect((await run('TRUNCATE payments')).command).toBe('TRUNCATE');
  });

  test("in the client's own transaction: it has failed, and stays so until the client ends it", async () => {
    desk.ask({ rows_max: 10 });
    for (const values of [[], ['50']]) {
      const client = await desk.client();
      await client.query('BEGIN');
      const text = values.length === 0 ? 'UPDATE payments SET n = 1 WHERE id <= 50' : 'UPDATE payments SET n = 1 WHERE id <= $1::int';
      const why = await refusalOf(desk.approved(client.query(`${text} ${ASK}`, values), text));
      expect(why).toMatchObject({ code: 'IL003' });
      expect(await refusalOf(client.query('SELECT 1'))).toMatchObject({ code: '25P02' });
      expect((await client.query('COMMIT')).command).toBe('ROLLBACK');
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
      await client.end();
    }
    expect(await sum()).toBe(0);
    expect((await run('UPDATE payments SET n = 1 WHERE id <= 10', ['BEGIN'])).rowCount).toBe(10);
    expect(await sum()).toBe(0); // the client left without COMMIT
  });

  test('what it answers is kept back, up to a limit', async () => {
    desk.ask({ rows_max: 10 });
    const why = await refusalOf(run(`UPDATE payments SET n = 1 WHERE id = 1 RETURNING repeat('x', ${LIMITS.withheldBytes})`));
    expect(why).toMatchObject({ code: '54000', detail: expect.stringContaining('approval=apr_') });
    expect(await sum()).toBe(0);
  });
});

describe('under its locks', () => {
  const WHILE = [
    'ALTER TABLE payments ADD COLUMN note text',
    'ALTER TABLE payments RENAME TO other',
    'DROP TABLE payments',
    'CREATE RULE gone AS ON UPDATE TO payments DO INSTEAD NOTHING',
    'CREATE TRIGGER noted BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
    'TRUNCATE payments',
  ];

  test.each(['ours', 'theirs'] as const)('nobody changes what was approved while it runs (%s)', async (whose) => {
    await using gate = await administrator();
    await gate.query(`SELECT pg_advisory_lock(${GATE})`);
    // held by its locks alone: it has touched nothing yet
    const running = run(`UPDATE payments SET n = 1 WHERE ${WAITS} AND id = 1`, whose === 'theirs' ? ['BEGIN'] : []);
    await somebodyWaits();
    await using other = await administrator();
    await other.query("SET lock_timeout = '50ms'");
    for (const sql of WHILE) expect(await refusalOf(other.query(sql)), sql).toMatchObject({ code: '55P03' });
    await gate.query(`SELECT pg_advisory_unlock(${GATE})`);
    expect((await running).rowCount).toBe(1);
  });

  test.each([
    ['ALTER TABLE payments ADD COLUMN note text', /now it is table public\.payments/],
    ['CREATE RULE gone AS ON UPDATE TO payments DO INSTEAD NOTHING', /now it is table public\.payments/],
    ['DROP TABLE payments', /the target said 42P01/],
    ['ALTER TABLE payments RENAME TO other; CREATE TABLE payments (id int, n int)', /now it is table public\.payments/],
  ])('who was first with %s is seen when the locks are there', async (sql, says) => {
    await using first = await administrator();
    const client = await desk.client();
    const text = 'UPDATE payments SET n = 2';
    const running = refusalOf(client.query(`${text} ${ASK}`));
    const { approval_id } = await desk.opened(text);
    await first.query(`BEGIN; LOCK TABLE payments IN ACCESS EXCLUSIVE MODE; ${sql}`);
    await desk.approve(approval_id);
    await somebodyWaits();
    await first.query('COMMIT');
    const why = await running;
    expect(why).toMatchObject({ code: 'IL003' });
    expect(why.message).toMatch(says);
    // nobody used it, nobody can any more, and nothing is tried again
    expect(desk.book.show(approval_id)).toMatchObject({ state: 'superseded', uses: 0 });
    expect(desk.book.list({ state: ['open', 'approved'] })).toEqual([]);
    expect(await outcomes(text)).toEqual([]);
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  test.each([
    [
      'a function that it calls has another body',
      'CREATE OR REPLACE FUNCTION due() RETURNS int LANGUAGE sql AS $$ SELECT 2 $$',
      /while it ran: approved with function public\.due/,
    ],
    [
      'a schema before it takes the name',
      'CREATE SCHEMA postgres; CREATE TABLE postgres.payments (id int, n int)',
      /while it ran: not there when .* postgres\.payments/,
    ],
  ])('what no lock prevents is seen before the COMMIT: %s', async (_name, sql, says) => {
    await server.query("CREATE FUNCTION due() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    for (const before of [[], ['BEGIN']]) {
      await using gate = await administrator();
      await gate.query(`SELECT pg_advisory_lock(${GATE})`);
      const running = refusalOf(run(`UPDATE payments SET n = due() WHERE ${WAITS} AND id < 5000`, before));
      await somebodyWaits();
      await server.query(sql);
      await gate.query(`SELECT pg_advisory_unlock(${GATE})`);
      const why = await running;
      expect(why).toMatchObject({ code: 'IL003' });
      expect(why.message).toMatch(says);
      await server.query("DROP SCHEMA IF EXISTS postgres CASCADE; CREATE OR REPLACE FUNCTION due() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    }
    expect(await sum()).toBe(0);
  });

  test('what it changes itself is no difference: DDL, and triggers that make partitions', async () => {
    expect((await run('ALTER TABLE payments ADD COLUMN note text')).command).toBe('ALTER');
    await server.query(`CREATE TABLE parted (id int) PARTITION BY LIST (id);
      CREATE FUNCTION part() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1); RETURN NULL; END $$;
      CREATE TRIGGER part BEFORE UPDATE ON payments FOR EACH STATEMENT EXECUTE FUNCTION part()`);
    expect((await run('UPDATE payments SET n = 1 WHERE id = 1 AND NOT EXISTS (SELECT FROM parted)')).rowCount).toBe(1);
  });

  /** A statement whose locks somebody else holds until `free`. */
  async function blocked(text: string, values: readonly unknown[] = []) {
    const other = await administrator();
    const client = await desk.client();
    const running = client.query(`${text} ${ASK}`, [...values]);
    const { approval_id } = await desk.opened(text);
    await other.query('BEGIN; LOCK TABLE payments IN ACCESS EXCLUSIVE MODE');
    await desk.approve(approval_id);
    const free = async (): Promise<void> => {
      await other.query('COMMIT');
      await other.end();
    };
    return { client, running, approvalId: approval_id, free, again: () => client.query(`${text} ${ASK}`, [...values]) };
  }

  test('A5: locks that others keep: not for ever, the approval is not used, and the next try has it', async () => {
    const text = 'UPDATE payments SET n = 3';
    const { client, running, approvalId, free, again } = await blocked(text);
    const why = await refusalOf(running);
    expect(why).toMatchObject({ code: '55P03', detail: `code=TARGET_BUSY approval=${approvalId}` });
    expect(why.message).toMatch(/^the target said 55P03 .*: canceling statement due to lock timeout$/);
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(await outcomes(text)).toEqual([]);
    expect(desk.book.show(approvalId)).toMatchObject({ state: 'approved', uses: 0 });
    await free();
    expect((await again()).rowCount).toBe(100);
    expect(desk.book.show(approvalId)).toMatchObject({ state: 'consumed', uses: 1 });
    expect(await outcomes(text)).toEqual(['ok']);
    // and never again
    await client.end();
    expect(desk.book.list({ state: ['open', 'approved'] })).toEqual([]);
  });

  test("the same in the client's own transaction, and with parameters that have not left", async () => {
    const text = 'UPDATE payments SET n = 4 WHERE id < 90';
    for (const values of [[], ['4']]) {
      await using client = await RawClient.login(desk.gateway.port, TOKEN);
      await using other = await administrator();
      const sql = `${text} ${values.length === 0 ? '' : 'AND id <> $1::int'} ${ASK}`;
      if (values.length === 0) {
        client.send(say.query('BEGIN'));
        await client.ready();
        client.send(say.query(sql));
      } else {
        client.send(say.parse('s', sql), say.sync);
        await client.ready();
        client.send(say.bind('', 's', values), say.execute(''), say.sync);
      }
      const { approval_id } = await desk.opened(text);
      await other.query('BEGIN; LOCK TABLE payments IN ACCESS EXCLUSIVE MODE');
      await desk.approve(approval_id);
      const answers = await client.ready();
      expect(errorOf(answers)).toMatchObject({ C: '55P03', D: `code=TARGET_BUSY approval=${approval_id}` });
      expect(status(answers)).toBe(values.length === 0 ? 'E' : 'I');
      expect(desk.book.show(approval_id)).toMatchObject({ state: 'approved', uses: 0 });
      await other.query('COMMIT');
      if (values.length === 0) {
        for (const sent of ['ROLLBACK', 'BEGIN', sql, 'COMMIT']) {
          client.send(say.query(sent));
          expect(types(await client.ready())).toBe('CZ');
        }
      } else {
        client.send(say.bind('', 's', values), say.execute(''), say.sync);
        expect(types(await client.ready())).toBe('2CZ');
      }
      expect(desk.book.show(approval_id)).toMatchObject({ state: 'consumed', uses: 1 });
    }
  });

  test('M6: locks that came late: it is decided anew, held for them as the record says, and runs once', async () => {
    const text = 'UPDATE payments SET n = 5';
    const { client, running, approvalId, free } = await blocked(text);
    await somebodyWaits(LIMITS.decisionReusedMs);
    await free();
    expect((await running).rowCount).toBe(100);
    await client.end();
    expect(desk.book.show(approvalId)).toMatchObject({ state: 'consumed', uses: 1 });
    expect((await desk.story(text)).map(({ type }) => type)).toEqual([
      'statement.received',
      'statement.decided',
      'statement.held',
      'statement.decided',
      'statement.held',
      'statement.decided',
      'statement.cleared',
      'statement.finished',
    ]);
  });

  test('A5: whoever has the locks but not the approval any more gives them back', async () => {
    const text = 'UPDATE payments SET n = 6';
    const { client, running, approvalId, free } = await blocked(text);
    await somebodyWaits();
    await desk.book.supersede(approvalId, 'somebody was faster');
    await free();
    expect(await refusalOf(running)).toMatchObject({ code: 'IL003' });
    await server.query("SET lock_timeout = '1s'; ALTER TABLE payments ADD COLUMN free int");
    expect((await client.query('SELECT sum(n) AS n FROM payments')).rows).toEqual([{ n: '0' }]);
    await client.end();
  });

  test("what the client's own Parse and Bind wait for, they wait for as without us", async () => {
    await using other = await administrator();
    const client = await desk.client();
    await client.query("SET lock_timeout = '50ms'");
    const text = 'UPDATE payments SET n = $1::int';
    const running = refusalOf(client.query(`${text} ${ASK}`, ['3']));
    const { approval_id } = await desk.opened(text);
    await other.query('BEGIN; LOCK TABLE payments IN ACCESS EXCLUSIVE MODE');
    await desk.approve(approval_id);
    const why = await running;
    expect(why).toMatchObject({ code: '55P03' });
    expect(why.detail).toBeUndefined(); // the server's own words
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(await outcomes(text)).toEqual([]);
    await client.end();
  });

  test("the client's own lock_timeout and statement_timeout are as they were", async () => {
    const client = await desk.client();
    await client.query("SET lock_timeout = '1234ms'; SET statement_timeout = '20s'");
    await client.query('BEGIN');
    const text = "UPDATE payments SET n = 1 WHERE id = 1 RETURNING current_setting('lock_timeout') AS own";
    expect((await desk.approved(client.query(`${text} ${ASK}`), text)).rows).toEqual([{ own: '1234ms' }]);
    expect((await client.query('SHOW lock_timeout')).rows).toEqual([{ lock_timeout: '1234ms' }]);
    await client.query('COMMIT');
    expect((await client.query('SHOW lock_timeout')).rows).toEqual([{ lock_timeout: '1234ms' }]);
    await client.end();
  });

  test('REPEATABLE READ and SERIALIZABLE: the snapshot is taken under the locks', async () => {
    for (const level of ['REPEATABLE READ', 'SERIALIZABLE']) {
      const client = await desk.client();
      await client.query(`BEGIN ISOLATION LEVEL ${level}`);
      const text = `UPDATE payments SET n = n + 1 WHERE id = 7 /* ${level} */`;
      const running = client.query(`${text} ${ASK}`);
      const { approval_id } = await desk.opened(text);
      await server.query('UPDATE payments SET n = n + 1 WHERE id = 7'); // would be a serialization failure for an older snapshot
      await desk.approve(approval_id);
      expect((await running).rowCount).toBe(1);
      await client.query('COMMIT');
      await client.end();
    }
    expect(await sum()).toBe(4);
  });
});

describe('what the client sees', () => {
  /** The same bytes to the gateway and to the server itself, each from the same rows: only the notice differs. */
  async function same(messages: readonly Buffer[][], approvals: number, before: readonly string[] = []): Promise<void> {
    await using direct = await RawClient.direct(server);
    await using ours = await RawClient.login(desk.gateway.port, TOKEN);
    const seen: string[][] = [];
    for (const client of [direct, ours]) {
      await server.query('TRUNCATE payments; INSERT INTO payments SELECT i, 0 FROM generate_series(1, 100) i');
      for (const sql of before) {
        client.send(say.query(sql));
        await client.ready();
      }
      const answers: string[] = [];
      for (const [index, parts] of messages.entries()) {
        client.send(...parts);
        if (client === ours && index < approvals) {
          await expect.poll(() => desk.book.list({ state: 'open' }).length, { timeout: 10_000, interval: 5 }).toBe(1);
          await desk.approve(desk.book.list({ state: 'open' })[0]?.approval_id ?? '');
        }
        for (const { type, body } of await client.ready())
          if (type !== 'N') answers.push(type === 'E' ? `E ${errorOf([{ type, body }])['C']}` : `${type} ${body.toString('latin1')}`);
      }
      seen.push(answers, [String(await sum())]);
    }
    expect(seen.slice(2)).toEqual(seen.slice(0, 2));
  }

  const update = (rows: number, more = ''): string => `UPDATE payments SET n = n + 1 WHERE id <= ${rows}${more} ${ASK}`;
  const plain = say.query('SELECT 1');

  test.each<[string, readonly Buffer[][], (readonly string[])?]>([
    ['one Query', [[say.query(update(3))], [plain]]],
    ['RETURNING', [[say.query(update(3, ' RETURNING id, n'))], [plain]]],
    ['two commands in one Query', [[say.query(`${update(3)}; SELECT count(*) FROM payments; ${update(2)}`)], [plain]]],
    ['a Query that fails', [[say.query(`UPDATE payments SET n = 1 / 0 ${ASK}`)], [plain]]],
    ['the second of two commands fails', [[say.query(`${update(3)}; UPDATE payments SET n = 1 / (n - n)`)], [plain]]],
    ['a Query behind BEGIN', [[say.query(update(3))], [plain], [say.query('COMMIT')]], ['BEGIN']],
    ['a Query that fails behind BEGIN', [[say.query(`UPDATE payments SET n = 1 / 0 ${ASK}`)], [plain], [say.query('COMMIT')]], ['BEGIN']],
    ['Parse to Sync', [[say.parse('', update(3)), say.bind('', ''), say.describe('P', ''), say.execute(''), say.sync], [plain]]],
    [
      'Parse to Sync with RETURNING and a parameter',
      [
        [
          say.parse('', `UPDATE payments SET n = $1::int RETURNING id ${ASK}`),
          say.bind('', '', ['4']),
          say.describe('P', ''),
          say.execute(''),
          say.sync,
        ],
        [plain],
      ],
    ],
    ['an execution that fails', [[say.parse('', `UPDATE payments SET n = 1 / 0 ${ASK}`), say.bind('', ''), say.execute(''), say.sync], [plain]]],
    ['a Bind that fails', [[say.parse('', `UPDATE payments SET n = $1::int ${ASK}`), say.bind('', '', ['x']), say.execute(''), say.sync], [plain]]],
    [
      'what follows in the same segment is committed with it',
      [
        [
          say.parse('', update(3)),
          say.bind('', ''),
          say.execute(''),
          say.parse('', 'INSERT INTO payments VALUES (1001, 5)'),
          say.bind('', ''),
          say.execute(''),
          say.sync,
        ],
        [plain],
      ],
    ],
    [
      'what follows in the same segment fails, and takes it along',
      [
        [
          say.parse('', update(3)),
          say.bind('', ''),
          say.execute(''),
          say.parse('', 'INSERT INTO payments VALUES (1, 5)'),
          say.bind('', ''),
          say.execute(''),
          say.sync,
        ],
        [plain],
      ],
    ],
    [
      'Parse to Sync behind BEGIN',
      [[say.parse('', update(3)), say.bind('', ''), say.execute(''), say.sync], [plain], [say.query('COMMIT')]],
      ['BEGIN'],
    ],
  ])('%s: the same messages as without the gateway', (_name, messages, before) => same(messages, 1, before));

  test('a named statement, executed again and again, asks each time and runs once each', async () => {
    await using client = await RawClient.login(desk.gateway.port, TOKEN);
    client.send(say.parse('s', update(1)), say.sync);
    expect(types(await client.ready())).toBe('1Z');
    for (let time = 1; time <= 3; time++) {
      client.send(say.bind('', 's'), say.execute(''), say.sync);
      await desk.approve((await desk.opened(update(1))).approval_id);
      expect(types(await client.ready())).toBe('N2CZ');
      expect(await sum()).toBe(time);
    }
  });

  test('Flush: an answer that the client waits for comes, and the COMMIT with Sync', async () => {
    await using client = await RawClient.login(desk.gateway.port, TOKEN);
    const text = update(2, ' /* Flush */');
    client.send(say.parse('', text), say.flush);
    expect(types(await client.until('1'))).toBe('1');
    client.send(say.bind('', ''), say.execute(''), say.flush);
    await desk.approve((await desk.opened(text)).approval_id);
    expect(types(await client.until('C'))).toBe('N2C');
    expect(await sum()).toBe(0);
    client.send(say.sync);
    const end = await client.ready();
    expect(types(end)).toBe('Z');
    expect(status(end)).toBe('I');
    expect(await sum()).toBe(2);
    expect(await outcomes(text)).toEqual(['ok']);
  });

  test('what follows in the same segment is whole, however long', async () => {
    await using client = await RawClient.login(desk.gateway.port, TOKEN);
    const text = update(2, ' /* and more */');
    const long = `SELECT repeat('x', ${LIMITS.withheldBytes / 4}) FROM generate_series(1, 6)`;
    client.send(say.parse('', text), say.bind('', ''), say.execute(''), say.parse('', long), say.bind('', ''), say.execute(''), say.sync);
    await desk.approve((await desk.opened(text)).approval_id);
    const answers = await client.ready();
    expect(types(answers)).toBe('N12C12DDDDDDCZ');
    expect(answers.filter(({ type }) => type === 'D').map(({ body }) => body.length)).toEqual(Array(6).fill(LIMITS.withheldBytes / 4 + 6));
    expect(await sum()).toBe(2);
  });

  test('the target ends while it runs: the client is told, and the record knows that nothing stayed', async () => {
    await using gate = await administrator();
    await gate.query(`SELECT pg_advisory_lock(${GATE})`);
    const client = await desk.client();
    const text = `UPDATE payments SET n = 1 WHERE ${WAITS} AND id < 3000`;
    const running = refusalOf(desk.approved(client.query(`${text} ${ASK}`), text));
    await somebodyWaits();
    await server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    expect(await running).toMatchObject({ severity: 'FATAL', detail: 'code=TARGET_UNREACHABLE' });
    await expect.poll(() => outcomes(text)).toEqual([expect.stringMatching(/^aborted/)]);
    expect(await sum()).toBe(0);
  });

  test('a Query in the place of Sync: what ran before is committed first', async () => {
    await using client = await RawClient.login(desk.gateway.port, TOKEN);
    client.send(say.parse('', update(2)), say.bind('', ''), say.execute(''), say.query('SELECT 1'));
    await desk.approve((await desk.opened(update(2))).approval_id);
    expect(types(await client.ready())).toBe('N12CTDCZ');
    expect(await sum()).toBe(2);
  });

  test.each([{ values: [] }, { values: ['1'] }])(
    'what only shows at COMMIT reaches the client as the error of the server ($values)',
    async ({ values }) => {
      await server.query('CREATE TABLE lines (p int REFERENCES payments DEFERRABLE INITIALLY DEFERRED)');
      const client = await desk.client();
      const text = values.length === 0 ? 'INSERT INTO lines VALUES (1001)' : 'INSERT INTO lines VALUES ($1::int + 1000)';
      const why = await refusalOf(desk.approved(client.query(`${text} ${ASK}`, values), text));
      expect(why).toMatchObject({ code: '23503', constraint: 'lines_p_fkey' });
      expect((await server.query('SELECT FROM lines')).rowCount).toBe(0);
      expect(await outcomes(text)).toEqual(['error 23503']);
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
      await client.end();
    },
  );

  test('Ctrl-C while it runs: 57014, and nothing stays', async () => {
    await using gate = await administrator();
    await gate.query(`SELECT pg_advisory_lock(${GATE})`);
    const client = await desk.client();
    const text = `UPDATE payments SET n = 1 WHERE ${WAITS} AND id < 1000`;
    const running = refusalOf(desk.approved(client.query(`${text} ${ASK}`), text));
    await somebodyWaits();
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    await using canceller = await RawClient.connect(desk.gateway.port);
    canceller.send(int32(16), int32(CODE.cancel), int32(processID), int32(secretKey));
    expect(await running).toMatchObject({ code: '57014' });
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    expect(await outcomes(text)).toEqual(['cancelled 57014']);
    expect(await sum()).toBe(0);
  });

  test('a client that leaves while it runs: nothing stays, and the record says so', async () => {
    await using gate = await administrator();
    await gate.query(`SELECT pg_advisory_lock(${GATE})`);
    const client = await desk.client();
    const text = `UPDATE payments SET n = 1 WHERE ${WAITS} AND id < 2000`;
    const running = client.query(`${text} ${ASK}`).catch(() => 'lost');
    await desk.approve((await desk.opened(text)).approval_id);
    await somebodyWaits();
    socketOf(client).destroy();
    expect(await running).toBe('lost');
    await gate.query(`SELECT pg_advisory_unlock(${GATE})`);
    await expect.poll(() => desk.gateway.enforcer.sessions().length).toBe(0);
    expect(await outcomes(text)).toEqual(['aborted']);
    expect(await sum()).toBe(0);
  });
});

describe('what has no transaction around it', () => {
  test.each([
    ['VACUUM payments', 'cannot run inside a transaction'],
    ['CREATE DATABASE other', 'cannot run inside a transaction'],
    ['CREATE INDEX CONCURRENTLY i ON payments (n)', 'cannot run inside a transaction'],
    ['ALTER SYSTEM SET work_mem = 1000', 'cannot run inside a transaction'],
    ['BEGIN; DELETE FROM payments; COMMIT', 'transaction control in one message'],
    ['DELETE FROM payments; ROLLBACK', 'transaction control in one message'],
  ])('%s is refused by name, and nobody is asked', async (text, says) => {
    const client = await desk.client();
    const why = await refusalOf(client.query(`${text} ${ASK}`));
    expect(why).toMatchObject({ code: '0A000', detail: 'code=UNSUPPORTED' });
    expect(why.message).toContain(says);
    expect(desk.book.list({ state: 'open' })).toEqual([]);
    await client.end();
  });

  test('a row limit at Execute would hide how much was written: refused by name', async () => {
    await using client = await RawClient.login(desk.gateway.port, TOKEN);
    client.send(say.parse('', `UPDATE payments SET n = 1 RETURNING id ${ASK}`), say.bind('', ''), say.execute('', 5), say.sync);
    const answers = await client.ready();
    expect(errorOf(answers)).toMatchObject({ C: '0A000' });
    expect(errorOf(answers)['M']).toContain('a row limit at Execute');
  });

  test('transaction control behind an approved execution in the same segment: refused by name, and all of it is taken back', async () => {
    await using client = await RawClient.login(desk.gateway.port, TOKEN);
    const text = `UPDATE payments SET n = 1 ${ASK}`;
    client.send(say.parse('', text), say.bind('', ''), say.execute(''), say.parse('', 'COMMIT'), say.bind('', ''), say.execute(''), say.sync);
    await desk.approve((await desk.opened(text)).approval_id);
    const answers = await client.ready();
    expect(errorOf(answers)).toMatchObject({ C: '0A000' });
    expect(status(answers)).toBe('I');
    expect(await sum()).toBe(0);
    expect(await outcomes(text)).toEqual(['aborted']);
  });

  test('a second one that needs an approval before Sync: refused by name, and the first is taken back', async () => {
    await using any = await startApproving({ server, inTransaction: 'any' });
    await using client = await RawClient.login(any.gateway.port, TOKEN);
    const [one, two] = [`UPDATE payments SET n = 1 WHERE id = 1 ${ASK}`, `UPDATE payments SET n = 1 WHERE id = 2 ${ASK}`];
    client.send(say.parse('', one), say.bind('', ''), say.execute(''), say.parse('', two), say.bind('', ''), say.execute(''), say.sync);
    await any.approve((await any.opened(one)).approval_id);
    const answers = await client.ready();
    expect(errorOf(answers)).toMatchObject({ C: '0A000' });
    expect(errorOf(answers)['M']).toContain('a second execution that needs an approval before Sync');
    expect(await sum()).toBe(0);
    expect((await any.finished(one)).map(({ outcome }) => outcome)).toEqual(['aborted']);
  });

  test('a procedure cannot end the transaction that it runs in', async () => {
    await server.query('CREATE PROCEDURE sly() LANGUAGE plpgsql AS $$ BEGIN UPDATE payments SET n = 1; COMMIT; END $$');
    expect(await refusalOf(run('CALL sly()'))).toMatchObject({ code: '2D000' });
    expect(await sum()).toBe(0);
  });

  test('reads stream as they come, in batches too, after the same look at their names', async () => {
    await using client = await RawClient.login(desk.gateway.port, TOKEN);
    const text = `SELECT id FROM payments ORDER BY id ${ASK}`;
    client.send(say.parse('', text), say.bind('', ''), say.execute('', 2), say.flush);
    await desk.approve((await desk.opened(text)).approval_id);
    expect(types(await client.until('s'))).toBe('N12DDs');
    client.send(say.execute('', 1), say.sync);
    expect(types(await client.ready())).toBe('DsZ');
    expect((await run('SELECT id FROM payments')).rows).toHaveLength(100);
  });

  test('settings are set, and stay', async () => {
    const client = await desk.client();
    await desk.approved(client.query(`SET work_mem = '5MB' ${ASK}`), 'SET work_mem');
    expect((await client.query('SHOW work_mem')).rows).toEqual([{ work_mem: '5MB' }]);
    await client.end();
  });
});

describe('the estimate', () => {
  async function estimated(text: string, values: readonly unknown[] = []): Promise<object | undefined> {
    const client = await desk.client();
    const lost = client.query(`${text} ${ASK}`, [...values]).catch(() => {});
    const { approval_id, estimate } = await desk.opened(text);
    await desk.book.supersede(approval_id, 'seen');
    await lost;
    await client.end();
    return estimate;
  }

  test('with the values that were bound', async () => {
    const about = (rows: number): object => ({ state: 'ok', rows: expect.toSatisfy((found: number) => Math.abs(found - rows) <= 2) });
    expect(await estimated('DELETE FROM payments WHERE id <= $1', [30])).toMatchObject(about(30));
    expect(await estimated('DELETE FROM payments WHERE id <= $1', [60])).toMatchObject(about(60));
    expect(await estimated('DELETE FROM payments; INSERT INTO payments SELECT generate_series(1, 7), 0')).toMatchObject({ state: 'ok', rows: 107 });
    expect(await estimated('WITH gone AS (DELETE FROM payments RETURNING id) SELECT count(*) FROM gone')).toMatchObject({ state: 'ok', rows: 100 });
  });

  test('code of users is not run for it: planning folds immutable functions', async () => {
    await server.query(`CREATE TABLE ran (x int); CREATE FUNCTION sly() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'it ran'; END $$;
      CREATE VIEW hidden AS SELECT * FROM payments WHERE n = sly()`);
    const refused = { state: 'refused', detail: expect.stringContaining('public.sly') };
    expect(await estimated('DELETE FROM payments WHERE n = sly()')).toMatchObject(refused);
    expect(await estimated('DELETE FROM hidden')).toMatchObject(refused);
  });

  test('no plan: utility statements, what is not there, and a target that does not answer in time', async () => {
    expect(await estimated('CREATE TABLE other (id int)')).toMatchObject({ state: 'none' });
    expect(await estimated('DELETE FROM nowhere')).toMatchObject({ state: 'error', detail: expect.stringContaining('42P01') });
    await using other = await administrator();
    await other.query('BEGIN; LOCK TABLE payments IN ACCESS EXCLUSIVE MODE');
    expect(await estimated('DELETE FROM payments')).toMatchObject({ state: 'timeout' });
  });
});

test('A2: a portal that was bound before its transaction moved another object behind the name is not approved', async () => {
  await using any = await startApproving({ server, inTransaction: 'any' });
  await using client = await RawClient.login(any.gateway.port, TOKEN);
  for (const sql of ['CREATE TEMP VIEW orders AS SELECT * FROM payments', 'BEGIN']) {
    client.send(say.query(sql));
    await client.ready();
  }
  client.send(say.parse('', `DELETE FROM orders ${ASK}`), say.bind('p', ''), say.sync);
  expect(types(await client.ready())).toBe('12Z');
  client.send(say.query('ALTER VIEW orders RENAME TO gone'));
  await client.ready();
  client.send(say.execute('p'), say.sync);
  expect(errorOf(await client.ready())['D']).toContain('code=PREPARED_STALE');
  expect(any.book.list({ state: 'open' })).toEqual([]);
});

test('P9, P16: a portal that was bound under another search_path is not judged under this one', async () => {
  await server.query('CREATE SCHEMA evil; CREATE TABLE evil.payments AS TABLE payments');
  try {
    await using client = await RawClient.login(desk.gateway.port, TOKEN);
    client.send(say.query('BEGIN'), say.query('SET search_path = evil'));
    await client.ready();
    await client.ready();
    client.send(say.parse('', 'DELETE FROM payments'), say.bind('p', ''), say.sync);
    expect(types(await client.ready())).toBe('12Z');
    client.send(say.query('SET search_path = public'));
    await client.ready();
    client.send(say.execute('p'), say.sync);
    expect(errorOf(await client.ready())['D']).toContain('code=PREPARED_STALE');
  } finally {
    await server.query('DROP SCHEMA evil CASCADE');
  }
});
