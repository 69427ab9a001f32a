/** What several engines order, in the files of each: the same under the same digests, whole for an auditor, and no more than each keeps (N5; ADR 0018). */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { type FileJournal, openJournal } from '#engine/journal/file-journal';
import { verifyJournal } from '#engine/journal/verify';
import { codeOf, draft } from '#test/support/approvals';
import { fairWeather, MemoryStream } from '#test/support/memory-stream';
import { openSharedBook, person, type SharedBook } from '#test/support/shared-books';

const DIR = mkdtempSync(join(tmpdir(), 'interlock-shared-journals-'));
afterAll(() => rmSync(DIR, { recursive: true, force: true }));

const { privateKey: key, publicKey } = generateKeyPairSync('ed25519');
const PUBLIC_PEM = publicKey.export({ type: 'spki', format: 'pem' }).toString();

function fileJournal(name: string, payloads: 'clear' | 'redacted'): Promise<FileJournal> {
  return openJournal({
    dir: join(DIR, name),
    segmentBytes: 1 << 20,
    payloads,
    clock: systemClock,
    version: '0',
    checkpoint: { everyMs: 60_000, key, origin: 'test' },
  });
}

async function open(stream: MemoryStream, name: string, payloads: 'clear' | 'redacted'): Promise<{ book: SharedBook; journal: FileJournal }> {
  const journal = await fileJournal(name, payloads);
  return {
    journal,
    book: await openSharedBook({ name, journal, stream: stream.connection(fairWeather), options: (options) => ({ ...options, payloads }) }),
  };
}

async function carried(at: readonly SharedBook[], text: string): Promise<string> {
  const [one, two] = at as [SharedBook, SharedBook];
  const asked = draft({ text });
  const { approvalId } = await one.book.request(asked);
  await two.ordered.catchUp();
  await two.book.verdict(approvalId, { reviewer: person('carol'), outcome: 'approve', comment: 'it is right' });
  await one.book.consume(approvalId, { statementId: asked.statementId, enforcer: 'shop', nonce: 'non_1', draft: asked });
  await two.ordered.catchUp();
  return approvalId;
}

test('both journals hold the same events under the same digests, with the bytes, and verify', async () => {
  const stream = new MemoryStream();
  const [one, two] = [await open(stream, 'clear-one', 'clear'), await open(stream, 'clear-two', 'clear')];
  await carried([one.book, two.book], "UPDATE payments SET note = 'geheim'");
  const told: object[][] = [];
  for (const { book, journal } of [one, two]) {
    const events: object[] = [];
    for await (const event of journal.events()) {
      if (!('ordered' in event)) continue;
      const { journal: _j, seq: _s, prev: _p, tick_us: _t, time: _w, index: _i, ...same } = event;
      events.push(same);
      if (event.type === 'approval.requested') expect(Buffer.from((await journal.payload(event.payload)) ?? []).toString()).toContain('geheim');
    }
    told.push(events);
    await book.close();
    await journal.close('drain');
    const { verified, problems } = await verifyJournal(journal.dir, PUBLIC_PEM);
    expect({ verified, problems }).toEqual({ verified: true, problems: [] });
  }
  expect(told[0]).toHaveLength(4);
  expect(told[1]).toEqual(told[0]);
});

test('N5: what a journal redacts does not travel: only the engine that was asked can put it before a reviewer, and no literal is in the stream', async () => {
  const stream = new MemoryStream();
  const [one, two] = [await open(stream, 'redacted-one', 'redacted'), await open(stream, 'redacted-two', 'redacted')];
  const asked = draft({ text: "UPDATE payments SET note = 'geheim' WHERE id = 4711", params: '["vertraulich"]' });
  const { approvalId } = await one.book.book.request(asked);
  await two.book.ordered.catchUp();
  expect(two.book.book.show(approvalId)).toMatchObject({ state: 'open', payload_text: '' });
  expect(await codeOf(two.book.book.verdict(approvalId, { reviewer: person('carol'), outcome: 'approve' }))).toBe('VERDICT_NOT_SHOWN');
  await one.book.book.verdict(approvalId, { reviewer: person('carol'), outcome: 'approve', comment: 'it is right' });
  await one.book.book.consume(approvalId, { statementId: asked.statementId, enforcer: 'shop', nonce: 'non_1', draft: asked });
  const travelled = stream.messages.map(({ body }) => Buffer.from(body).toString()).join('\n');
  expect(travelled).toContain(Buffer.from('it is right').toString('base64'));
  for (const literal of ['geheim', '4711', 'vertraulich'])
    for (const spelt of [literal, Buffer.from(literal).toString('base64').slice(0, -3)]) expect(travelled).not.toContain(spelt);
  for (const { book, journal } of [one, two]) {
    await book.close();
    await journal.close('drain');
    expect((await verifyJournal(journal.dir, PUBLIC_PEM)).verified).toBe(true);
  }
});
