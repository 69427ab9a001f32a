/** Statements while the archive is behind: refused one by one, nothing of them at the target, and the session goes on (I2, I6, N3, G5). */
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Position } from '#client/journal';
import { archivedJournal, type ArchiveProgress } from '#engine/journal/archive/archived-journal';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { startTestGateway, TOKEN, type TestGateway } from '#test/support/postgres-gateway';
import { errorOf, RawClient, say, status, types } from '#test/support/raw-postgres';
import { startRelay, type Relay } from '#test/support/relay';

/** An archive that answers, or is silent, as a test says. */
class TestArchive implements ArchiveProgress {
  refusal: InterlockError | null = null;
  silent = false;
  #acked: Position = -1;

  get acked(): Position {
    return this.silent ? this.#acked : Number.MAX_SAFE_INTEGER;
  }

  async archived(position: Position): Promise<boolean> {
    await new Promise((resolve) => setImmediate(resolve));
    if (!this.silent) this.#acked = Math.max(this.#acked, position);
    return position <= this.acked;
  }

  silence(): void {
    this.#acked = -1;
    this.silent = true;
  }
}

let server: PostgresServer;
let relay: Relay;
const archive = new TestArchive();
let strict: TestGateway;
let standard: TestGateway;

beforeAll(async () => {
  server = await startPostgres({ major: 15 });
  await server.query('CREATE TABLE payments (id int primary key)');
  relay = await startRelay({ host: server.host, port: server.port });
  const gateway = (audit: 'standard' | 'strict'): Promise<TestGateway> =>
    startTestGateway(server, { upstreamPort: relay.port, journal: (journal) => archivedJournal(journal, archive, audit) });
  strict = await gateway('strict');
  standard = await gateway('standard');
});
afterEach(() => {
  archive.silent = false;
  archive.refusal = null;
});
afterAll(async () => {
  await strict?.[Symbol.asyncDispose]();
  await standard?.[Symbol.asyncDispose]();
  await relay?.[Symbol.asyncDispose]();
  await server?.stop();
});

async function connected(gateway: TestGateway): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: gateway.url });
  await client.connect();
  return client;
}
/** Bytes that were sent to the target since the last time. */
function arrived(): number {
  const bytes = relay.connections.reduce((sum, connection) => sum + connection.sent().length, 0);
  relay.clear();
  return bytes;
}
const FULL = new InterlockError('ARCHIVE_BACKLOG', 'the journal is 9 bytes ahead of the archive');
const UNACKNOWLEDGED = { C: '58000', S: 'ERROR', D: 'code=ARCHIVE_UNAVAILABLE' };

describe('the backlog is full', () => {
  test.each(['simple', 'extended'])(
    'N3: a %s statement is refused, no byte reaches the target, and the same session goes on afterwards',
    async (how) => {
      const client = await connected(standard);
      const ask = (text: string): Promise<pg.QueryResult> => (how === 'simple' ? client.query(text) : client.query({ text, values: ['1'] }));
      await ask(how === 'simple' ? 'SELECT 1' : 'SELECT $1::int');
      arrived();
      const before = (await standard.events()).length;
      archive.refusal = FULL;
      for (let attempt = 0; attempt < 3; attempt++) {
        await expect(ask(how === 'simple' ? 'SELECT 2' : 'SELECT 2 + $1::int')).rejects.toMatchObject({
          code: '58000',
          severity: 'ERROR',
          message: FULL.message,
          detail: 'code=ARCHIVE_BACKLOG',
        });
      }
      expect(arrived()).toBe(0);
      expect((await standard.events()).length).toBe(before);
      archive.refusal = null;
      expect((await ask(how === 'simple' ? 'SELECT 3 AS n' : 'SELECT 2 + $1::int AS n')).rows).toEqual([{ n: 3 }]);
      await client.end();
    },
  );

  test('N3, P12: in a transaction it fails as a whole, and its end is told by the target', async () => {
    const client = await connected(standard);
    await client.query('BEGIN');
    await client.query('INSERT INTO payments VALUES (1)');
    archive.refusal = FULL;
    await expect(client.query('INSERT INTO payments VALUES (2)')).rejects.toMatchObject({ code: '58000' });
    archive.refusal = null;
    await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
    expect((await client.query('COMMIT')).command).toBe('ROLLBACK');
    expect((await server.query('SELECT * FROM payments')).rows).toEqual([]);
    await client.end();
  });
});

describe('strict: the archive does not acknowledge', () => {
  test('G5, I2: the statement is refused, no byte reaches the target, its record ends, and the same session goes on afterwards', async () => {
    const client = await connected(strict);
    await client.query('SELECT 1');
    arrived();
    const marked = (await strict.events()).length;
    archive.silence();
    for (const text of ["SELECT 'first'", "SELECT 'second'"]) {
      await expect(client.query(text)).rejects.toMatchObject({ code: '58000', severity: 'ERROR', detail: 'code=ARCHIVE_UNAVAILABLE' });
    }
    expect(arrived()).toBe(0);
    // the first was placed and is ended; the second did not begin
    expect((await strict.events()).slice(marked).map(told)).toEqual([
      'statement.received',
      'statement.decided',
      'statement.cleared',
      'statement.finished aborted',
    ]);
    archive.silent = false;
    expect((await client.query('SELECT 3 AS n')).rows).toEqual([{ n: 3 }]);
    await client.end();
  });

  test('P4: of a pipeline each segment is refused once, up to its Sync; names that it defined are none', async () => {
    await using client = await RawClient.login(strict.port, TOKEN);
    arrived();
    archive.silence();
    const one = (name: string): Buffer[] => [say.parse(name, 'SELECT 1'), say.bind('', name), say.execute('')];
    client.send(...one('a'), ...one('a2'), say.sync, ...one('b'), say.flush);
    const [first, ended, second] = [await client.next(), await client.next(), await client.next()];
    expect([first, second].map((answer) => answer && errorOf([answer]))).toMatchObject([UNACKNOWLEDGED, UNACKNOWLEDGED]);
    expect([ended?.type, ended?.body.toString()]).toEqual(['Z', 'I']);
    client.send(say.execute(''), say.sync);
    expect(status(await client.ready())).toBe('I');
    expect(arrived()).toBe(0);
    archive.silent = false;
    client.send(say.bind('', 'a'), say.sync);
    expect(errorOf(await client.ready())).toMatchObject({ C: '26000' });
    client.send(...one('a'), say.sync);
    expect(types(await client.ready())).toBe('12DCZ');
  });

  test('P4: what was sent before it is answered first', async () => {
    await using client = await RawClient.login(strict.port, TOKEN);
    client.send(say.query('SELECT pg_sleep(.3)'));
    while (!relay.reached('pg_sleep(.3)')) await new Promise((resolve) => setImmediate(resolve));
    archive.silence();
    client.send(say.query("SELECT 'withdrawn'"), say.query("SELECT 'withdrawn too'"));
    expect(types(await client.ready())).toBe('TDCZ');
    for (let query = 0; query < 2; query++) {
      const answers = await client.ready();
      expect([types(answers), errorOf(answers), status(answers)]).toMatchObject(['EZ', UNACKNOWLEDGED, 'I']);
    }
    expect(relay.reached('withdrawn')).toBe(false);
    archive.silent = false;
    client.send(say.query('SELECT 1'));
    expect(types(await client.ready())).toBe('TDCZ');
  });

  test.each([
    ['BEGIN', [], 'I', 'SELECT 1', 'TDCZ', 'I'],
    ['COMMIT', ['BEGIN', 'INSERT INTO payments VALUES (7)'], 'E', 'SELECT 1', 'EZ', 'E'],
    ['INSERT INTO payments VALUES (8)', ['BEGIN'], 'E', 'ROLLBACK', 'CZ', 'I'],
  ])('P12: %s that did not leave has not happened: the transaction is what the target says it is', async (text, before, then, next, told, last) => {
    await using client = await RawClient.login(strict.port, TOKEN);
    for (const one of before) {
      client.send(say.query(one));
      await client.ready();
    }
    archive.silence();
    client.send(say.query(text));
    const refused = await client.ready();
    expect([types(refused), errorOf(refused), status(refused)]).toMatchObject(['EZ', UNACKNOWLEDGED, then]);
    archive.silent = false;
    client.send(say.query(next));
    const answers = await client.ready();
    expect([types(answers), status(answers)]).toEqual([told, last]);
    expect((await server.query('SELECT * FROM payments')).rows).toEqual([]);
  });

  test('I6: a journal that is dead still ends the session', async () => {
    await using gateway = await startTestGateway(server, { journal: (journal) => archivedJournal(journal, archive, 'strict') });
    await using client = await RawClient.login(gateway.port, TOKEN);
    gateway.journal.fail(new Error('EIO'));
    client.send(say.query('SELECT 1'));
    expect(errorOf(await client.end())).toMatchObject({ S: 'FATAL', D: 'code=JOURNAL_UNAVAILABLE' });
  });
});

function told(event: Event): string {
  return event.type === 'statement.finished' ? `${event.type} ${event.outcome}` : event.type;
}
