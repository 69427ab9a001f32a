/** The projection is what the journal says, however it came to it: at once, in pieces, after a crash, in place of a damaged file. */
import { cpSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Follower } from '#engine/journal/projection/follower';
import { QUERIES } from '#engine/journal/projection/queries';
import { openForReading } from '#engine/journal/projection/tables';
import { SALT_BYTES } from '#engine/journal/format';
import { JournalReader } from '#engine/journal/reader';
import { makeJournal } from '#test/support/journal-maker';
import { intent, finished, opened, text, type Written } from '#test/support/journal-events';
import { journalFolder } from '#test/support/journals';
import { caughtUp, contents, folder, told, type Folder } from '#test/support/projection';

const PLAN = { sessions: 40, statements: 800, requests: 40, segmentBytes: 128 << 10 } as const;

let home: Folder;
let journal: string;
let whole: ReturnType<typeof contents>;
let records: number;

beforeAll(async () => {
  home = folder();
  journal = join(home.dir, 'journal');
  await makeJournal(journal, { ...PLAN, seed: 3 });
  await caughtUp(join(home.dir, 'whole.sqlite'), journal);
  whole = contents(join(home.dir, 'whole.sqlite'));
  records = await recordsOf(journal);
});
afterAll(() => home?.[Symbol.dispose]());

async function recordsOf(dir: string): Promise<number> {
  await using reader = new JournalReader(dir);
  let count = 0;
  while ((await reader.next()) !== null) count++;
  return count;
}

describe('following', () => {
  it('holds every statement, as the events tell it', async () => {
    const expected = (await told(journal)).map(({ id, outcome, refused, approval }) => [id, outcome, refused, approval]);
    const database = openForReading(join(home.dir, 'whole.sqlite'));
    const rows: unknown[] = [];
    let cursor: string | undefined;
    do {
      const query = { access: { all: true } as const, limit: 200, ...(cursor === undefined ? {} : { cursor }) };
      const page = QUERIES.search(database, query, Number.MAX_SAFE_INTEGER);
      rows.push(...page.items.map((one) => [one.statement_id, one.outcome, one.refused ?? null, one.approval_id ?? null]));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    database.close();
    expect(rows.reverse()).toEqual(expected);
    expect(rows).toHaveLength(PLAN.statements);
  });

  it('in pieces of any size, closed and opened between them, comes to the same rows and the same index', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 8 }), fc.boolean(), async (pieces, reopen) => {
        using place = folder();
        const file = join(place.dir, 'p.sqlite');
        let follower = new Follower({ file, dir: journal });
        await follower.open();
        let upTo = -1;
        for (const piece of [...pieces, records]) {
          upTo += piece;
          for (let done = false; !done; ) ({ done } = await follower.next(upTo));
          if (!reopen) continue;
          await follower[Symbol.asyncDispose]();
          follower = new Follower({ file, dir: journal });
          // nothing was read yet: nothing says whose file it is
          expect(await follower.open()).toBe(upTo < 0 ? 'tables' : null);
        }
        for (let done = false; !done; ) ({ done } = await follower.next(records));
        await follower[Symbol.asyncDispose]();
        expect(contents(file)).toEqual(whole);
      }),
      { numRuns: 12 },
    );
  });

  it('after the process was killed at any write it goes on, and comes to the same', async () => {
    using place = folder();
    const file = join(place.dir, 'p.sqlite');
    await using follower = new Follower({ file, dir: journal });
    await follower.open();
    for (let upTo = 97; ; upTo += 97) {
      await follower.next(upTo);
      // what a killed process leaves: the files as they are, the last transaction whole or half in the log
      const killed = join(place.dir, `killed-${upTo}.sqlite`);
      for (const suffix of ['', '-wal']) if (existsSync(file + suffix)) cpSync(file + suffix, killed + suffix);
      const log = statSync(`${killed}-wal`).size;
      truncateSync(`${killed}-wal`, log - (upTo % Math.max(1, Math.min(log, 40_000))));
      expect([null, 'tables']).toContain(await caughtUp(killed, journal));
      if (upTo % 5 === 0 || upTo > records) expect(contents(killed)).toEqual(whole);
      if (upTo > records) break;
    }
  });

  it('a statement that was running or held when the gateway died is shown as what became of it', async () => {
    using place = folder();
    using of = journalFolder();
    const first = await of.open();
    first.append(opened('ses_1'));
    const cleared: Written = { sessionId: 'ses_1', statementId: 'stm_cleared', payload: text('SELECT 1') };
    await first.durable(intent(first, cleared));
    await first.durable(
      first.append({
        type: 'statement.received',
        session_id: 'ses_1',
        statement_id: 'stm_received',
        target: 'shop',
        action: 'sql.execute',
        mode: 'simple',
        payload: text('SELECT 2'),
      }),
    );
    using left = of.copy();
    await first.close('test');
    const file = join(place.dir, 'p.sqlite');
    await caughtUp(file, left.dir);
    expect(outcomes(file)).toEqual({ stm_cleared: 'running', stm_received: 'running', ses_1: 'open' });
    const second = await left.open();
    await second.close('test');
    expect(await caughtUp(file, left.dir)).toBeNull();
    expect(outcomes(file)).toEqual({ stm_cleared: 'unknown', stm_received: 'aborted', ses_1: 'closed' });
  });
});

function outcomes(file: string): Readonly<Record<string, string>> {
  const database = openForReading(file);
  const page = { access: { all: true } as const, limit: 50 };
  const statements = QUERIES.search(database, page, Number.MAX_SAFE_INTEGER).items.map((one) => [one.statement_id, one.outcome]);
  const sessions = QUERIES.sessions(database, page, Number.MAX_SAFE_INTEGER).items.map((one) => [one.session_id, one.state]);
  database.close();
  return Object.fromEntries([...statements, ...sessions]) as Record<string, string>;
}

describe('a file that cannot be of this journal is made anew', () => {
  const made = async (spoil: (file: string) => void): Promise<string | null> => {
    using place = folder();
    const file = join(place.dir, 'p.sqlite');
    cpSync(join(home.dir, 'whole.sqlite'), file);
    spoil(file);
    const why = await caughtUp(file, journal);
    expect(contents(file)).toEqual(whole);
    return why;
  };

  it('one that is whole goes on', async () => expect(await made(() => {})).toBeNull());
  it('no database', async () => expect(await made((file) => writeFileSync(file, 'this is not a database at all '.repeat(500)))).toBe('damaged'));
  it('an empty file', async () => expect(await made((file) => truncateSync(file, 0))).toBe('tables'));
  it('a file cut short', async () => expect(await made((file) => truncateSync(file, 3 * 4096))).toBe('damaged'));
  it('another version of the tables', async () => expect(await made((file) => exec(file, 'PRAGMA user_version = 99'))).toBe('tables'));
  it('the place of another journal', async () => {
    const other = `UPDATE meta SET value = json_set(value, '$.journal', 'ffffffffffffffffffffffffffffffff')`;
    expect(await made((file) => exec(file, other))).toBe('journal');
  });
  it('a record of the same number with another hash', async () => {
    expect(await made((file) => exec(file, `UPDATE meta SET value = json_set(value, '$.hash', '00')`))).toBe('journal');
  });
  it('a place behind the end of the journal', async () => {
    expect(await made((file) => exec(file, `UPDATE meta SET value = json_set(value, '$.seq', 10000000)`))).toBe('truncated');
  });

  it('of another journal altogether', async () => {
    using place = folder();
    const other = join(place.dir, 'journal');
    await makeJournal(other, { ...PLAN, statements: 100, seed: 4 });
    const file = join(place.dir, 'p.sqlite');
    await caughtUp(file, other);
    expect(await caughtUp(file, journal)).toBe('journal');
    expect(contents(file)).toEqual(whole);
  });
});

function exec(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

describe('the file', () => {
  it('is for its user alone', () => {
    expect(statSync(join(home.dir, 'whole.sqlite')).mode & 0o777).toBe(0o600);
  });

  it('has one writer, and any number of readers that see whole batches', async () => {
    using place = folder();
    const file = join(place.dir, 'p.sqlite');
    await using follower = new Follower({ file, dir: journal });
    expect(() => new Follower({ file, dir: journal })).toThrow(expect.objectContaining({ code: 'STATE_LOCKED' }));
    await follower.open();
    await follower.next(100);
    const readers = [openForReading(file), openForReading(file)];
    const page = { access: { all: true } as const, limit: 200 };
    for (let upTo = 200; upTo < 600; upTo += 100) {
      await follower.next(upTo);
      const [one, two] = readers.map((reader) => QUERIES.search(reader, page, Number.MAX_SAFE_INTEGER));
      expect(one).toEqual(two);
      expect(one?.items.length).toBe(Math.min(200, one?.total ?? 0));
    }
    for (const reader of readers) reader.close();
  });

  it('forgets what was removed from the journal, once it is made anew', async () => {
    using place = folder();
    using of = journalFolder();
    const one = await of.open();
    one.append(opened('ses_1'));
    const statement: Written = { sessionId: 'ses_1', statementId: 'stm_1', payload: text("SELECT 'to be forgotten'") };
    intent(one, statement);
    one.append(finished(statement));
    await one.close('test');
    const file = join(place.dir, 'p.sqlite');
    await caughtUp(file, of.dir);
    expect(readFileSync(file).includes('to be forgotten')).toBe(true);
    await erase(of.dir, 'to be forgotten');
    await caughtUp(file, of.dir, 'asked');
    expect(readFileSync(file).includes('forgotten')).toBe(false);
    expect(contents(file)['statements']).toMatchObject([{ statement_id: 'stm_1', text: null }]);
  });
});

/** FORMAT.md: body of zeros, bit 30, checksum again. */
async function erase(dir: string, words: string): Promise<void> {
  const { crc32c } = await import('#engine/journal/crc32c');
  const path = join(dir, '00000001.seg');
  const bytes = readFileSync(path);
  const at = bytes.indexOf(words) - SALT_BYTES - "SELECT '".length - 40;
  const length = bytes.readUInt32LE(at) & 0x3fff_ffff;
  bytes.fill(0, at + 40, at + 40 + length);
  bytes.writeUInt32LE((bytes.readUInt32LE(at) | 0x4000_0000) >>> 0, at);
  bytes.writeUInt32LE(crc32c(bytes, at + 8, at + 40 + length, crc32c(bytes, at, at + 4)), at + 4);
  writeFileSync(path, bytes);
}
