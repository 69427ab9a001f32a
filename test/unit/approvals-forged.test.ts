/**
 * Whoever can write into the stream of all engines, and has not their key, changes nothing: what it writes is left out by all, in its place, and told
 * (A8, N1; ADR 0031). Before and after it approvals go on.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { isUntagged, TAG_BYTES, Tags } from '#engine/approvals/ordering/tagging';
import type { ApprovalDraft } from '#client/approvals';
import { codeOf, draft } from '#test/support/approvals';
import { MemoryStream } from '#test/support/memory-stream';
import { until } from '#test/support/nats';
import { closeSeats, openSeat, type Seat, useOf } from '#test/support/seats';
import { ORDER_KEY, person, type SharedBook } from '#test/support/shared-books';

afterEach(closeSeats);

let asked = 0;
async function approved(at: SharedBook): Promise<readonly [id: string, asked: ApprovalDraft]> {
  const one = draft({ text: `UPDATE payments SET n = ${asked++}` });
  const { approvalId } = await at.book.request(one);
  await at.book.verdict(approvalId, { reviewer: person('carol'), outcome: 'approve' });
  return [approvalId, one];
}

/** Asked, approved by another engine, used: all of it counts. */
async function goesOn(one: SharedBook, two: SharedBook): Promise<void> {
  const benign = draft({ text: `UPDATE payments SET n = ${asked++}` });
  const { approvalId } = await one.book.request(benign);
  await two.ordered.catchUp();
  await two.book.verdict(approvalId, { reviewer: person('carol'), outcome: 'approve' });
  await one.ordered.catchUp();
  await one.book.consume(approvalId, useOf(benign, `goes_on_${asked}`));
  await two.ordered.catchUp();
  expect([one, two].map(({ book }) => book.show(approvalId).state)).toEqual(['consumed', 'consumed']);
}

function bodyOf(stream: MemoryStream, seq: number): { readonly subject: string; readonly body: Buffer } {
  const { subject, body } = stream.messages[seq - 1] as (typeof stream.messages)[number];
  return { subject, body: Buffer.from(body) };
}

let ids = 0;
const put = (stream: MemoryStream, subject: string, body: Uint8Array): void => void stream.store(subject, body, { id: `put ${ids++}` });

interface Verdict {
  readonly subject: string;
  readonly plain: Buffer;
  readonly after: number;
}

/** A verdict on a request that is open, as an engine would have written it; the stream as it was before. */
async function verdictFor(id: string, stream: MemoryStream): Promise<Verdict> {
  const shadow = new MemoryStream();
  for (const { subject, body, id: known } of stream.messages) shadow.store(subject, body, { id: known });
  const engine = await openSeat(shadow, 'shadow');
  await engine.book.verdict(id, { reviewer: person('carol'), outcome: 'approve' });
  const { subject, body } = bodyOf(shadow, shadow.messages.length);
  const read = new Tags(ORDER_KEY).read({ log: shadow.log, subject }, body);
  return { subject, plain: Buffer.from(read?.body ?? []), after: read?.after ?? -1 };
}

const WAYS: Readonly<Record<string, (stream: MemoryStream, verdict: Verdict) => void>> = {
  'without a tag': (stream, { subject, plain }) => put(stream, subject, plain),
  'with a tag of another installation': (stream, { subject, plain, after }) =>
    put(stream, subject, new Tags(Buffer.alloc(32, 9)).write({ log: stream.log, subject }, { after, alone: false, body: plain })),
  'with a tag for another stream': (stream, { subject, plain, after }) =>
    put(stream, subject, new Tags(ORDER_KEY).write({ log: 'another 1', subject }, { after, alone: false, body: plain })),
  'with a tag for another subject': (stream, { subject, plain, after }) =>
    put(stream, subject, new Tags(ORDER_KEY).write({ log: stream.log, subject: 'approvals.other' }, { after, alone: false, body: plain })),
  'with a tag for an earlier place': (stream, { subject, plain }) =>
    put(stream, subject, new Tags(ORDER_KEY).write({ log: stream.log, subject }, { after: 0, alone: false, body: plain })),
  'with a tag for a later place': (stream, { subject, plain }) =>
    put(stream, subject, new Tags(ORDER_KEY).write({ log: stream.log, subject }, { after: 1_000, alone: false, body: plain })),
  'directly behind another one, and not so': (stream, { subject, plain }) => {
    put(stream, 'approvals.other', Buffer.from('{}'));
    put(stream, subject, new Tags(ORDER_KEY).write({ log: stream.log, subject }, { after: stream.messages.length - 1, alone: true, body: plain }));
  },
  altered: (stream, { subject, plain, after }) => {
    const body = Buffer.from(new Tags(ORDER_KEY).write({ log: stream.log, subject }, { after, alone: false, body: plain }));
    const at = body.indexOf('carol');
    body.write('mallo', at);
    put(stream, subject, body);
  },
};

test.each(Object.entries(WAYS))(
  'A8: a verdict %s approves nothing at any engine, now or after a restart; what is asked before and after it goes on',
  async (_, way) => {
    const stream = new MemoryStream();
    const [one, two] = [await openSeat(stream, 'one'), await openSeat(stream, 'two')];
    await goesOn(one, two);
    const victim = draft({ text: `DELETE FROM payments WHERE n = ${asked++}` });
    const { approvalId } = await one.book.request(victim);
    await two.ordered.catchUp();
    way(stream, await verdictFor(approvalId, stream));
    await Promise.all([one, two].map(({ ordered }) => ordered.catchUp()));
    const again = await openSeat(stream, 'three');
    for (const { book, forged } of [one, two, again]) {
      expect(book.show(approvalId).state).toBe('open');
      expect(await codeOf(book.consume(approvalId, useOf(victim, 'forged')))).toBe('APPROVAL_VOID');
      expect(forged.at(-1)).toMatchObject({ seq: stream.messages.length });
    }
    await goesOn(one, two);
    // the one that was asked all the while is approved as ever
    await two.book.verdict(approvalId, { reviewer: person('carol'), outcome: 'approve' });
    await one.ordered.catchUp();
    await one.book.consume(approvalId, useOf(victim, 'rightful'));
  },
);

test('A8: the control: the same verdict with the tag for its place counts', async () => {
  const stream = new MemoryStream();
  const one = await openSeat(stream, 'one');
  const victim = draft({ text: 'DELETE FROM payments' });
  const { approvalId } = await one.book.request(victim);
  const { subject, plain, after } = await verdictFor(approvalId, stream);
  put(stream, subject, new Tags(ORDER_KEY).write({ log: stream.log, subject }, { after, alone: false, body: plain }));
  await one.ordered.catchUp();
  expect(one.book.show(approvalId).state).toBe('approved');
  expect(one.forged).toEqual([]);
});

test('A8: everything that stands in the stream, put there once more: nothing of it counts, and the next ones do', async () => {
  const stream = new MemoryStream();
  const [one, two] = [await openSeat(stream, 'one'), await openSeat(stream, 'two')];
  await goesOn(one, two);
  one.ordered.tellEnd({ approvalId: 'apr_1', statementId: 'stm_1', outcome: 'ok', time: '2026-01-01T00:00:00.000000Z' });
  await until(() => stream.messages.some(({ subject }) => subject.startsWith('approvals.ends.')));
  await (await openSeat(stream, 'three')).close();
  const all = [...stream.messages];
  expect(all.some(({ subject }) => subject.startsWith('approvals.engines.'))).toBe(true);
  for (const { subject, body } of all) put(stream, subject, body);
  await Promise.all([one, two].map(({ ordered }) => ordered.catchUp()));
  for (const { forged } of [one, two]) expect(forged.map(({ seq }) => seq)).toEqual(all.map(({ seq }) => all.length + seq));
  await goesOn(one, two);
  expect((await openSeat(stream, 'three')).forged).toHaveLength(all.length);
});

describe('what stands there was changed later', () => {
  async function used(): Promise<{ stream: MemoryStream; one: Seat; two: Seat; id: string; grant: ApprovalDraft; at: number }> {
    const stream = new MemoryStream();
    const [one, two] = [await openSeat(stream, 'one'), await openSeat(stream, 'two')];
    const [id, grant] = await approved(one);
    await one.book.consume(id, useOf(grant, 'first'));
    await two.ordered.catchUp();
    const at = stream.messages.length - 1;
    // the last that each did stands there as it was
    await goesOn(one, two);
    await goesOn(two, one);
    stream.messages[at] = { ...(stream.messages[at] as (typeof stream.messages)[number]), subject: 'approvals.other', body: Buffer.from('{"no":1}') };
    return { stream, one, two, id, grant, at: at + 1 };
  }

  test('A5, A8: a use that a new engine does not see any more: it uses the grant for nobody, because another engine saw something there', async () => {
    const { stream, one, id, grant, at } = await used();
    const fresh = await openSeat(stream, 'fresh');
    expect(fresh.book.show(id).state).toBe('approved');
    expect(fresh.forged).toMatchObject([{ seq: at }]);
    await until(() => fresh.ordered.whyIncomplete(1)?.includes('may have been a use') === true);
    expect(await codeOf(fresh.book.consume(id, useOf(grant, 'second')))).toBe('APPROVAL_UNAVAILABLE');
    await goesOn(fresh, one);
  });

  test('A5, A8: an engine that recorded the use, and is restarted, closes the request', async () => {
    const { stream, one, two, id, grant } = await used();
    two.connection.end();
    one.connection.end();
    await one.kill();
    const back = await openSeat(stream, 'one', { disk: one.disk });
    expect(back.book.show(id).state).toBe('superseded');
    expect(await codeOf(back.book.consume(id, useOf(grant, 'second')))).toBe('APPROVAL_VOID');
  });
});

test('a grant from before a message that all left out is used as soon as all have said so', async () => {
  const stream = new MemoryStream();
  const [one, two] = [await openSeat(stream, 'one'), await openSeat(stream, 'two')];
  const [id, grant] = await approved(one);
  await two.ordered.catchUp();
  put(stream, 'approvals.other', Buffer.from('{"no":1}'));
  await until(() => [one, two].every(({ forged, ordered }) => forged.length === 1 && ordered.whyIncomplete(1) === null));
  await two.book.consume(id, useOf(grant, 'first'));
});

test('A8: what an engine said before an interruption, said once more by somebody who kept it, is no word of it', async () => {
  const stream = new MemoryStream();
  const kept: Uint8Array[] = [];
  const say = stream.say.bind(stream);
  stream.say = (body, from) => {
    kept.push(body);
    say(body, from);
  };
  const [one, two] = [await openSeat(stream, 'one'), await openSeat(stream, 'two')];
  const [id, grant] = await approved(one);
  await two.ordered.catchUp();
  one.connection.end();
  await one.kill();
  two.connection.set(false);
  await until(() => two.ordered.trouble !== null);
  two.connection.set(true);
  await until(() => two.ordered.whyIncomplete(Number.MAX_SAFE_INTEGER) === null);
  for (const body of kept) two.connection.told(body);
  expect(await codeOf(two.book.consume(id, useOf(grant, 'first')))).toBe('APPROVAL_UNAVAILABLE');
  await openSeat(stream, 'one', { disk: one.disk });
  await until(() => two.ordered.whyIncomplete(1) === null);
  await two.book.consume(id, useOf(grant, 'second'));
});

test('a stream from before there were tags is not begun with, and the error says what to do', async () => {
  const stream = new MemoryStream();
  put(stream, 'approvals.x', Buffer.from('{"v":1,"engine":"old","bye":"2026-01-01T00:00:00.000000Z"}'));
  await expect(openSeat(stream, 'one')).rejects.toMatchObject({ code: 'CONFIG_INVALID', hint: expect.stringContaining('interlock nats setup') });
});

test('N5: a message of an owner whose earlier ones grew old counts; one of those, put there again, does not', async () => {
  const stream = new MemoryStream();
  const one = await openSeat(stream, 'one');
  const [id, grant] = await approved(one);
  const old = bodyOf(stream, 1);
  const [later] = await approved(one);
  stream.first = 3;
  put(stream, old.subject, old.body);
  await one.book.consume(id, useOf(grant, 'first'));
  await one.ordered.catchUp();
  const fresh = await openSeat(stream, 'fresh');
  expect(fresh.book.show(later).state).toBe('approved');
  expect(one.forged).toMatchObject([{ seq: 5 }]);
  await goesOn(fresh, one);
});

describe('a tag', () => {
  const tags = new Tags(ORDER_KEY);
  const spot = { log: 'S 1', subject: 'approvals.x' };
  const bytes = Buffer.from(tags.write(spot, { after: 7, alone: true, body: Buffer.from('{"v":1}') }));

  test('is over every byte of a message, and over its place', () => {
    expect(tags.read(spot, bytes)).toMatchObject({ after: 7, alone: true, body: Buffer.from('{"v":1}') });
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(tags.read(spot, changed), `bit ${bit}`).toBeNull();
    }
    for (const other of [
      { ...spot, log: 'S 2' },
      { ...spot, subject: 'approvals.y' },
      { log: 'S 1a', subject: 'pprovals.x' },
    ])
      expect(tags.read(other, bytes)).toBeNull();
    expect(new Tags(Buffer.alloc(32, 3)).read(spot, bytes)).toBeNull();
  });

  test('of a message that is cut anywhere is none', () => {
    for (let length = 0; length < bytes.length; length++) expect(tags.read(spot, bytes.subarray(0, length)), `${length}`).toBeNull();
    expect(bytes.length).toBe(TAG_BYTES + 7);
    expect([isUntagged(bytes), isUntagged(Buffer.from('{}')), isUntagged(Buffer.alloc(0))]).toEqual([false, true, false]);
  });
});
