/** What is folded at a start is gathered while the journal is recovered, and is what reading it again would tell (issue 5: a start reads its journal once). */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock, timestamp } from '#client/clock';
import { openJournal, type FileJournal } from '#engine/journal/file-journal';
import { GatheredHistory } from '#engine/journal/history';
import { readJournal } from '#engine/journal/reader';
import { recover } from '#engine/journal/recovery';
import { TimestampWriter } from '#engine/journal/timestamp-writer';
import type { Event } from '#schemas/event';
import { makeJournal } from '#test/support/journal-maker';

const { privateKey: key } = generateKeyPairSync('ed25519');
let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'interlock-history-'))));
afterEach(() => rmSync(dir, { recursive: true }));

function opened(): Promise<FileJournal> {
  const checkpoint = { everyMs: 3_600_000, key, origin: 'test' };
  return openJournal({ dir, segmentBytes: 64 << 10, payloads: 'clear', checkpoint, clock: systemClock, version: 'test' });
}
async function all(events: AsyncIterable<Event>): Promise<Event[]> {
  const read: Event[] = [];
  for await (const event of events) read.push(event);
  return read;
}
/** Without the requests that used an approval: by their type alone. */
const isNoise = ({ type }: Event): boolean => type.startsWith('session.') || type.startsWith('statement.') || type === 'checkpoint.signed';

/** As `history` is described. */
function expected(events: readonly Event[]): Event[] {
  const using = new Set(events.flatMap((event) => (event.type === 'approval.consumed' ? [event.statement_id] : [])));
  const latest = events.reduce<Event | null>((last, event) => (last === null || event.time > last.time ? event : last), null);
  const consumed = new Set<string>();
  return events.filter((event) => {
    if (event.type === 'approval.consumed') consumed.add(event.statement_id ?? '');
    const ends = event.type.startsWith('statement.') && using.has(event.statement_id) && consumed.has(event.statement_id ?? '');
    return !isNoise(event) || ends || event === latest;
  });
}

describe('history', () => {
  test('is what reading everything again would tell, over several segments and several starts', async () => {
    await makeJournal(dir, { seed: 3, sessions: 20, statements: 600, requests: 60, segmentBytes: 64 << 10, jumps: 0.01 });
    for (let start = 0; start < 3; start++) {
      const journal = await opened();
      for (const what of ['one', 'two']) {
        await journal.durable(journal.append({ type: 'admin.changed', by: 'test', what }));
        const told = await all(journal.history());
        expect(told).toEqual(expected(await all(journal.events())));
        expect(told.at(-1)).toMatchObject({ what });
      }
      expect(expected(await all(journal.events())).some((event) => event.type === 'statement.finished')).toBe(true);
      await journal.close('test');
    }
    expect(readdirSync(dir).filter((name) => name.endsWith('.seg') || /\d{4,}/.test(name)).length).toBeGreaterThan(2);
  });

  test('reads nothing of what was recovered again', async () => {
    await makeJournal(dir, { seed: 4, sessions: 10, statements: 300, requests: 30, segmentBytes: 64 << 10 });
    const journal = await opened();
    const before = expected(await all(journal.events()));
    const [first = ''] = readdirSync(dir)
      .filter((name) => /^\d/.test(name) || name.includes('segment'))
      .toSorted();
    renameSync(join(dir, first), join(dir, 'away'));
    expect(await all(journal.history())).toEqual(before);
    renameSync(join(dir, 'away'), join(dir, first));
    journal.started();
    // from now on it is read
    expect((await all(journal.history())).length).toBe((await all(journal.events())).length);
    await journal.close('test');
  });

  test('behind a torn tail it goes on where the journal does', async () => {
    await makeJournal(dir, { seed: 5, sessions: 4, statements: 40, requests: 10, segmentBytes: 1 << 20 });
    const { segment, offset } = await recover(dir, []);
    const file = join(
      dir,
      readdirSync(dir)
        .filter((name) => name.includes(String(segment)))
        .toSorted()[0] ?? '',
    );
    truncateSync(file, offset - 7); // the last record is torn
    rmSync(join(dir, 'checkpoint'), { force: true });
    const journal = await opened();
    expect(journal.recovered.cutBytes).toBeGreaterThan(0);
    await journal.durable(journal.append({ type: 'admin.changed', by: 'test', what: 'behind' }));
    expect(await all(journal.history())).toEqual(expected(await all(journal.events())));
    await journal.close('test');
  });

  test('of a journal that nobody wrote yet, and of one of which nothing but a torn batch stands', async () => {
    const journal = await opened();
    expect((await all(journal.history())).map(({ type }) => type)).toEqual(expected(await all(journal.events())).map(({ type }) => type));
    await journal.close('test');
    rmSync(dir, { recursive: true });
    dir = mkdtempSync(join(tmpdir(), 'interlock-history-'));
    const empty = await opened();
    await empty.close('test');
    const [first = ''] = readdirSync(dir)
      .filter((name) => /\d/.test(name))
      .toSorted();
    rmSync(join(dir, 'checkpoint'), { force: true });
    writeFileSync(join(dir, first), Buffer.concat([Buffer.alloc(100, 1), Buffer.alloc((64 << 10) - 100)]));
    const torn = await opened();
    expect(await all(torn.history())).toEqual(expected(await all(torn.events())));
    await torn.close('test');
  });

  test('too much is not kept: it is read', async () => {
    await makeJournal(dir, { seed: 6, sessions: 4, statements: 40, requests: 20, segmentBytes: 1 << 20 });
    const history = new GatheredHistory(10);
    const found = await recover(dir, [], (event) => history.see(event));
    history.goesOn(dir, found.end);
    expect(await history.upTo(found.nextSeq - 1)).toBeNull();
    const enough = new GatheredHistory();
    for await (const event of readJournal(dir)) enough.see(event);
    expect((await enough.upTo(found.nextSeq - 1))?.length).toBeGreaterThan(10);
  });
});

test('times are written as timestamp writes them, on whatever day and second', () => {
  const writer = new TimestampWriter();
  const around = [0, 1, 86_399, 86_400, 951_782_399, 951_782_400, 1_795_392_000, 1_795_391_999, 9_007_199_253];
  for (const second of around)
    for (const us of [0, 7, 999_999]) expect(writer.text(second * 1_000_000 + us)).toBe(timestamp(second * 1_000_000 + us));
});
