/** Issue 3: a journal of three records, cut at each length and each byte flipped; the outcome stands beside each. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readJournal } from '#engine/journal/reader';
import { recover } from '#engine/journal/recovery';
import { verifyJournal } from '#engine/journal/verify';
import { InterlockError } from '#schemas/errors';
import { finished, intent, opened, text } from '#test/support/journal-events';
import { journalFolder, type JournalFolder } from '#test/support/journals';

const S = { sessionId: 'ses_1', statementId: 'stm_1', payload: text('update payments set status = 1') };
const SEGMENT = '00000001.seg';

/** What `recover` makes of a folder: how many records stand, and what was cut; or the code of the refusal. */
async function outcome(dir: string): Promise<{ records: number; cut: boolean } | string> {
  try {
    const { nextSeq, cutBytes } = await recover(dir, []);
    return { records: nextSeq, cut: cutBytes > 0 };
  } catch (error) {
    if (error instanceof InterlockError) return error.code;
    throw error;
  }
}

describe('three records, each a batch of its own', () => {
  let folder: JournalFolder;
  let whole: Buffer;
  /** Where each record's batch ends; the first begins with the segment's header. */
  let ends: readonly number[];

  beforeAll(async () => {
    folder = journalFolder();
    const journal = await folder.open();
    await journal.durable(intent(journal, S));
    whole = readFileSync(join(folder.dir, SEGMENT)); // before `close`: three records
    ends = recordEnds(whole);
    await journal.close('test');
    truncateSync(join(folder.dir, '00000002.seg'), 0);
    expect(ends).toHaveLength(3);
  });
  afterAll(() => folder[Symbol.dispose]());

  test('cut at each length: the records that stand whole are accepted, the rest is cut, never refused', async () => {
    const path = join(folder.dir, SEGMENT);
    const used = ends[2] as number;
    for (let length = 0; length <= used; length++) {
      writeFileSync(path, whole.subarray(0, length));
      const records = ends.filter((end) => end <= length).length;
      // zeros at the end of what was cut off are no loss, and no damage: the header ends in zeros
      const headerStands = lastNonZero(whole, 128) < length;
      const torn = lastNonZero(whole, length) >= (ends[records - 1] ?? (headerStands ? 128 : 0));
      expect(await outcome(folder.dir), `length ${length}`).toEqual({ records, cut: torn });
    }
  });

  test('flip each byte: in the last batch a torn tail is cut, before it the journal is refused', async () => {
    const path = join(folder.dir, SEGMENT);
    const used = ends[2] as number;
    for (let at = 0; at < used + 64; at++) {
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
      writeFileSync(path, flipped);
      const expected = at < (ends[1] as number) ? 'JOURNAL_CORRUPT' : at < used ? { records: 2, cut: true } : { records: 3, cut: true };
      expect(await outcome(folder.dir), `byte ${at}`).toEqual(expected);
    }
  });

  test('after a cut the journal goes on, is whole, and the statement’s intent is gone only if it was torn', async () => {
    const [, second = 0, used = 0] = ends;
    for (const length of [0, 64, 128, 130, ends[0] as number, second - 1, second, second + 1, second + 45, used - 1, used]) {
      using copy = folder.copy();
      writeFileSync(join(copy.dir, SEGMENT), whole.subarray(0, length));
      writeFileSync(join(copy.dir, 'checkpoint'), '');
      const journal = await copy.open();
      const intents = length >= used ? 1 : 0;
      expect(journal.recovered.unknown).toBe(intents);
      await journal.durable(intent(journal, { ...S, sessionId: 'ses_2', statementId: 'stm_2' }));
      await journal.close('test');
      const found = [];
      for await (const event of readJournal(copy.dir)) found.push(event);
      expect(found.filter(({ type }) => type === 'statement.cleared')).toHaveLength(intents + 1);
      expect(found.filter((event) => event.type === 'statement.finished' && event.outcome === 'unknown')).toHaveLength(intents);
      expect(await verifyJournal(copy.dir, journal.publicKeyPem), `length ${length}`).toMatchObject({ verified: true, cut_bytes: 0 });
    }
  });
});

test('what a checkpoint covers may not be cut, torn or not (A8)', async () => {
  using folder = journalFolder();
  const journal = await folder.open();
  await journal.durable(intent(journal, S));
  await journal.checkpoint();
  const whole = readFileSync(join(folder.dir, SEGMENT));
  using copy = folder.copy();
  await journal.close('test');
  const ends = recordEnds(whole);
  const used = ends.at(-1) as number;
  for (const length of [0, 64, ends[0] as number, ends[1] as number, used - 1]) {
    writeFileSync(join(copy.dir, SEGMENT), whole.subarray(0, length));
    await expect(copy.open(), `length ${length}`).rejects.toMatchObject({ code: 'JOURNAL_CORRUPT' });
  }
  writeFileSync(join(copy.dir, SEGMENT), whole);
  await (await copy.open()).close('test');
});

test('a batch of which any sector was lost is torn: its records before the sector stand, and it is not refused', async () => {
  using folder = journalFolder();
  const journal = await folder.open();
  await journal.durable(journal.append(opened(S.sessionId)));
  const before = journal.status();
  for (let index = 0; index < 12; index++) intent(journal, { ...S, statementId: `stm_${index}` });
  await journal.durable(journal.append(finished({ ...S, statementId: 'stm_11' })));
  const after = journal.status();
  expect(after.syncs - before.syncs).toBe(1);
  const whole = readFileSync(join(folder.dir, SEGMENT));
  using copy = folder.copy();
  await journal.close('test');
  const ends = recordEnds(whole);
  let lost = 0;
  for (let sector = 0; sector < after.bytes; sector += 512) {
    const from = Math.max(sector, before.bytes);
    const to = Math.min(sector + 512, after.bytes);
    if (from >= to) continue;
    const torn = Buffer.from(whole).fill(0, from, to);
    writeFileSync(join(copy.dir, SEGMENT), torn);
    const records = ends.filter((end) => end <= from).length;
    expect(await outcome(copy.dir), `sector at ${sector}`).toEqual({ records, cut: true });
    lost++;
  }
  expect(lost).toBeGreaterThan(4);
});

test('a segment that is missing, or does not go on from the one before, is refused', async () => {
  using folder = journalFolder();
  const journal = await folder.open();
  for (let index = 0; index < 1500; index++) {
    const position = intent(journal, { ...S, statementId: `stm_${index}` });
    if (index % 20 === 0) await journal.durable(position);
  }
  await journal.close('test');
  const second = readFileSync(join(folder.dir, '00000002.seg'));
  using copy = folder.copy();
  writeFileSync(join(copy.dir, '00000002.seg'), Buffer.alloc(second.length));
  expect(await outcome(copy.dir)).toBe('JOURNAL_CORRUPT');
  writeFileSync(join(copy.dir, '00000002.seg'), readFileSync(join(folder.dir, '00000003.seg')));
  expect(await outcome(copy.dir)).toBe('JOURNAL_CORRUPT');
  writeFileSync(join(copy.dir, '00000002.seg'), second);
  expect(await outcome(copy.dir)).toEqual({ records: journal.status().records, cut: false });
});

test('a spare whose making was cut short is made again', async () => {
  using folder = journalFolder();
  await (await folder.open()).close('test');
  truncateSync(join(folder.dir, '00000002.seg'), 100);
  await (await folder.open()).close('test');
  expect(readFileSync(join(folder.dir, '00000002.seg'))).toHaveLength(64 << 10);
});

function recordEnds(segment: Buffer): number[] {
  const ends: number[] = [];
  for (let at = 128; segment.readUInt32LE(at) !== 0; ) {
    const field = segment.readUInt32LE(at);
    at += 40 + (field & 0x3fff_ffff);
    if (field < 0x8000_0000) ends.push(at);
  }
  return ends;
}

function lastNonZero(bytes: Buffer, length: number): number {
  let at = length - 1;
  while (at >= 0 && bytes[at] === 0) at--;
  return at;
}
