/** The archive as files: what is written back is the journal, and what is not the journal is refused and said (C4, C8, I8). */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLog } from '#client/log';
import { Alarms } from '#engine/journal/archive/alarms';
import { startMirror, type Archived, type ArchiveSource, type Mirror } from '#engine/journal/archive/mirror';
import type { Run } from '#engine/journal/archive/port';
import { SegmentRuns } from '#engine/journal/archive/segment-runs';
import type { FileJournal } from '#engine/journal/file-journal';
import { verifyJournal } from '#engine/journal/verify';
import { fill, KEY, memoryDir, PUBLIC_PEM, segmentsOf, testJournal, verified } from '#test/support/archive';
import { until } from '#test/support/nats';

/** A stream as the mirror sees it, in memory: what is under test is what the mirror makes of what comes. */
class Stream implements ArchiveSource {
  created = 'one';
  first = 1;
  readonly messages: Archived[] = [];
  #wake = Promise.withResolvers<void>();

  state(): Promise<{ readonly created: string; readonly first: number; readonly last: number }> {
    return Promise.resolve({ created: this.created, first: this.first, last: this.first + this.messages.length - 1 });
  }
  async *read(from: number, signal: AbortSignal): AsyncGenerator<Archived> {
    signal.addEventListener('abort', () => this.#told(), { once: true });
    for (let at = from; !signal.aborted; ) {
      const message = this.messages[at - this.first];
      if (message === undefined) await this.#wake.promise;
      else {
        yield { ...message, at };
        at++;
      }
    }
  }
  put(journal: string | null, run: Run | null): void {
    this.messages.push({ at: 0, journal, run });
    this.#told();
  }
  #told(): void {
    const waiting = this.#wake;
    this.#wake = Promise.withResolvers();
    waiting.resolve();
  }
}

interface Bed {
  readonly root: string;
  readonly journalDir: string;
  readonly journal: FileJournal;
  readonly stream: Stream;
  readonly runs: readonly Run[];
}

/** A journal that ended, and its runs, none of them in the stream yet. */
async function bed(more: { readonly records?: number; readonly runBytes?: number } = {}): Promise<Bed> {
  const { dir: root, [Symbol.dispose]: gone } = memoryDir();
  onTestFinished(gone);
  const journalDir = join(root, 'journal');
  const journal = await testJournal(journalDir, { everyMs: 10 });
  const { records = 3000, runBytes = 40_000 } = more;
  for (let n = 0; n < records; n += 300) {
    await journal.durable(fill(journal, 300));
    await journal.checkpoint();
  }
  await journal.close('test');
  const runs: Run[] = [];
  const reader = new SegmentRuns(journalDir);
  for (
    let run = await reader.next(journal.durableEnd, runBytes, 1 << 20);
    run !== null;
    run = await reader.next(journal.durableEnd, runBytes, 1 << 20)
  ) {
    runs.push(run);
    reader.advance(run);
  }
  await reader.close();
  return { root, journalDir, journal, stream: new Stream(), runs };
}

interface Seen {
  readonly mirror: Mirror;
  readonly alarms: Alarms;
  readonly told: unknown[];
  readonly dir: string;
}

function mirrored({ root, stream, journal }: Bed, keyOf: () => KeyObject | null = () => createPublicKey(KEY)): Seen {
  const told: unknown[] = [];
  const alarms = new Alarms({ append: (event) => told.push(event), fault: null }, silentLog);
  const dir = join(root, 'archive');
  const mirror = startMirror({ dir, source: stream, alarms, log: silentLog, keyOf });
  onTestFinished(() => mirror.close());
  return { mirror, alarms, told, dir: join(dir, journal.id) };
}

function records({ mirror }: Seen): number {
  return mirror.status().journals[0]?.records ?? 0;
}

function all({ journal }: Bed): number {
  return journal.durableEnd.position + 1;
}

describe('what is written back', () => {
  test('is the journal, segment for segment, whole to `audit verify` with the public key alone; its newest checkpoint is a note beside it', async () => {
    const at = await bed();
    for (const run of at.runs) at.stream.put(at.journal.id, run);
    const seen = mirrored(at);
    await until(() => records(seen) === all(at));
    await seen.mirror.close();
    expect(segmentsOf(seen.dir)).toEqual(segmentsOf(at.journalDir));
    expect(segmentsOf(seen.dir).length).toBeGreaterThan(2);
    expect(await verified(seen.dir)).toBe(all(at));
    expect(readFileSync(join(seen.dir, 'checkpoint'), 'utf8')).toMatch(/^test\n\d+\n/);
    expect(seen.told).toEqual([]);
  });

  test('goes on after a stop at any message, also when what was written last is lost or torn', async () => {
    const at = await bed({ records: 900 });
    for (const [index, run] of at.runs.entries()) {
      at.stream.put(at.journal.id, run);
      const seen = mirrored(at);
      await until(() => seen.mirror.status().at === index + 1);
      await seen.mirror.close();
      const file = join(seen.dir, `${String(run.segment).padStart(8, '0')}.seg`);
      if (index % 3 === 1) appendFileSync(file, Buffer.alloc(70, 7));
      if (index % 3 === 2) truncateSync(file, run.offset + run.bytes.length - 11);
      // of what was cut off, the stream is read again: its cursor is behind it
      if (index % 3 === 2) {
        rmSync(join(seen.dir, 'mirror.json'));
        writeFileSync(join(at.root, 'archive', 'cursor.json'), `{"created":"one","at":${index}}\n`);
      }
    }
    const seen = mirrored(at);
    await until(() => records(seen) === all(at));
    await seen.mirror.close();
    expect(segmentsOf(seen.dir)).toEqual(segmentsOf(at.journalDir));
    expect(await verified(seen.dir)).toBe(all(at));
    expect(seen.told).toEqual([]);
  });

  test('is the same when a stream that was made anew brings everything again, in other runs; and it is said', async () => {
    const at = await bed({ records: 900 });
    for (const run of at.runs) at.stream.put(at.journal.id, run);
    const before = mirrored(at);
    await until(() => records(before) === all(at));
    await before.mirror.close();
    const again = await bed({ records: 0 });
    const stream = new Stream();
    stream.created = 'two';
    const reader = new SegmentRuns(at.journalDir);
    for (
      let run = await reader.next(at.journal.durableEnd, 9_000, 1 << 20);
      run !== null;
      run = await reader.next(at.journal.durableEnd, 9_000, 1 << 20)
    ) {
      stream.put(at.journal.id, run);
      reader.advance(run);
    }
    await reader.close();
    const seen = mirrored({ ...at, stream });
    await until(() => seen.mirror.status().at === stream.messages.length);
    await seen.mirror.close();
    expect(segmentsOf(seen.dir)).toEqual(segmentsOf(at.journalDir));
    expect(seen.told).toMatchObject([{ type: 'archive.alarm', code: 'lost', open: true, of: 'stream' }]);
    expect(again.runs.length).toBeGreaterThan(0);
  });
});

describe('what is not the journal is refused, and is an alarm', () => {
  type Tampering = (runs: readonly Run[]) => readonly (Run | null)[];
  const changed = (run: Run, at: number): Run => {
    const bytes = Buffer.from(run.bytes);
    bytes[at] = (bytes[at] as number) ^ 1;
    return { ...run, bytes };
  };
  const TAMPERINGS: readonly (readonly [string, string, Tampering])[] = [
    ['a message is left out', 'gap', (runs) => runs.toSpliced(2, 1)],
    ['two messages change places', 'gap', (runs) => [runs[0], runs[2], runs[1], ...runs.slice(3)] as Run[]],
    ['a byte of a record is changed', 'foreign', (runs) => runs.with(2, changed(runs[2] as Run, 200))],
    ['a run is cut short', 'foreign', (runs) => runs.with(2, { ...(runs[2] as Run), bytes: (runs[2] as Run).bytes.subarray(0, -1) })],
    ['something that no forwarder wrote', 'foreign', (runs) => [...runs.slice(0, 2), null, ...runs.slice(2)]],
    ['other bytes for what is there already', 'conflict', (runs) => [...runs.slice(0, 2), changed(runs[1] as Run, 300), ...runs.slice(2)]],
  ];

  test.each(TAMPERINGS)('%s: %s', async (_, code, tampered) => {
    const at = await bed({ records: 900 });
    for (const run of tampered(at.runs)) at.stream.put(at.journal.id, run);
    const seen = mirrored(at);
    await until(() => seen.mirror.status().at === at.stream.messages.length);
    expect(seen.told).toContainEqual(expect.objectContaining({ type: 'archive.alarm', code, open: true, of: at.journal.id }));
    await seen.mirror.close();
    // what stands in the files is the journal's beginning, and no byte of anything else
    const { problems } = await verifyJournal(seen.dir, PUBLIC_PEM);
    expect(problems.filter(({ code: problem }) => problem !== 'TRUNCATED' && problem !== 'CHECKPOINT_MISSING')).toEqual([]);
    for (const [index, segment] of segmentsOf(seen.dir).entries())
      if (index < segmentsOf(seen.dir).length - 1) expect(segment).toBe(segmentsOf(at.journalDir)[index]);
  });

  test('a fork: a second journal under the same id, sound in itself', async () => {
    const [one, two] = [await bed({ records: 900 }), await bed({ records: 900 })];
    for (const run of one.runs.slice(0, 3)) one.stream.put(one.journal.id, run);
    for (const run of two.runs.slice(0, 6)) one.stream.put(one.journal.id, run);
    const seen = mirrored(one);
    await until(() => seen.mirror.status().at === one.stream.messages.length);
    expect(seen.alarms.open).toMatchObject([{ code: 'conflict', of: one.journal.id }]);
    expect(seen.mirror.status().journals[0]?.stopped).toMatch(/^conflict/);
  });

  test('a gap closes when what was missing comes: the alarm ends, and the files are the journal', async () => {
    const at = await bed({ records: 900 });
    for (const run of at.runs.toSpliced(2, 1)) at.stream.put(at.journal.id, run);
    const seen = mirrored(at);
    await until(() => seen.alarms.open.length === 1);
    for (const run of at.runs.slice(2)) at.stream.put(at.journal.id, run);
    await until(() => records(seen) === all(at));
    expect(seen.alarms.open).toEqual([]);
    expect(seen.told).toMatchObject([
      { code: 'gap', open: true },
      { code: 'gap', open: false },
    ]);
    await seen.mirror.close();
    expect(segmentsOf(seen.dir)).toEqual(segmentsOf(at.journalDir));
  });

  test('a checkpoint that is signed with another key than the journal’s', async () => {
    const at = await bed({ records: 900 });
    for (const run of at.runs) at.stream.put(at.journal.id, run);
    const seen = mirrored(at, () => generateKeyPairSync('ed25519').publicKey);
    await until(() => seen.alarms.open.length === 1);
    expect(seen.alarms.open).toMatchObject([{ code: 'checkpoint', of: at.journal.id }]);
  });

  test('a subject that is no journal’s, and messages of the stream that are missing', async () => {
    const at = await bed({ records: 300 });
    at.stream.put('../../etc', at.runs[0] ?? null);
    at.stream.put(null, null);
    const seen = mirrored(at);
    await until(() => seen.mirror.status().at === 2);
    expect(seen.told).toMatchObject([
      { code: 'foreign', of: 'stream' },
      { code: 'foreign', of: 'stream' },
    ]);
    expect(seen.mirror.status().journals).toEqual([]);
  });

  test('files that somebody changed: nothing is added to them, it is said, and other journals go on', async () => {
    const [at, other] = [await bed({ records: 900 }), await bed({ records: 300 })];
    for (const run of at.runs.slice(0, 4)) at.stream.put(at.journal.id, run);
    const before = mirrored(at);
    await until(() => before.mirror.status().at === 4);
    await before.mirror.close();
    const file = join(before.dir, '00000001.seg');
    const bytes = readFileSync(file);
    bytes[5000] = (bytes[5000] as number) ^ 1;
    writeFileSync(file, bytes);
    rmSync(join(before.dir, 'mirror.json'));
    for (const run of at.runs.slice(4)) at.stream.put(at.journal.id, run);
    for (const run of other.runs) at.stream.put(other.journal.id, run);
    const seen = mirrored(at, () => null);
    await until(() => seen.mirror.status().at === at.stream.messages.length);
    expect(seen.told).toContainEqual(expect.objectContaining({ code: 'foreign', open: true, of: at.journal.id }));
    expect(seen.mirror.status().journals.map(({ journal, records: written }) => [journal, written])).toEqual([[other.journal.id, all(other)]]);
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });
});
