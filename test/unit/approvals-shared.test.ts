/** Several engines on one real stream: whoever acts, all see the same, and of two at once one wins (A5, A6, E6; ADR 0018). Invariant 4. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Delegations } from '#engine/approvals/delegations';
import { codeOf, draft, requirement, stage, subject } from '#test/support/approvals';
import { until } from '#test/support/nats';
import { person, type SharedBook, SharedNats } from '#test/support/shared-books';

let nats: SharedNats;
let one: SharedBook;
let two: SharedBook;
let three: SharedBook;

beforeAll(async () => {
  nats = await SharedNats.start();
  [one, two, three] = await Promise.all([nats.book('one'), nats.book('two'), nats.book('three')]);
}, 60_000);
afterAll(async () => {
  await Promise.all([one, two, three].map((each) => each.close()));
  await nats[Symbol.asyncDispose]();
});

test('A5: asked at one engine, approved at another, used at the third, at most once; all journals hold the same', async () => {
  const asked = draft({ text: 'UPDATE payments SET a = 1' });
  const { approvalId } = await one.book.request(asked);
  const waits = one.book.settled(approvalId, new AbortController().signal);
  const view = await two.book.verdict(approvalId, { reviewer: person('carol'), outcome: 'approve', comment: 'looks right' });
  expect(view.state).toBe('approved');
  expect((await waits).state).toBe('approved');
  const use = { statementId: asked.statementId, enforcer: 'shop', nonce: 'non_1', draft: asked };
  const receipt = await three.book.consume(approvalId, use);
  // the answer was lost, and the enforcer asks another engine
  expect(await one.book.consume(approvalId, use)).toEqual(receipt);
  expect(await codeOf(two.book.consume(approvalId, { ...use, nonce: 'non_2' }))).toBe('APPROVAL_VOID');
  const told = (book: SharedBook) => book.disk.events.map(({ type, ...event }) => [type, 'ordered' in event ? event.ordered : null]);
  await until(() => three.disk.events.length === one.disk.events.length && two.disk.events.length === one.disk.events.length);
  expect(told(one).map(([type]) => type)).toEqual(['approval.requested', 'approval.verdict', 'approval.settled', 'approval.consumed']);
  expect(told(two)).toEqual(told(one));
  expect(told(three)).toEqual(told(one));
  // what a reviewer reads is the same everywhere
  for (const each of [two, three]) {
    await until(() => each.book.show(approvalId).state === 'consumed');
    const { executions: _a, ...shown } = each.book.show(approvalId);
    const { executions: _b, ...original } = one.book.show(approvalId);
    expect(shown).toEqual(original);
  }
});

test('whoever names a request of another engine is not told that there is none', async () => {
  for (let i = 0; i < 50; i++) {
    const { approvalId } = await one.book.request(draft({ text: `UPDATE payments SET named = ${i}` }));
    await Promise.all(
      [two, three].map(async ({ book }) => {
        await book.hear(approvalId);
        expect(book.show(approvalId).approval_id).toBe(approvalId);
      }),
    );
  }
});

const RACES = 200;

test(`A5, A6: ${RACES} approvals, each used through two engines at the same instant: one wins, either of them`, { timeout: 60_000 }, async () => {
  const winners = new Set<number>();
  for (let i = 0; i < RACES; i++) {
    const asked = draft({ text: `UPDATE payments SET b = ${i}`, subject: subject(`alice${i % 7}`, ['support']) });
    const books = [[one, two, three][i % 3], [one, two, three][(i + 1) % 3]] as const;
    const { approvalId } = await one.book.request(asked);
    await two.book.verdict(approvalId, { reviewer: person('carol'), outcome: 'approve' });
    const outcomes = await Promise.all(
      books.map((each, n) =>
        codeOf(
          (each as SharedBook).book.consume(approvalId, {
            statementId: `stm_${i}_${n}`,
            enforcer: `shop-${n}`,
            nonce: `non_${i}_${n}`,
            draft: asked,
          }),
        ),
      ),
    );
    expect(outcomes.toSorted()).toEqual(['APPROVAL_VOID', 'none']);
    winners.add(outcomes.indexOf('none'));
  }
  expect(winners.size).toBe(2);
});

test('two engines that are asked for the same at the same instant open one request', { timeout: 60_000 }, async () => {
  for (let i = 0; i < 50; i++) {
    const tickets = await Promise.all(
      [one, two, three, two].map((each) => each.book.request(draft({ text: `DELETE FROM a WHERE id = ${i}`, sessionId: `ses_${i}` }))),
    );
    expect(new Set(tickets.map(({ approvalId }) => approvalId)).size).toBe(1);
  }
});

test('quorum, denial, cancellation and expiry at the same instant leave one story at all engines', { timeout: 60_000 }, async () => {
  const ids: string[] = [];
  for (let i = 0; i < 50; i++) {
    const asked = draft({ text: `SELECT ${i}`, sessionId: `ses_${i}` });
    const { approvalId } = await one.book.request(asked);
    ids.push(approvalId);
    await Promise.all([
      codeOf(one.book.verdict(approvalId, { reviewer: person('carol'), outcome: 'approve' })),
      codeOf(two.book.verdict(approvalId, { reviewer: person('dave'), outcome: 'deny' })),
      codeOf(three.book.cancel(approvalId, asked.subject.id)),
      codeOf(three.book.consume(approvalId, { statementId: asked.statementId, enforcer: 'shop', nonce: 'non_1', draft: asked })),
      codeOf(one.book.supersede(approvalId, 'another revision')),
    ]);
  }
  await Promise.all([one, two, three].map(({ ordered }) => ordered.catchUp()));
  for (const id of ids) {
    const stories = [one, two, three].map(({ book }) => book.story(id).filter(({ type }) => type !== 'executed'));
    expect(stories[1]).toEqual(stories[0]);
    expect(stories[2]).toEqual(stories[0]);
    // whatever came first, it ended once
    expect(['denied', 'cancelled', 'superseded', 'consumed']).toContain(one.book.show(id).state);
  }
});

test('time is kept by all, and does what it does once: an escalation, a denial, an end', { timeout: 60_000 }, async () => {
  const timed = requirement({ stages: [{ ...stage('owners', 'owners'), escalate: [{ after_s: 1, add: [{ group: 'chiefs' }] }], deny_after_s: 2 }] });
  const asked = draft({ text: 'DELETE FROM timed', requirement: timed });
  const short = draft({ text: 'DELETE FROM short', requirement: requirement({ expires_in_s: 1, digest: `sha256:${'3'.repeat(64)}` }) });
  const [{ approvalId: denied }, { approvalId: expired }] = [await one.book.request(asked), await two.book.request(short)];
  await until(async () => {
    await Promise.all([one, two, three].map(({ book }) => book.sweep()));
    return [one, two, three].every(({ book }) => book.show(denied).state === 'denied' && book.show(expired).state === 'expired');
  });
  const events = one.disk.events.filter((event) => 'approval_id' in event && (event.approval_id === denied || event.approval_id === expired));
  expect(events.map(({ type }) => type).toSorted()).toEqual([
    'approval.escalated',
    'approval.requested',
    'approval.requested',
    'approval.settled',
    'approval.settled',
  ]);
  // a denial is remembered by all
  expect((await three.book.request({ ...asked, statementId: 'stm_again' })).state).toBe('denied');
});

test('a delegation is given at one engine and ended at the other; of two broken glasses at two engines one waits for the review', {
  timeout: 60_000,
}, async () => {
  const rule = { id: 'night', groups: ['support'], valid_for_s: 60, review: { any_of: [{ group: 'owners' }] } };
  const delegations: Delegations[] = [];
  await using other = await SharedNats.start();
  const open = async (name: 'one' | 'two'): Promise<SharedBook> =>
    other.book(name, {
      options: (options) => {
        const { journal, clock, ids, ordered } = options;
        delegations.push(
          new Delegations({ journal, clock, ids, ...(ordered && { ordered }), world: () => ({ personsOf: () => [] }), isProgram: () => false }),
        );
        return { ...options, data: { data: () => ({ break_glass: [rule] }) } };
      },
    });
  const books = [await open('one'), await open('two')] as const;
  const broken = await Promise.all(
    books.map(async ({ book }, i) => {
      const { approvalId } = await book.request(draft({ text: `DELETE FROM glass WHERE id = ${i}` }));
      return codeOf(book.breakGlass(approvalId, { by: person('alice', ['support']), reason: 'it burns' }));
    }),
  );
  expect(broken.toSorted()).toEqual(['BREAK_GLASS_REVIEW_OPEN', 'none']);
  const [here, there] = delegations as [Delegations, Delegations];
  const ask = { to: 'dave', starts: '2020-01-01T00:00:00Z', ends: new Date(Date.now() + 60_000).toISOString(), reason: 'away' };
  const { delegation_id: id } = await here.open(person('carol'), ask);
  await books[1].ordered.catchUp();
  expect(there.inForce().map(({ to }) => to)).toEqual(['dave']);
  expect((await there.end(id, person('carol'))).state).toBe('ended');
  await books[0].ordered.catchUp();
  expect(here.inForce()).toEqual([]);
  await Promise.all(books.map((each) => each.close()));
});
