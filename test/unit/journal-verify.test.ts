/** C8: any edit, deletion, reordering, truncation or rollback is found with the public key alone; untouched copies pass. */
import { hash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EventDraft } from '#client/journal';
import { crc32c } from '#engine/journal/crc32c';
import type { FileJournal } from '#engine/journal/file-journal';
import { readJournal, readPayload } from '#engine/journal/reader';
import { verifyJournal } from '#engine/journal/verify';
import { cleared, decided, DENIED, finished, intent, opened, received, text, type Written } from '#test/support/journal-events';
import { journalFolder, type JournalFolder } from '#test/support/journals';

const S: Written = { sessionId: 'ses_1', statementId: 'stm_1', payload: text('select 1') };

describe('a closed journal of three segments', () => {
  let folder: JournalFolder;
  let publicKeyPem: string;
  let frames: readonly Frame[];
  let earlierNote: string;

  beforeAll(async () => {
    folder = journalFolder();
    const journal = await folder.open();
    ({ publicKeyPem } = journal);
    journal.append(opened(S.sessionId));
    for (let index = 0; index < 400; index++) {
      const statement = { ...S, statementId: `stm_${index}`, payload: text(`select ${index}`) };
      const position = intent(journal, statement);
      journal.append(finished(statement));
      if (index % 9 === 0) await journal.durable(position);
      if (index % 60 === 0) await journal.checkpoint();
      if (index === 200) earlierNote = readFileSync(join(folder.dir, 'checkpoint'), 'utf8');
    }
    await journal.close('test');
    frames = framesOf(folder.dir);
    expect(frames.filter(({ payload }) => !payload).length).toBeGreaterThan(400);
    expect(existsSync(join(folder.dir, '00000003.seg'))).toBe(true);
  });
  afterAll(() => folder[Symbol.dispose]());

  const check = (dir: string, witness?: string): ReturnType<typeof verifyJournal> =>
    verifyJournal(dir, publicKeyPem, witness === undefined ? {} : { witness });

  test('untouched it passes, and says what it holds', async () => {
    using copy = folder.copy();
    const found = await check(copy.dir, earlierNote);
    expect(found).toMatchObject({ verified: true, sessions: 1, cut_bytes: 0, problems: [] });
    expect(found.records).toBe(frames.filter(({ payload }) => !payload).length);
    expect(found.checkpoints).toBeGreaterThan(7);
    expect(found.first).toMatch(/^2\d{3}-.*\.\d{6}Z$/);
  });

  test('one byte flipped anywhere in what stands is found, at its record', async () => {
    const sample = fc.sample(fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 })), { numRuns: 120, seed: 8 });
    for (const [which, where, bits] of sample) {
      using copy = folder.copy();
      const frame = frames[which % frames.length] as Frame;
      edit(copy.dir, frame.file, (bytes) => {
        const at = frame.start + (where % (frame.end - frame.start));
        bytes[at] = (bytes[at] as number) ^ bits;
        return bytes;
      });
      const { verified, problems } = await check(copy.dir);
      expect(verified, `${frame.file} ${frame.start} ${where} ${bits}`).toBe(false);
      expect(problems[0]?.seq).toBe(frame.seq);
    }
  });

  test('records deleted, repeated, exchanged or rewritten with right checksums are found', async () => {
    const records = frames.filter(({ payload }) => !payload);
    const edits: Readonly<Record<string, (bytes: Buffer, frame: Frame, next: Frame) => Buffer>> = {
      delete: (bytes, { start, end }) => Buffer.concat([bytes.subarray(0, start), bytes.subarray(end), Buffer.alloc(end - start)]),
      repeat: (bytes, { start, end }) => Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]),
      exchange: (bytes, one, two) =>
        Buffer.concat([
          bytes.subarray(0, one.start),
          bytes.subarray(two.start, two.end),
          bytes.subarray(one.end, two.start),
          bytes.subarray(one.start, one.end),
          bytes.subarray(two.end),
        ]),
      // the body edited, the checksum made right again
      rewrite: (bytes, { start, end }) => checksummed(bytes, start, end, (body) => (body[15] = (body[15] as number) ^ 1)),
      // and the hash too, as far as this record alone goes
      rehash: (bytes, { start, end }) => {
        const edited = checksummed(bytes, start, end, (body) => (body[15] = (body[15] as number) ^ 1));
        const prev = records[records.findIndex((record) => record.start === start) - 1];
        const before = prev === undefined ? Buffer.alloc(32) : bytes.subarray(prev.start + 8, prev.start + 40);
        edited.set(hash('sha256', Buffer.concat([Buffer.of(0), before, edited.subarray(start + 40, end)]), 'buffer'), start + 8);
        return checksummed(edited, start, end, () => {});
      },
    };
    for (const [name, change] of Object.entries(edits)) {
      for (const pick of [1, 5, 77, 300]) {
        using copy = folder.copy();
        const frame = records[pick] as Frame;
        const next = records.find(({ file, seq }) => file === frame.file && seq > frame.seq + 1) as Frame;
        edit(copy.dir, frame.file, (bytes) => change(bytes, frame, next));
        const { verified, problems } = await check(copy.dir);
        expect(verified, `${name} ${pick}`).toBe(false);
        expect(problems.length).toBeGreaterThan(0);
      }
    }
  });

  test('truncation at any record, a missing segment, a missing or older checkpoint are found', async () => {
    const records = frames.filter(({ payload }) => !payload);
    for (const pick of [0, 3, 200, 390, records.length - 1]) {
      using copy = folder.copy();
      const frame = records[pick] as Frame;
      edit(copy.dir, frame.file, (bytes) => bytes.fill(0, frame.start));
      for (const later of segments(copy.dir).filter((file) => file > frame.file)) rmSync(join(copy.dir, later));
      expect(
        (await check(copy.dir)).problems.map(({ code }) => code),
        String(pick),
      ).toContain('TRUNCATED');
    }
    for (const gone of ['00000001.seg', '00000002.seg', 'checkpoint']) {
      using copy = folder.copy();
      rmSync(join(copy.dir, gone));
      expect((await check(copy.dir)).verified, gone).toBe(false);
    }
  });

  test('journal and checkpoint both put back to an earlier state: found by whoever kept a later checkpoint', async () => {
    const later = readFileSync(join(folder.dir, 'checkpoint'), 'utf8');
    using copy = folder.copy();
    const size = Number(earlierNote.split('\n')[1]);
    const frame = frames.find(({ seq, payload }) => seq === size && !payload) as Frame;
    edit(copy.dir, frame.file, (bytes) => bytes.fill(0, frame.start));
    for (const file of segments(copy.dir).filter((each) => each > frame.file)) rmSync(join(copy.dir, file));
    writeFileSync(join(copy.dir, 'checkpoint'), earlierNote);
    expect((await check(copy.dir)).problems).toEqual([]);
    expect((await check(copy.dir, later)).problems.map(({ code }) => code)).toEqual(['TRUNCATED']);
  });

  test('another key, and another journal’s checkpoint, do not verify', async () => {
    using other = journalFolder();
    const foreign = await other.open({
      checkpoint: { everyMs: 60_000, key: (await import('node:crypto')).generateKeyPairSync('ed25519').privateKey, origin: 'x' },
    });
    await foreign.close('test');
    expect((await verifyJournal(folder.dir, foreign.publicKeyPem)).problems.every(({ code }) => code === 'CHECKPOINT_SIGNATURE')).toBe(true);
    expect((await verifyJournal(folder.dir, foreign.publicKeyPem)).verified).toBe(false);
    using copy = folder.copy();
    cpSync(join(other.dir, 'checkpoint'), join(copy.dir, 'checkpoint'));
    expect((await check(copy.dir)).problems.map(({ code }) => code)).toEqual(['CHECKPOINT_SIGNATURE']);
  });

  test('a payload is removed with its salt: chain and checkpoints stay whole, the bytes are gone', async () => {
    using copy = folder.copy();
    const frame = frames.filter(({ payload }) => payload)[7] as Frame;
    const digest = `sha256:${readFileSync(join(copy.dir, frame.file)).toString('hex', frame.start + 8, frame.start + 40)}`;
    expect(await readPayload(copy.dir, digest)).not.toBeNull();
    edit(copy.dir, frame.file, (bytes) => {
      bytes.writeUInt32LE((bytes.readUInt32LE(frame.start) | 0x4000_0000) >>> 0, frame.start);
      return checksummed(bytes, frame.start, frame.end, (body) => body.fill(0));
    });
    expect(await check(copy.dir)).toMatchObject({ verified: true, problems: [] });
    expect(await readPayload(copy.dir, digest)).toBeNull();
    let events = 0;
    for await (const _ of readJournal(copy.dir)) events++;
    expect(events).toBeGreaterThan(1600);
  });
});

describe('CONTRACT §4: what may follow what', () => {
  const cases: Readonly<Record<string, { events: readonly EventDraft[]; code: string | null }>> = {
    'received, decided, cleared, finished': { events: [received(S), decided(S), cleared(S), finished(S)], code: null },
    'received, refused': { events: [received(S), refused()], code: null },
    'held, decided again, refused': { events: [received(S), decided(S), held(), decided(S), refused()], code: null },
    'cleared before decided': { events: [received(S), cleared(S)], code: 'LIFECYCLE' },
    'cleared though denied': { events: [received(S), decided(S, DENIED), cleared(S)], code: 'LIFECYCLE' },
    'finished twice': { events: [received(S), decided(S), cleared(S), finished(S), finished(S)], code: 'LIFECYCLE' },
    'refused after cleared': { events: [received(S), decided(S), cleared(S), refused()], code: 'LIFECYCLE' },
    'cleared while held': { events: [received(S), decided(S), held(), cleared(S)], code: 'LIFECYCLE' },
    'finished without anything': { events: [finished(S)], code: 'LIFECYCLE' },
    'an approval that nobody consumed': {
      events: [received(S), decided(S), { ...cleared(S), approval: { approval_id: 'apr_1', receipt: 'r' } }],
      code: 'APPROVAL_NOT_CONSUMED',
    },
    'an approval consumed for another statement': {
      events: [consumed('stm_2'), received(S), decided(S), { ...cleared(S), approval: { approval_id: 'apr_1', receipt: 'r' } }],
      code: 'APPROVAL_NOT_CONSUMED',
    },
    'an approval consumed, then used': {
      events: [consumed('stm_1'), received(S), decided(S), { ...cleared(S), approval: { approval_id: 'apr_1', receipt: 'r' } }],
      code: null,
    },
  };
  test.each(Object.entries(cases))('%s', async (_, { events, code }) => {
    using folder = journalFolder();
    const journal = await folder.open();
    for (const event of events) journal.append(event);
    await journal.close('test');
    const { problems } = await verifyJournal(folder.dir, journal.publicKeyPem);
    expect(problems.map((problem) => problem.code)).toEqual(code === null ? [] : [code]);
  });

  test('G2: cleared without an end gets `unknown` at the next start, once, and its session counts on', async () => {
    using folder = journalFolder();
    const first = await folder.open();
    first.append(opened(S.sessionId));
    intent(first, S);
    await first.durable(intent(first, { ...S, statementId: 'stm_2' }));
    using crashed = folder.copy();
    await first.close('test');
    const found = [];
    for (let start = 0; start < 2; start++) {
      const journal: FileJournal = await crashed.open();
      expect(journal.recovered.unknown).toBe(start === 0 ? 2 : 0);
      await journal.close('test');
    }
    for await (const event of readJournal(crashed.dir))
      if (event.type === 'statement.finished') found.push([event.statement_id, event.outcome, event.session_seq]);
    expect(found).toEqual([
      ['stm_1', 'unknown', 7],
      ['stm_2', 'unknown', 8],
    ]);
    expect(await verifyJournal(crashed.dir, first.publicKeyPem)).toMatchObject({ verified: true });
  });
});

function refused(): EventDraft {
  return { type: 'statement.refused', session_id: 'ses_1', statement_id: 'stm_1', code: 'DEFAULT_DENY', by: 'policy' };
}
function held(): EventDraft {
  return { type: 'statement.held', session_id: 'ses_1', statement_id: 'stm_1', approval_id: 'apr_1', expires_at: '2026-11-23T11:00:00.000000Z' };
}
function consumed(statement: string): EventDraft {
  return { type: 'approval.consumed', approval_id: 'apr_1', statement_id: statement, enforcer: 'e', nonce: 'n', receipt: 'r' };
}

interface Frame {
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly payload: boolean;
  /** The record's own; of a payload, the record's behind it. */
  readonly seq: number;
}

function framesOf(dir: string): Frame[] {
  const frames: Frame[] = [];
  let seq = 0;
  for (const file of segments(dir)) {
    const bytes = readFileSync(join(dir, file));
    for (let at = 128; bytes[0] !== 0 && bytes.readUInt32LE(at) !== 0; ) {
      const field = bytes.readUInt32LE(at);
      const payload = field >= 0x8000_0000;
      const end = at + 40 + (field & 0x3fff_ffff);
      frames.push({ file, start: at, end, payload, seq });
      if (!payload) seq++;
      at = end;
    }
  }
  return frames;
}

function segments(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.seg'))
    .sort();
}

function edit(dir: string, file: string, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(join(dir, file), change(readFileSync(join(dir, file))));
}

function checksummed(bytes: Buffer, start: number, end: number, change: (body: Buffer) => void): Buffer {
  const edited = Buffer.from(bytes);
  change(edited.subarray(start + 40, end));
  edited.writeUInt32LE(crc32c(edited, start + 8, end, crc32c(edited, start, start + 4)), start + 4);
  return edited;
}
