/** Approval requests over their whole life: A1–A6 of SECURITY §1.5, DESIGN §1 (holding). */
import { afterEach, describe, expect, test } from 'vitest';
import { type ApprovalDraft, POINT_SETTING, type Ticket } from '#client/approvals';
import { ApprovalView } from '#schemas/approval';
import { codeOf, type Desk, draft, HOUR_MS, openDesk, requirement, reviewer, stage, subject } from '#test/support/approvals';
import { Compile } from 'typebox/compile';

const desks: Desk[] = [];
async function desk(more: Parameters<typeof openDesk>[0] = {}): Promise<Desk> {
  const one = await openDesk(more);
  desks.push(one);
  return one;
}
afterEach(() => {
  for (const one of desks.splice(0)) one.book.close();
});

const never = new AbortController().signal;
const use = (d: ApprovalDraft, nonce = 'non_1') => ({ statementId: d.statementId, enforcer: 'shop-1', nonce, draft: d });

async function approved(one: Desk, d = draft()): Promise<Ticket> {
  const ticket = await one.book.request(d);
  await one.book.verdict(ticket.approvalId, { reviewer: reviewer('carol', ['owners'], one.clock), outcome: 'approve' });
  return one.book.request(d);
}

describe('asking', () => {
  test('opens one request, durable, that names who may decide and where', async () => {
    const one = await desk();
    const ticket = await one.book.request(draft());
    expect(ticket).toMatchObject({ state: 'open', askedFor: ['group owners'], comment: null, approval: null });
    expect(ticket.url).toBe(`https://interlock.example.com/approvals/${ticket.approvalId}`);
    expect(one.disk.events.map((event) => event.type)).toEqual(['approval.requested']);
  });

  test('the same statement by the same principal joins, also at the same instant and from another session', async () => {
    const one = await desk();
    const tickets = await Promise.all(Array.from({ length: 20 }, (_, i) => one.book.request(draft({ sessionId: `ses_${i}` }))));
    expect(new Set(tickets.map((ticket) => ticket.approvalId)).size).toBe(1);
    expect(one.book.open).toBe(1);
  });

  test.each<[string, Partial<Parameters<typeof draft>[0] & object>]>([
    ['principal', { subject: subject('bob') }],
    ['on_behalf_of', { subject: subject('alice', [], { owner: 'dave' }) }],
    ['target', { target: 'other' }],
    ['database', { database: 'other' }],
    ['role', { role: 'postgres' }],
    ['payload', { text: 'UPDATE payments SET status = $1 WHERE id = 8' }],
    ['params', { params: '["void"]' }],
    ['params', { params: null }],
    ['settings', { settings: { search_path: 'evil, public' } }],
    ['transaction', { transaction: 'fresh' }],
    ['objects', { objects: ['16400 public.payments'] }],
  ])('A2: with another %s it is another request, and the approval of one is void for the other', async (field, change) => {
    const one = await desk();
    const ticket = await approved(one);
    const other = draft(change);
    expect((await one.book.request(other)).approvalId).not.toBe(ticket.approvalId);
    await expect(one.book.consume(ticket.approvalId, use(other))).rejects.toMatchObject({
      code: 'APPROVAL_VOID',
      message: expect.stringContaining(`its ${field} is another`) as string,
    });
    expect((await one.book.consume(ticket.approvalId, use(draft()))).approvalId).toBe(ticket.approvalId);
  });

  test('another session only matters where policy binds the session', async () => {
    const one = await desk();
    const bound = requirement({ bind_session: true });
    const ticket = await approved(one, draft({ requirement: bound }));
    const elsewhere = draft({ requirement: bound, sessionId: 'ses_2' });
    await expect(one.book.consume(ticket.approvalId, use(elsewhere))).rejects.toThrow('its session is another');
    expect((await one.book.request(elsewhere)).approvalId).not.toBe(ticket.approvalId);
  });

  test('another requirement closes the request as superseded, naming both revisions, and opens a new one', async () => {
    const one = await desk();
    const before = await approved(one);
    const changed = draft({ requirement: requirement({ digest: `sha256:${'2'.repeat(64)}` }) });
    const newer = { ...changed, decision: { ...changed.decision, revision: `sha256:${'d'.repeat(64)}` } };
    const after = await one.book.request(newer);
    expect(after).toMatchObject({ state: 'open', approval: null });
    const closed = one.book.show(before.approvalId);
    expect(closed.state).toBe('superseded');
    expect(closed.detail).toContain(`sha256:${'a'.repeat(64)}`);
    expect(closed.detail).toContain(`sha256:${'d'.repeat(64)}`);
    expect(one.book.show(after.approvalId).supersedes).toBe(before.approvalId);
    await expect(one.book.consume(before.approvalId, use(draft()))).rejects.toThrow('superseded');
  });

  test('used under another requirement, it is void and closed', async () => {
    const one = await desk();
    const { approvalId } = await approved(one);
    const other = draft({ requirement: requirement({ digest: `sha256:${'2'.repeat(64)}` }) });
    await expect(one.book.consume(approvalId, use(other))).rejects.toThrow('its requirement is another');
    expect(one.book.show(approvalId).state).toBe('superseded');
  });
});

describe('deciding', () => {
  test('a verdict reaches the statement that waits', async () => {
    const one = await desk();
    const { approvalId } = await one.book.request(draft());
    const waiting = one.book.settled(approvalId, never);
    await one.book.verdict(approvalId, { reviewer: reviewer('carol', ['owners'], one.clock), outcome: 'approve' });
    expect(await waiting).toMatchObject({
      state: 'approved',
      approval: { valid: true, id: approvalId, approved_by: ['carol'], requirement: requirement().digest },
    });
  });

  test('A4: never the requester, their agent’s owner, or their login at another issuer', async () => {
    const one = await desk();
    const owners = ['owners'];
    const mine = await one.book.request(draft({ subject: subject('alice', owners) }));
    const agents = await one.book.request(draft({ subject: subject('robot', [], { type: 'agent', owner: 'alice' }) }));
    const elsewhere = { ...reviewer('ALICE', owners, one.clock), subject: subject('ALICE', owners, { id: 'https://other.example.com|7' }) };
    for (const who of [reviewer('alice', owners, one.clock), elsewhere]) {
      for (const { approvalId } of [mine, agents]) {
        expect(await codeOf(one.book.verdict(approvalId, { reviewer: who, outcome: 'approve' }))).toBe('VERDICT_SELF');
        expect(await codeOf(one.book.verdict(approvalId, { reviewer: who, outcome: 'deny' }))).toBe('VERDICT_SELF');
      }
    }
  });

  test.each<[string, Parameters<typeof reviewer>[3] | ((one: Desk) => Parameters<typeof reviewer>[3])]>([
    ['with scope connect', { scopes: ['connect'] }],
    ['with both scopes', { scopes: ['approve', 'connect'] }],
    ['without a scope', { scopes: [] }],
    ['of a service account', { subject: subject('carol', ['owners'], { type: 'service' }) }],
    ['of an agent', { subject: subject('carol', ['owners'], { type: 'agent' }) }],
    ['on behalf of somebody', { subject: subject('carol', ['owners'], { owner: 'dave' }) }],
    ['older than an hour', (one) => ({ issuedAtMs: one.clock.wallUs() / 1000 - HOUR_MS - 61_000 })],
    ['from the future', (one) => ({ issuedAtMs: one.clock.wallUs() / 1000 + 61_000 })],
    ['that has ended', (one) => ({ expiresAtMs: one.clock.wallUs() / 1000 - 61_000 })],
    ['without a time', { issuedAtMs: Number.NaN }],
  ])('A4: a token %s gives no verdict', async (_, change) => {
    const one = await desk();
    const { approvalId } = await one.book.request(draft());
    const who = reviewer('carol', ['owners'], one.clock, typeof change === 'function' ? change(one) : change);
    expect(await codeOf(one.book.verdict(approvalId, { reviewer: who, outcome: 'approve' }))).toBe('VERDICT_TOKEN');
    expect(one.book.show(approvalId).state).toBe('open');
  });

  test('only who is asked in the current stage approves, each human once; a later stage may deny at once', async () => {
    const one = await desk();
    const stages = [stage('second', 'security', 1, 2), stage('first', 'owners', 2, 1)];
    const d = draft({ requirement: requirement({ stages }) });
    const { approvalId } = await one.book.request(d);
    const say = (login: string, groups: string[], outcome: 'approve' | 'deny' = 'approve') =>
      codeOf(one.book.verdict(approvalId, { reviewer: reviewer(login, groups, one.clock), outcome }));
    expect(await say('mallory', ['support'])).toBe('VERDICT_NOT_ELIGIBLE');
    expect(await say('sam', ['security'])).toBe('VERDICT_NOT_ELIGIBLE');
    expect(await say('carol', ['owners', 'security'])).toBe('none');
    expect(await say('carol', ['owners', 'security'])).toBe('VERDICT_NOT_ELIGIBLE');
    expect(await say('dave', ['owners'])).toBe('none');
    expect(one.book.show(approvalId)).toMatchObject({
      state: 'open',
      progress: [
        { stage: 'first', approved_by: ['carol', 'dave'], needed: 2 },
        { stage: 'second', approved_by: [], needed: 1 },
      ],
    });
    expect(await say('carol', ['owners', 'security'])).toBe('VERDICT_NOT_ELIGIBLE');
    expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe('APPROVAL_VOID');
    expect(await say('sam', ['security'])).toBe('none');
    expect(one.book.show(approvalId).state).toBe('approved');
    const another = await one.book.request(draft({ text: 'DELETE FROM payments', requirement: requirement({ stages }) }));
    await one.book.verdict(another.approvalId, { reviewer: reviewer('sam', ['security'], one.clock), outcome: 'deny' });
    expect(one.book.show(another.approvalId).state).toBe('denied');
  });

  test('a stage that names a source that does not answer is refused when it is asked: nobody waits for nobody', async () => {
    const one = await desk();
    const stages = [{ id: 's', order: 0, any_of: [{ ref: 'oncall:shop' }], quorum: 1 }];
    expect(await codeOf(one.book.request(draft({ requirement: requirement({ stages }) })))).toBe('APPROVAL_CHAIN');
    expect(one.book.open).toBe(0);
  });

  test('and one that stops answering meanwhile asks nobody', async () => {
    let names: readonly { readonly user: string }[] | null = [{ user: 'carol' }];
    const world = { groupsOf: () => [], resolve: () => names, delegations: [], personsOf: () => [] };
    const one = await openDesk({ worlds: { prepare: () => Promise.resolve(), of: () => world } });
    desks.push(one);
    const stages = [{ id: 's', order: 0, any_of: [{ ref: 'oncall:shop' }], quorum: 1 }];
    const { approvalId } = await one.book.request(draft({ requirement: requirement({ stages }) }));
    expect(one.book.show(approvalId).progress[0]?.asks).toEqual(['on call: shop (carol)']);
    names = null;
    const carol = reviewer('carol', [], one.clock);
    expect(await codeOf(one.book.verdict(approvalId, { reviewer: carol, outcome: 'approve' }))).toBe('VERDICT_NOT_ELIGIBLE');
    names = [{ user: 'carol' }];
    expect((await one.book.verdict(approvalId, { reviewer: carol, outcome: 'approve' })).state).toBe('approved');
  });

  test('a denial is remembered in the reviewer’s words, also in a new session and after a restart, for as long as configured', async () => {
    const one = await desk();
    const { approvalId } = await one.book.request(draft());
    await one.book.verdict(approvalId, { reviewer: reviewer('carol', ['owners'], one.clock), outcome: 'deny', comment: 'not on a Friday' });
    expect(await one.book.request(draft({ sessionId: 'ses_9' }))).toMatchObject({ approvalId, state: 'denied', comment: 'not on a Friday' });
    const two = await one.restart();
    desks.push(two);
    two.clock.pass(599_000);
    expect(await two.book.request(draft())).toMatchObject({ approvalId, state: 'denied', comment: 'not on a Friday' });
    expect(two.book.show(approvalId)).toMatchObject({ denied_by: 'carol', comment: 'not on a Friday' });
    two.clock.pass(2_000);
    expect((await two.book.request(draft())).state).toBe('open');
  });

  test.each<[string, Parameters<typeof draft>[0], boolean]>([
    ['in other lines, with a comment, in capitals', { text: '/* please */ update  Payments\nSET status = $1 where id = 7 -- now' }, true],
    ['behind BEGIN', { transaction: 'fresh' }, true],
    ['with another value', { text: 'UPDATE payments SET status = $1 WHERE id = 8' }, false],
    ['with another parameter', { params: '["void"]' }, false],
    ['with a name in other letters between quotes', { text: 'UPDATE "Payments" SET status = $1 WHERE id = 7' }, false],
    ['with a string that differs in blanks', { text: "UPDATE payments SET status = $1 WHERE id = 7 AND note = 'a  b'" }, false],
    ['behind other work of its transaction', { transaction: 'open', objects: ['1 before it: SELECT 1'] }, false],
  ])('what was denied is asked again %s', async (_how, again, remembered) => {
    const one = await desk();
    const { approvalId } = await one.book.request(draft());
    await one.book.verdict(approvalId, { reviewer: reviewer('carol', ['owners'], one.clock), outcome: 'deny', comment: 'no' });
    expect(await one.book.request(draft(again))).toMatchObject(remembered ? { approvalId, state: 'denied', comment: 'no' } : { state: 'open' });
  });

  test('a settled or unknown request takes no verdict', async () => {
    const one = await desk();
    const { approvalId } = await approved(one);
    const late = { reviewer: reviewer('dave', ['owners'], one.clock), outcome: 'deny' as const };
    expect(await codeOf(one.book.verdict(approvalId, late))).toBe('VERDICT_CLOSED');
    expect(await codeOf(one.book.verdict('apr_unknown', late))).toBe('APPROVAL_NOT_FOUND');
    expect(() => one.book.show('apr_unknown')).toThrow('there is no approval request');
  });
});

describe('using', () => {
  test('A5: once; the same nonce again gets the same receipt, another nonce the reason', async () => {
    const one = await desk();
    const { approvalId } = await approved(one);
    const d = draft();
    const receipt = await one.book.consume(approvalId, use(d));
    expect(receipt.receipt).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await one.book.consume(approvalId, use(d))).toEqual(receipt);
    await expect(one.book.consume(approvalId, use(d, 'non_2'))).rejects.toThrow('used up (1 of 1 uses)');
    await expect(one.book.consume(approvalId, { ...use(d), statementId: 'stm_other' })).rejects.toThrow('this nonce was used for another statement');
    expect(one.disk.events.filter((event) => event.type === 'approval.consumed')).toHaveLength(1);
    expect((await one.book.request(d)).approvalId).not.toBe(approvalId);
  });

  test('N uses, or any number until its end', async () => {
    const one = await desk();
    for (const [uses, granted] of [
      [3, 3],
      [null, 5],
    ] as const) {
      const d = draft({ requirement: requirement({ grant: { of: 'statement', uses } }), text: `SELECT ${uses}` });
      const { approvalId } = await approved(one, d);
      const codes: string[] = [];
      for (let i = 0; i < 5; i++) codes.push(await codeOf(one.book.consume(approvalId, use(d, `non_${i}`))));
      expect(codes.filter((code) => code === 'none')).toHaveLength(granted);
      one.clock.pass(601_000);
      await expect(one.book.consume(approvalId, use(d, 'non_x'))).rejects.toThrow(uses === null ? 'expired' : 'used up');
    }
  });

  test('the receipt is given only once it is durable', async () => {
    const one = await desk();
    const { approvalId } = await approved(one);
    const gate = Promise.withResolvers<void>();
    one.journal.gate = gate.promise;
    let given = false;
    const consuming = one.book.consume(approvalId, use(draft())).then(() => (given = true));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(given).toBe(false);
    expect(one.disk.events.some((event) => event.type === 'approval.consumed')).toBe(false);
    gate.resolve();
    await consuming;
    expect(one.disk.events.at(-1)?.type).toBe('approval.consumed');
  });

  test('a journal that dies ends every wait and refuses everything', async () => {
    const one = await desk();
    const { approvalId } = await approved(one);
    const open = await one.book.request(draft({ text: 'DELETE FROM payments' }));
    const waiting = codeOf(one.book.settled(open.approvalId, never));
    one.journal.fail(new Error('EIO'));
    expect(await waiting).toBe('APPROVAL_UNAVAILABLE');
    expect(await codeOf(one.book.consume(approvalId, use(draft())))).toBe('APPROVAL_UNAVAILABLE');
    expect(await codeOf(one.book.request(draft()))).toBe('APPROVAL_UNAVAILABLE');
  });
});

describe('ending', () => {
  test('the requester cancels, and nobody else', async () => {
    const one = await desk();
    const { approvalId } = await one.book.request(draft());
    const waiting = one.book.settled(approvalId, never);
    expect(await codeOf(one.book.cancel(approvalId, 'mallory'))).toBe('VERDICT_NOT_ELIGIBLE');
    await one.book.cancel(approvalId, subject('alice').id);
    expect((await waiting).state).toBe('cancelled');
    await one.book.cancel(approvalId, subject('alice').id);
    expect(one.disk.events.filter((event) => event.type === 'approval.settled')).toHaveLength(1);
  });

  test('a signal ends its own wait with its own reason, and leaves the request open', async () => {
    const one = await desk();
    const { approvalId } = await one.book.request(draft());
    const mine = new AbortController();
    const waiting = one.book.settled(approvalId, mine.signal);
    mine.abort(new Error('approvals.wait is over'));
    await expect(waiting).rejects.toThrow('approvals.wait is over');
    await expect(one.book.settled(approvalId, mine.signal)).rejects.toThrow('approvals.wait is over');
    expect(one.book.show(approvalId).state).toBe('open');
  });

  test.each([
    ['both clocks', (one: Desk) => one.clock.pass(86_401_000)],
    [
      'the monotonic clock, when the wall clock was set back meanwhile',
      (one: Desk) => {
        one.clock.pass(86_401_000);
        one.clock.set(-86_400_000);
      },
    ],
  ])('A6: an open request ends by %s', async (_, passes) => {
    const one = await desk();
    const { approvalId } = await one.book.request(draft());
    passes(one);
    const late = { reviewer: reviewer('carol', ['owners'], one.clock), outcome: 'approve' as const };
    expect(await codeOf(one.book.verdict(approvalId, late))).toBe('VERDICT_CLOSED');
    expect(one.book.show(approvalId).state).toBe('expired');
    expect((await one.book.request(draft())).approvalId).not.toBe(approvalId);
  });

  test('A6: a grant ends by either clock, and the timer says so to who waits', async () => {
    const one = await desk();
    const { approvalId } = await approved(one);
    one.clock.set(601_000);
    expect(await codeOf(one.book.consume(approvalId, use(draft())))).toBe('APPROVAL_VOID');
    const open = await one.book.request(draft({ text: 'SELECT 2' }));
    const waiting = one.book.settled(open.approvalId, never);
    one.clock.pass(86_401_000);
    expect((await waiting).state).toBe('expired');
  });

  test('A6: a clock that is set ends the open waits and says so; the request stays open', async () => {
    const said: object[] = [];
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: (fields: object) => void said.push(fields) };
    const one = await desk({ log });
    const { approvalId } = await one.book.request(draft());
    const waiting = codeOf(one.book.settled(approvalId, never));
    one.clock.set(-5_000);
    expect(await waiting).toBe('CLOCK');
    expect(said).toContainEqual({ jump_ms: -5_000, waits: 1 });
    expect((await one.book.request(draft())).approvalId).toBe(approvalId);
  });

  test('A6: a wall clock set back across a restart does not make anything last longer', async () => {
    const one = await desk();
    const { approvalId } = await approved(one);
    const d = draft({ text: 'SELECT 2' });
    one.clock.pass(500_000);
    await one.book.request(d);
    one.clock.set(-HOUR_MS);
    const two = await one.restart();
    desks.push(two);
    two.clock.pass(99_000);
    expect((await two.book.request(draft())).approvalId).toBe(approvalId);
    two.clock.pass(2_000);
    expect(await codeOf(two.book.consume(approvalId, use(draft())))).toBe('APPROVAL_VOID');
  });
});

describe('restarting', () => {
  test('open, approved and used requests are what they were', async () => {
    const one = await desk();
    const used = await approved(one, draft({ text: 'SELECT 1' }));
    const receipt = await one.book.consume(used.approvalId, use(draft({ text: 'SELECT 1', statementId: 'stm_u' })));
    const granted = await approved(one, draft({ text: 'SELECT 2' }));
    const open = await one.book.request(draft({ text: 'SELECT 3' }));
    const before = one.book.list();
    const two = await one.restart();
    desks.push(two);
    const whole = (views: readonly ApprovalView[]) =>
      views.map((view) => ({ ...view, requested_at: view.requested_at.slice(0, 10), executions: view.executions?.length }));
    expect(whole(two.book.list())).toEqual(whole(before));
    // what was consumed and never cleared was never sent
    expect([one, two].map(({ book }) => book.show(used.approvalId).executions?.map(({ outcome }) => outcome))).toEqual([['running'], ['aborted']]);
    expect((await two.book.request(draft({ text: 'SELECT 2' }))).approval?.id).toBe(granted.approvalId);
    expect((await two.book.request(draft({ text: 'SELECT 3' }))).approvalId).toBe(open.approvalId);
    expect(await two.book.consume(used.approvalId, use(draft({ text: 'SELECT 1', statementId: 'stm_u' })))).toEqual(receipt);
    expect(await codeOf(two.book.consume(used.approvalId, use(draft({ text: 'SELECT 1' }), 'non_2')))).toBe('APPROVAL_VOID');
    await two.book.verdict(open.approvalId, { reviewer: reviewer('carol', ['owners'], two.clock), outcome: 'approve' });
    expect(two.book.show(open.approvalId).state).toBe('approved');
  });

  test('a verdict that was durable before its consequence is concluded', async () => {
    for (const outcome of ['approve', 'deny'] as const) {
      const one = await desk();
      const { approvalId } = await one.book.request(draft());
      await one.book.verdict(approvalId, { reviewer: reviewer('carol', ['owners'], one.clock), outcome });
      expect(one.disk.events.pop()?.type).toBe('approval.settled');
      const two = await one.restart();
      desks.push(two);
      expect(two.book.show(approvalId).state).toBe(outcome === 'approve' ? 'approved' : 'denied');
    }
  });

  test('a verdict that is concluded late grants no more time than it did', async () => {
    for (const [seconds, state] of [
      [599, 'approved'],
      [601, 'expired'],
    ] as const) {
      const one = await desk();
      const { approvalId } = await one.book.request(draft());
      await one.book.verdict(approvalId, { reviewer: reviewer('carol', ['owners'], one.clock), outcome: 'approve' });
      one.disk.events.pop();
      one.clock.pass(seconds * 1000);
      const two = await one.restart();
      desks.push(two);
      expect(two.book.show(approvalId).state).toBe(state);
      two.clock.pass(2_000);
      expect(await codeOf(two.book.consume(approvalId, use(draft())))).toBe('APPROVAL_VOID');
    }
  });

  test('without its text a request cannot be decided: it is closed and says why', async () => {
    const one = await desk();
    const { approvalId } = await approved(one);
    one.disk.payloads.clear();
    const two = await one.restart();
    desks.push(two);
    expect(two.book.show(approvalId)).toMatchObject({ state: 'superseded', payload_text: '' });
    expect(await codeOf(two.book.consume(approvalId, use(draft())))).toBe('APPROVAL_VOID');
  });

  test('what ended meanwhile is ended, in the journal too', async () => {
    const one = await desk();
    const { approvalId } = await one.book.request(draft());
    one.clock.pass(86_401_000);
    const two = await one.restart();
    desks.push(two);
    expect(two.book.show(approvalId).state).toBe('expired');
    expect(two.disk.events.at(-1)).toMatchObject({ type: 'approval.settled', outcome: 'expired' });
  });
});

describe('bounds', () => {
  test('of one principal, of all, in bytes, and of waits', async () => {
    const one = await desk({ limits: { livePerPrincipalMax: 2, liveMax: 3, waitsMax: 1, liveBytesMax: 100 } });
    const ask = (login: string, text: string) => one.book.request(draft({ subject: subject(login), text, params: null }));
    const first = await ask('a', '1');
    await ask('a', '2');
    await expect(ask('a', '3')).rejects.toThrow('of this principal');
    await expect(ask('b', 'x'.repeat(100))).rejects.toThrow('hold 2 bytes');
    await ask('b', '1');
    await expect(ask('c', '1')).rejects.toThrow('3 requests are open');
    const waiting = one.book.settled(first.approvalId, never);
    expect(await codeOf(one.book.settled(first.approvalId, never))).toBe('APPROVAL_UNAVAILABLE');
    await one.book.cancel(first.approvalId, 'a');
    expect((await waiting).state).toBe('cancelled');
    expect((await ask('a', '3')).state).toBe('open');
  });

  test('nobody fills the inbox for all: agents count for their owner, whoever an enforcement point names for it, and long texts by bytes', async () => {
    const limits = { livePerPrincipalMax: 2, livePerPointMax: 3, liveBytesPerPayerMax: 50 };
    const one = await desk({ limits });
    const ask = (who: ReturnType<typeof subject>, text: string, settings = {}) =>
      one.book.request(draft({ subject: who, text, params: null, settings }));
    const owned = (login: string) => {
      const agent = subject(login);
      return { ...agent, type: 'agent' as const, properties: { ...agent.properties, on_behalf_of: { id: subject('a').id, login: 'a', groups: [] } } };
    };
    const { approvalId } = await ask(owned('first'), '1');
    await ask(owned('second'), '2');
    await expect(ask(owned('third'), '3')).rejects.toThrow('2 requests of this principal');
    await expect(ask(subject('a'), '3')).rejects.toThrow('2 requests of this principal');
    await one.book.cancel(approvalId, 'a');
    await ask(subject('a'), '3');
    await expect(ask(subject('b'), 'x'.repeat(51))).rejects.toThrow('of this principal hold 0 bytes');
    const point = { [POINT_SETTING]: 'svc' };
    for (const login of ['p', 'q', 'r']) await ask(subject(login), '4', point);
    await expect(ask(subject('s'), '4', point)).rejects.toThrow('3 requests of this enforcement point');
    const two = await one.restart({ limits });
    desks.push(two);
    await expect(two.book.request(draft({ subject: subject('s'), text: '5', params: null, settings: point }))).rejects.toThrow(
      'of this enforcement point',
    );
    await two.book.request(draft({ subject: subject('s'), text: '5', params: null }));
  });

  test('settled requests are forgotten, oldest first', async () => {
    const one = await desk({ limits: { closedMax: 2 } });
    const ids: string[] = [];
    for (const text of ['1', '2', '3']) {
      const { approvalId } = await one.book.request(draft({ text }));
      await one.book.cancel(approvalId, 'alice');
      ids.push(approvalId);
    }
    expect(one.book.list().map((view) => view.approval_id)).toEqual([ids[2], ids[1]]);
  });
});

test('a view has the contract’s form in every state, and the lists are those of their reader', async () => {
  const check = Compile(ApprovalView);
  const one = await desk();
  const open = await one.book.request(draft({ text: 'SELECT 1' }));
  const done = await approved(one);
  await one.book.consume(done.approvalId, use(draft()));
  const denied = await one.book.request(draft({ text: 'SELECT 2', params: null }));
  await one.book.verdict(denied.approvalId, { reviewer: reviewer('carol', ['owners'], one.clock), outcome: 'deny', comment: 'no' });
  for (const view of one.book.list()) expect([...check.Errors(view)]).toEqual([]);
  const ids = (filter: Parameters<typeof one.book.list>[0]) => one.book.list(filter).map((view) => view.approval_id);
  expect(ids({ state: 'open' })).toEqual([open.approvalId]);
  expect(ids({ waitingFor: subject('carol', ['owners']) })).toEqual([open.approvalId]);
  expect(ids({ waitingFor: subject('alice', ['owners']) })).toEqual([]);
  expect(ids({ waitingFor: subject('mallory', ['support']) })).toEqual([]);
  expect(ids({ requestedBy: subject('alice') })).toHaveLength(3);
  expect(ids({ requestedBy: subject('bob') })).toEqual([]);
});
