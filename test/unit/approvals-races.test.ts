/** A5, A6: one approval, two consumers, a thousand times; on the real journal, also across a restart. Invariant 4. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Clock, systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { type ApprovalBook, openApprovals } from '#engine/approvals/approvals';
import type { ApprovalLimits } from '#engine/approvals/limits';
import type { ApprovalJournal } from '#engine/approvals/store';
import { type FileJournal, openJournal } from '#engine/journal/file-journal';
import { codeOf, draft, HOUR_MS, reviewer, subject } from '#test/support/approvals';
import { FakeClock } from '#test/support/fake-clock';
import { MemoryJournal } from '#test/support/memory-journal';

const DIR = mkdtempSync(join(tmpdir(), 'interlock-races-'));
afterAll(() => rmSync(DIR, { recursive: true, force: true }));
const RACES = 1_000;

function open(journal: ApprovalJournal, clock: Clock = systemClock, limits: Partial<ApprovalLimits> = {}): Promise<ApprovalBook> {
  const publicUrl = 'https://interlock.example.com';
  return openApprovals({ journal, clock, ids: new Ids(clock), log: silentLog, expireMs: HOUR_MS, rememberDenialMs: 0, publicUrl, limits });
}

async function approvedBy(book: ApprovalBook, text: string): Promise<string> {
  const { approvalId } = await book.request(draft({ text }));
  const nowMs = systemClock.wallUs() / 1000;
  const carol = { ...reviewer('carol', ['owners'], new FakeClock()), issuedAtMs: nowMs, expiresAtMs: nowMs + HOUR_MS };
  await book.verdict(approvalId, { reviewer: carol, outcome: 'approve' });
  return approvalId;
}

/** Two statements of the same text, each with its nonce, at the same instant. */
async function race(books: readonly [ApprovalBook, ApprovalBook], approvalId: string, text: string): Promise<string[]> {
  return Promise.all(
    books.map(async (book, i) => {
      const d = draft({ text, sessionId: `ses_${i}` });
      return book.consume(approvalId, { statementId: d.statementId, enforcer: `shop-${i}`, nonce: `non_${d.statementId}`, draft: d }).then(
        () => 'won',
        (error: Error) => error.message,
      );
    }),
  );
}

function openFile(dir: string): Promise<FileJournal> {
  const { privateKey } = generateKeyPairSync('ed25519');
  return openJournal({
    dir,
    segmentBytes: 4 << 20,
    payloads: 'clear',
    checkpoint: { everyMs: 60_000, key: privateKey, origin: 'test' },
    clock: systemClock,
    version: 'test',
  });
}

test('1,000 races within one engine, on the real journal: exactly one wins, the loser is told why, and a restart knows it', async () => {
  const dir = join(DIR, 'journal');
  const journal = await openFile(dir);
  const book = await open(journal);
  const ids: string[] = [];
  for (let i = 0; i < RACES; i++) {
    const text = `UPDATE payments SET status = 'paid' WHERE id = ${i}`;
    const approvalId = await approvedBy(book, text);
    const outcomes = await race([book, book], approvalId, text);
    expect(outcomes.filter((outcome) => outcome === 'won')).toHaveLength(1);
    expect(outcomes.find((outcome) => outcome !== 'won')).toContain('used up (1 of 1 uses)');
    ids.push(approvalId);
  }
  const asked = draft({ text: 'DELETE FROM payments WHERE note = $1', params: '["\u00e9"]' });
  const waiting = await book.request(asked);
  const before = book.show(waiting.approvalId);
  book.close();
  await journal.close('test');
  const again = await openFile(dir);
  const after = await open(again);
  const uses = new Map<string, number>();
  for await (const event of again.events()) {
    if (event.type === 'approval.consumed') uses.set(event.approval_id, (uses.get(event.approval_id) ?? 0) + 1);
  }
  expect([...uses.values()]).toEqual(Array.from({ length: RACES }, () => 1));
  for (const id of ids.slice(-20)) {
    expect(after.show(id).state).toBe('consumed');
    const d = draft();
    expect(await codeOf(after.consume(id, { statementId: d.statementId, enforcer: 'shop', nonce: 'non_late', draft: d }))).toBe('APPROVAL_VOID');
  }
  expect({ ...after.show(waiting.approvalId), requested_at: '' }).toEqual({ ...before, requested_at: '' });
  expect((await after.request({ ...asked, sessionId: 'ses_after' })).approvalId).toBe(waiting.approvalId);
  after.close();
  await again.close('test');
});

test('1,000 races between two engines that share only the journal: compare-and-append lets one win, either of them', async () => {
  const journal = new MemoryJournal(systemClock);
  const limits = { livePerPrincipalMax: RACES, closedMax: RACES };
  const one = await open(journal, systemClock, limits);
  const ids: string[] = [];
  for (let i = 0; i < RACES; i++) ids.push(await approvedBy(one, `SELECT ${i}`));
  // Opened while all are approved: from now on each engine knows only its own uses.
  const two = await open(journal, systemClock, limits);
  const winners = new Set<unknown>();
  for (const [i, approvalId] of ids.entries()) {
    const books = i % 2 === 0 ? ([one, two] as const) : ([two, one] as const);
    const outcomes = await race(books, approvalId, `SELECT ${i}`);
    expect(outcomes.filter((outcome) => outcome === 'won')).toHaveLength(1);
    expect(outcomes.find((outcome) => outcome !== 'won')).toContain('used up (1 of 1 uses)');
    winners.add(books[outcomes.indexOf('won')]);
  }
  one.close();
  two.close();
  expect(winners.size).toBe(2);
  const consumed = journal.disk.events.flatMap((event) => (event.type === 'approval.consumed' ? [event.approval_id] : []));
  expect(new Set(consumed).size).toBe(RACES);
  expect(consumed).toHaveLength(RACES);
});

test('a use that was not durable when the process died was no use; one that was, stays one', async () => {
  for (const durable of [false, true]) {
    const journal = new MemoryJournal(systemClock);
    const book = await open(journal);
    const approvalId = await approvedBy(book, 'SELECT 1');
    const d = draft({ text: 'SELECT 1' });
    const use = { statementId: d.statementId, enforcer: 'shop', nonce: 'non_1', draft: d };
    if (!durable) journal.gate = new Promise(() => undefined);
    const first = book.consume(approvalId, use);
    if (durable) await first;
    book.close();
    const after = await open(new MemoryJournal(systemClock, journal.disk));
    const outcomes = await race([after, after], approvalId, 'SELECT 1');
    expect(outcomes.filter((outcome) => outcome === 'won')).toHaveLength(durable ? 0 : 1);
    if (durable) expect(await after.consume(approvalId, use)).toEqual(await first);
    after.close();
  }
});

test('verdict, cancel, expiry and use at the same instant leave one story that a fold accepts', async () => {
  const clock = new FakeClock();
  const journal = new MemoryJournal(clock);
  const book = await open(journal, clock);
  for (let i = 0; i < 200; i++) {
    const d = draft({ text: `SELECT ${i}` });
    const { approvalId } = await book.request(d);
    const say = (login: string, outcome: 'approve' | 'deny') =>
      codeOf(book.verdict(approvalId, { reviewer: reviewer(login, ['owners'], clock), outcome }));
    await Promise.all([
      say('carol', 'approve'),
      codeOf(book.consume(approvalId, { statementId: d.statementId, enforcer: 'shop', nonce: 'non_1', draft: d })),
      codeOf(book.cancel(approvalId, subject('alice').id)),
      say('dave', 'deny'),
      codeOf(book.consume(approvalId, { statementId: d.statementId, enforcer: 'shop', nonce: 'non_2', draft: d })),
      codeOf(book.supersede(approvalId, 'another revision')),
    ]);
  }
  const states = book.list().map((view) => view.state);
  book.close();
  const faults: object[] = [];
  const log = { ...silentLog, error: (fields: object) => void faults.push(fields) };
  const after = await openApprovals({
    journal: new MemoryJournal(clock, journal.disk),
    clock,
    ids: new Ids(clock),
    log,
    expireMs: HOUR_MS,
    rememberDenialMs: 0,
    publicUrl: 'https://interlock.example.com',
  });
  expect(faults).toEqual([]);
  expect(after.list().map((view) => view.state)).toEqual(states);
  after.close();
});
