/** A stream that loses what it had acknowledged: no approval is used once more because of it, and whoever is still sure goes on (A5, A6; ADR 0018). */
import { afterEach, expect, test } from 'vitest';
import type { ApprovalDraft } from '#client/approvals';
import { Tags } from '#engine/approvals/ordering/tagging';
import { codeOf, draft } from '#test/support/approvals';
import { MemoryStream } from '#test/support/memory-stream';
import { until } from '#test/support/nats';
import { closeSeats, openSeat, type Seat, useOf } from '#test/support/seats';
import { ORDER_KEY, person, type SharedBook } from '#test/support/shared-books';

afterEach(closeSeats);

async function crash(seat: Seat): Promise<void> {
  seat.connection.end();
  await seat.kill();
}

/** Again: what is new is seen. */
async function follows({ ordered }: SharedBook): Promise<void> {
  await until(() => ordered.whyIncomplete(Number.MAX_SAFE_INTEGER) === null);
}

async function approved(at: SharedBook, asked: ApprovalDraft): Promise<string> {
  const { approvalId } = await at.book.request(asked);
  await at.book.verdict(approvalId, { reviewer: person('carol'), outcome: 'approve' });
  return approvalId;
}

test.each([null, 1])(
  'a use that the stream lost (kept by %s), known to one engine that died: no other uses it before that one is back, and then it is closed',
  async (keeper) => {
    const stream = new MemoryStream();
    stream.keeper = keeper;
    const [one, two] = [await openSeat(stream, 'one'), await openSeat(stream, 'two')];
    const asked = draft({ text: 'UPDATE payments SET a = 1' });
    const id = await approved(two, asked);
    await one.ordered.catchUp();
    two.connection.set(false);
    await one.book.consume(id, useOf(asked, 'first'));
    await crash(one);
    stream.lose(1);
    two.connection.set(true);
    await follows(two);
    expect(stream.messages).toHaveLength(2);
    // nothing in the stream says that it was used
    expect(two.book.show(id).state).toBe('approved');
    expect(await codeOf(two.book.consume(id, useOf(asked, 'second')))).toBe('APPROVAL_UNAVAILABLE');
    // what is asked from now on rests on nothing that was lost
    const later = draft({ text: 'UPDATE payments SET a = 2' });
    await two.book.consume(await approved(two, later), useOf(later, 'third'));
    const back = await openSeat(stream, 'one', { disk: one.disk });
    await until(() => two.book.show(id).state === 'superseded');
    expect(back.book.show(id).state).toBe('superseded');
    expect(await codeOf(two.book.consume(id, useOf(asked, 'fourth')))).toBe('APPROVAL_VOID');
    expect(await codeOf(back.book.consume(id, useOf(asked, 'fifth')))).toBe('APPROVAL_VOID');
  },
);

test('an engine that sees what it knew gone ends, and begins anew with what is left', async () => {
  const stream = new MemoryStream();
  const one = await openSeat(stream, 'one');
  const asked = draft({ text: 'UPDATE payments SET b = 1' });
  const id = await approved(one, asked);
  await one.book.consume(id, useOf(asked, 'first'));
  one.connection.set(false);
  stream.lose(1);
  one.connection.set(true);
  expect((await one.ordered.lost).message).toContain('lost');
  expect(await codeOf(one.book.consume(id, useOf(asked, 'second')))).toBe('APPROVAL_UNAVAILABLE');
  await crash(one);
  const back = await openSeat(stream, 'one', { disk: one.disk });
  expect(back.book.show(id).state).toBe('superseded');
});

test('all of it lost: what was asked is unknown, and used by nobody', async () => {
  const stream = new MemoryStream();
  const one = await openSeat(stream, 'one');
  const asked = draft({ text: 'UPDATE payments SET c = 1' });
  const id = await approved(one, asked);
  await crash(one);
  stream.lose(1_000);
  const back = await openSeat(stream, 'one', { disk: one.disk });
  expect(await codeOf(back.book.consume(id, useOf(asked, 'first')))).toBe('APPROVAL_VOID');
});

test('an engine that died takes nothing with it while the stream stands: the others use what it approved', async () => {
  const stream = new MemoryStream();
  const [one, two] = [await openSeat(stream, 'one'), await openSeat(stream, 'two')];
  const asked = draft({ text: 'UPDATE payments SET d = 1' });
  const id = await approved(one, asked);
  await crash(one);
  await two.book.consume(id, useOf(asked, 'first'));
  expect(two.book.show(id).state).toBe('consumed');
});

test('a connection that was lost: grants from before serve again once the others have been heard, or have said farewell', async () => {
  const stream = new MemoryStream();
  const [one, two, three] = [await openSeat(stream, 'one'), await openSeat(stream, 'two'), await openSeat(stream, 'three')];
  const drafts = [1, 2].map((i) => draft({ text: `UPDATE payments SET e = ${i}` }));
  const ids = [];
  for (const asked of drafts) ids.push(await approved(one, asked));
  await three.close();
  two.connection.set(false);
  await until(() => two.ordered.trouble !== null);
  expect(await codeOf(two.book.consume(ids[0] as string, useOf(drafts[0] as ApprovalDraft, 'a')))).toBe('APPROVAL_UNAVAILABLE');
  two.connection.set(true);
  await follows(two);
  await two.book.consume(ids[0] as string, useOf(drafts[0] as ApprovalDraft, 'b'));
  await one.close();
  two.connection.set(false);
  await until(() => two.ordered.trouble !== null);
  two.connection.set(true);
  await follows(two);
  await two.book.consume(ids[1] as string, useOf(drafts[1] as ApprovalDraft, 'c'));
});

test('a consumer that was interrupted while the same leader kept the stream: what another engine approved that died serves at once', async () => {
  const stream = new MemoryStream();
  stream.keeper = 1;
  const [one, two] = [await openSeat(stream, 'one'), await openSeat(stream, 'two')];
  const drafts = [1, 2].map((i) => draft({ text: `UPDATE payments SET f = ${i}` }));
  const ids = [];
  for (const asked of drafts) ids.push(await approved(one, asked));
  await follows(two);
  await crash(one);
  two.connection.set(false);
  await until(() => two.ordered.trouble !== null);
  two.connection.set(true);
  await follows(two);
  await two.book.consume(ids[0] as string, useOf(drafts[0] as ApprovalDraft, 'a'));
  // another leader may not have what the one before it had acknowledged
  stream.keeper = 2;
  two.connection.set(false);
  await until(() => two.ordered.trouble !== null);
  two.connection.set(true);
  await follows(two);
  expect(await codeOf(two.book.consume(ids[1] as string, useOf(drafts[1] as ApprovalDraft, 'b')))).toBe('APPROVAL_UNAVAILABLE');
  // and it stays so under that one, though nothing more was interrupted
  two.connection.set(false);
  await until(() => two.ordered.trouble !== null);
  two.connection.set(true);
  await follows(two);
  expect(await codeOf(two.book.consume(ids[1] as string, useOf(drafts[1] as ApprovalDraft, 'c')))).toBe('APPROVAL_UNAVAILABLE');
});

test('a message that nobody can read stops an engine: what it does not know of it cannot judge', async () => {
  const stream = new MemoryStream();
  const one = await openSeat(stream, 'one');
  const body = new Tags(ORDER_KEY).write(
    { log: stream.log, subject: 'approvals.x' },
    { after: 0, alone: false, body: Buffer.from('{"v":2,"engine":"newer"}') },
  );
  stream.store('approvals.x', body, { id: 'x' });
  expect((await one.ordered.lost).message).toContain('newer engine');
  expect(await codeOf(one.book.request(draft()))).toBe('APPROVAL_UNAVAILABLE');
});

test('what waits for a verdict is refused when the stream is out of reach; the request stays open', async () => {
  const stream = new MemoryStream();
  const [one, two] = [await openSeat(stream, 'one'), await openSeat(stream, 'two')];
  const { approvalId } = await one.book.request(draft({ text: 'UPDATE payments SET f = 1' }));
  const waits = codeOf(one.book.settled(approvalId, new AbortController().signal));
  one.connection.set(false);
  expect(await waits).toBe('APPROVAL_UNAVAILABLE');
  await two.ordered.catchUp();
  await two.book.verdict(approvalId, { reviewer: person('carol'), outcome: 'approve' });
  one.connection.set(true);
  await follows(one);
  expect((await one.book.settled(approvalId, new AbortController().signal)).state).toBe('approved');
});
