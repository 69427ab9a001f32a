/** Notification: at least once, never in the way, quiet about what was told already. SECURITY A9, I9. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Webhook } from 'standardwebhooks';
import type { Principal } from '#client/identity';
import { silentLog } from '#client/log';
import { openNotifier } from '#engine/approvals/notify/notify';
import type { Notifier } from '#engine/approvals/notify/parts';
import { draft, HOUR_MS, openDesk, requirement, reviewer, stage, subject } from '#test/support/approvals';
import {
  approvalView,
  type Bench,
  channel,
  hook,
  openBench,
  openReceiver,
  PUBLIC_URL,
  QUICK,
  type Receiver,
  SECRET,
  sentOf,
  TEXT,
} from '#test/support/notify';

const open: (() => void | PromiseLike<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function receiver(): Promise<Receiver> {
  const one = await openReceiver();
  open.push(() => one[Symbol.asyncDispose]());
  return one;
}

async function bench(...args: Parameters<typeof openBench>): Promise<Bench> {
  const one = await openBench(...args);
  open.push(() => one.notifier.close());
  return one;
}

interface Body {
  readonly type: string;
  readonly timestamp: string;
  readonly data: Record<string, unknown>;
}
const bodies = ({ received }: Receiver): readonly Body[] => received.map(({ body }) => JSON.parse(body) as Body);
const by: Principal = { subject: subject('carol', ['dba']), scopes: ['approve'], issuedAtMs: 0, expiresAtMs: Date.now() + 60_000 };
const settle = (notifier: Notifier): Promise<void> => vi.waitFor(() => expect(notifier.status().waiting).toBe(0));

describe('what is told', () => {
  test('A9: a request is a pointer: who, where, one sentence, until when and the page; never the text or a parameter', async () => {
    const to = await receiver();
    const { requests, journal } = await bench([channel('ops', hook(to))]);
    const view = approvalView({ subject: subject('refunds', [], { type: 'agent', owner: 'alice' }) });
    requests.happen('requested', view);
    await vi.waitFor(() => expect(to.received).toHaveLength(1));
    expect(bodies(to)[0]).toEqual({
      type: 'interlock.requested',
      timestamp: expect.any(String) as string,
      data: {
        approval_id: view.approval_id,
        url: `${PUBLIC_URL}/approvals/${view.approval_id}`,
        who: 'agent refunds, for alice',
        login: 'refunds',
        on_behalf_of: 'alice',
        target: 'shop',
        summary: 'updates public.payments where a column equals a value',
        expires_at: '2026-11-24T10:00:00.000000Z',
        stage: 'owners',
        outcome: null,
        by: null,
        text: 'agent refunds, for alice asks for approval on shop: updates public.payments where a column equals a value',
      },
    });
    expect(to.received[0]?.body).not.toContain(TEXT.slice(0, 20));
    expect(to.received[0]?.body).not.toContain('CH93');
    await vi.waitFor(async () =>
      expect(await sentOf(journal)).toMatchObject([
        { channel: 'ops', about: 'requested', approval_id: view.approval_id, stage: 'owners', outcome: 'delivered', tries: 1 },
      ]),
    );
  });

  test('is signed as Standard Webhooks verifies it, and not with another secret', async () => {
    const to = await receiver();
    const { requests } = await bench([channel('ops', hook(to))]);
    requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(to.received).toHaveLength(1));
    const { body, headers } = to.received[0] as Receiver['received'][number];
    expect(new Webhook(SECRET).verify(body, headers as Record<string, string>)).toEqual(JSON.parse(body));
    const other = new Webhook(`whsec_${Buffer.alloc(32, 1).toString('base64')}`);
    expect(() => other.verify(body, headers as Record<string, string>)).toThrow();
    expect(() => new Webhook(SECRET).verify(body.replace('shop', 'shep'), headers as Record<string, string>)).toThrow();
  });

  test('the requester hears the outcome, with who gave it', async () => {
    const to = await receiver();
    const { requests } = await bench([channel('ops', hook(to), { on: ['settled'] })]);
    const view = approvalView();
    requests.happen('requested', view);
    requests.happen('settled', { ...view, state: 'denied', denied_by: 'carol' });
    await vi.waitFor(() => expect(to.received).toHaveLength(1));
    expect(bodies(to)[0]).toMatchObject({
      type: 'interlock.settled',
      data: { text: 'Request by alice on shop is denied by carol', outcome: 'denied', login: 'alice' },
    });
  });

  test('a template has its own words around the same fields, and a field’s value is no template', async () => {
    const to = await receiver();
    const { requests } = await bench([channel('ops', hook(to), { templates: { requested: 'Bitte prüfen: {{summary}} ({{codes}})' } })]);
    requests.happen('requested', approvalView({ summary: 'updates "{{codes}}"' }));
    await vi.waitFor(() => expect(to.received).toHaveLength(1));
    expect(bodies(to)[0]?.data['text']).toBe('Bitte prüfen: updates "{{codes}}" (WRITE_IN_PRODUCTION)');
  });
});

describe('who is told', () => {
  test('by stage, target and group; the next stage when it is asked', async () => {
    const [dba, security, other, all] = await Promise.all([receiver(), receiver(), receiver(), receiver()]);
    const { requests, notifier } = await bench([
      channel('dba', hook(dba), { groups: ['dba'], on: ['requested'] }),
      channel('security', hook(security), { stages: ['second'] }),
      channel('other', hook(other), { targets: ['ledger'] }),
      channel('all', hook(all)),
    ]);
    const view = approvalView({ requirement: requirement({ stages: [stage('first', 'dba', 1, 0), stage('second', 'sec', 1, 1)] }) });
    requests.happen('requested', view);
    await vi.waitFor(() => expect(all.received).toHaveLength(1));
    const [first, second] = view.progress as [ApprovalProgress, ApprovalProgress];
    requests.happen('verdict', {
      ...view,
      progress: [
        { ...first, approved_by: ['carol'], state: 'complete' },
        { ...second, state: 'asked' },
      ],
    });
    await vi.waitFor(() => expect(all.received).toHaveLength(2));
    await settle(notifier);
    expect(dba.received).toHaveLength(1);
    expect(bodies(security).map(({ data }) => data['stage'])).toEqual(['second']);
    expect(other.received).toHaveLength(0);
  });
  type ApprovalProgress = ReturnType<typeof approvalView>['progress'][number];

  test('a broken glass is told to every channel at once, whatever it listens to, and before what waits', async () => {
    const [quiet, busy] = await Promise.all([receiver(), receiver()]);
    busy.answer = (_at, { body }) => (body.includes('glass_broken') ? { status: 200 } : null);
    const { requests } = await bench([channel('quiet', hook(quiet), { on: ['settled'], targets: ['ledger'] }), channel('busy', hook(busy))], {
      limits: { gatherMs: 60_000, queueMax: 2, concurrency: 1 },
    });
    for (const login of ['a', 'b', 'c']) requests.happen('requested', approvalView({ subject: subject(login) }));
    const glass = {
      by: 'bob',
      reason: 'the shop is down',
      time: '2026-11-23T10:00:00.000000Z',
      valid_until: '2026-11-23T10:15:00.000000Z',
      rule: 'on_call',
      review: 'open',
    } as const;
    for (const at of [0, 1])
      requests.happen('glass_broken', approvalView({ subject: subject('bob'), state: 'approved', glass, summary: `statement ${at}` }));
    await vi.waitFor(() => expect(quiet.received).toHaveLength(2));
    await vi.waitFor(() => expect(busy.received.filter(({ body }) => body.includes('glass_broken'))).toHaveLength(2));
    expect(bodies(quiet)[0]).toMatchObject({ type: 'interlock.glass_broken', data: { text: 'Glass broken by bob on shop: statement 0' } });
  });

  test('what was told is not told again: the same change, a join, a verdict that changes nothing', async () => {
    const to = await receiver();
    const { requests, notifier } = await bench([channel('ops', hook(to))]);
    const view = approvalView();
    for (const about of ['requested', 'requested', 'verdict', 'viewed', 'escalated']) requests.happen(about, view);
    await settle(notifier);
    expect(bodies(to).map(({ type }) => type)).toEqual(['interlock.requested']);
  });

  test('escalation is told once for each time that it added somebody', async () => {
    const to = await receiver();
    const { requests, notifier } = await bench([channel('ops', hook(to))], { limits: { gatherMs: 1 } });
    const view = approvalView();
    const [first] = view.progress as [ApprovalProgress];
    requests.happen('requested', view);
    for (const asks of [
      ['group owners', 'bob'],
      ['group owners', 'bob'],
      ['group owners', 'bob', 'eve'],
    ])
      requests.happen('escalated', { ...view, progress: [{ ...first, asks }] });
    await vi.waitFor(() => expect(to.received.length).toBeGreaterThanOrEqual(2));
    await settle(notifier);
    const told = bodies(to).reduce((sum, { data }) => sum + Number(data['count'] ?? 1), 0);
    expect(told).toBe(3);
  });

  test('a delegation is told once, and after a restart if nobody was told', async () => {
    const to = await receiver();
    to.answer = () => ({ status: 500 });
    const one = await bench([channel('ops', hook(to))], { limits: { backoffMs: 60_000, backoffMsMax: 60_000 } });
    const from = subject('bob');
    const times = { starts: '2026-11-23T10:00:00.000000Z', ends: '2026-11-24T10:00:00.000000Z', reason: 'on a plane' };
    await one.journal.durable(one.journal.append({ type: 'delegation.opened', delegation_id: 'del_1', from, to: 'carol', ...times }));
    for (const _twice of [1, 2]) one.notifier.delegated({ delegation_id: 'del_1', from: 'bob', to: 'carol', ...times, state: 'in_force' });
    await vi.waitFor(() => expect(to.received).toHaveLength(1));
    one.notifier.close();
    to.answer = () => ({ status: 200 });
    const two = await bench([channel('ops', hook(to))], { disk: one.disk });
    await vi.waitFor(() => expect(to.received).toHaveLength(2));
    await settle(two.notifier);
    expect(new Set(to.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(bodies(to)[0]).toMatchObject({
      type: 'interlock.delegated',
      data: { who: 'bob', to: 'carol', text: 'bob has handed their approvals to carol until 2026-11-24 10:00 UTC' },
    });
    expect(to.received[0]?.body).not.toContain('plane');
  });

  test('a burst by one principal is one message, and another principal is not held up by it', async () => {
    const to = await receiver();
    const { requests, journal, notifier } = await bench([channel('ops', hook(to))]);
    const refunds = subject('refunds', [], { type: 'agent' });
    for (let at = 0; at < 13; at++) requests.happen('requested', approvalView({ subject: refunds }));
    requests.happen('requested', approvalView({ subject: subject('bob') }));
    await vi.waitFor(() => expect(to.received).toHaveLength(3));
    expect(bodies(to).map(({ data }) => data['text'])).toEqual([
      expect.stringContaining('agent refunds asks') as string,
      expect.stringContaining('bob asks') as string,
      '12 messages about requests by agent refunds',
    ]);
    await settle(notifier);
    const sent = await sentOf(journal);
    expect(sent).toHaveLength(14);
    expect(new Set(sent.map((event) => event['within']).filter((within) => within !== undefined)).size).toBe(1);
  });
});

describe('delivery', () => {
  test('is tried again with the same id, and recorded once', async () => {
    const to = await receiver();
    to.answer = (at) => ({ status: at < 3 ? 500 : 204 });
    const { requests, journal, notifier } = await bench([channel('ops', hook(to))]);
    requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(to.received).toHaveLength(4));
    await settle(notifier);
    expect(new Set(to.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(await sentOf(journal)).toMatchObject([{ outcome: 'delivered', tries: 4 }]);
  });

  test('waits as long as the receiver asks', async () => {
    const to = await receiver();
    const times: number[] = [];
    to.answer = (at) => {
      times.push(performance.now());
      return at === 0 ? { status: 429, headers: { 'retry-after': '1' } } : { status: 200 };
    };
    const { requests } = await bench([channel('ops', hook(to))]);
    requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(to.received).toHaveLength(2), { timeout: 5_000 });
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990);
  });

  test('I9: a receiver that never answers ends in a dead message, visible, and sent again when asked', async () => {
    const to = await receiver();
    to.answer = () => null;
    const { requests, journal, notifier } = await bench([channel('ops', hook(to))], { limits: { timeoutMs: 40, triesMax: 2 } });
    requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(notifier.status()).toEqual({ channels: 1, waiting: 0, dead: 1 }));
    const [dead] = notifier.list({ state: 'dead' });
    expect(dead).toMatchObject({ channel: 'ops', about: 'requested', state: 'dead', tries: 2, detail: 'no answer in time' });
    to.answer = () => ({ status: 200 });
    await notifier.resend(dead?.notification_id ?? '', by);
    await vi.waitFor(() => expect(notifier.list({ state: 'delivered' })).toHaveLength(1));
    expect(notifier.list({ state: 'dead' })).toEqual([]);
    expect((await sentOf(journal)).map((event) => event['outcome'])).toEqual(['dead', 'delivered']);
    await expect(notifier.resend(dead?.notification_id ?? '', by)).rejects.toMatchObject({ code: 'NOTIFICATION_NOT_FOUND' });
  });

  test('redirects are not followed, and what is refused for good is not tried for long', async () => {
    const [to, elsewhere] = await Promise.all([receiver(), receiver()]);
    to.answer = () => ({ status: 307, headers: { location: elsewhere.url } });
    const { requests, notifier } = await bench([channel('ops', hook(to))]);
    requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(notifier.list({ state: 'dead' })).toMatchObject([{ tries: 3, detail: 'status 307: redirects are not followed' }]));
    expect(elsewhere.received).toHaveLength(0);
  });

  test('I9: a channel holds so many messages; what comes on top is dead and visible', async () => {
    const to = await receiver();
    to.answer = () => null;
    const { requests, notifier } = await bench([channel('ops', hook(to))], { limits: { queueMax: 3, concurrency: 1 } });
    for (let at = 0; at < 5; at++) requests.happen('requested', approvalView({ subject: subject(`user${at}`) }));
    await vi.waitFor(() => expect(notifier.status()).toMatchObject({ waiting: 3, dead: 2 }));
    expect(notifier.list({ state: 'dead' })[0]?.detail).toContain('more than 3 messages');
  });

  test('one channel that fails does not hold up another', async () => {
    const [broken, well] = await Promise.all([receiver(), receiver()]);
    broken.answer = () => null;
    const { requests } = await bench([channel('broken', hook(broken)), channel('well', hook(well))]);
    requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(well.received).toHaveLength(1));
  });

  test('a request that was decided meanwhile asks nobody', async () => {
    const to = await receiver();
    to.answer = (at) => ({ status: at === 0 ? 500 : 200 });
    const { requests, notifier } = await bench([channel('ops', hook(to), { on: ['requested'] })], { limits: { backoffMs: 600, backoffMsMax: 600 } });
    const view = approvalView();
    requests.happen('requested', view);
    await vi.waitFor(() => expect(to.received).toHaveLength(1));
    requests.happen('settled', { ...view, state: 'approved' });
    await settle(notifier);
    expect(to.received).toHaveLength(1);
    expect(notifier.list({ state: 'dead' })).toEqual([]);
  });

  test('a test message is one attempt and says how it went', async () => {
    const to = await receiver();
    const { notifier } = await bench([channel('ops', hook(to))]);
    expect(await notifier.test('ops')).toMatchObject({ state: 'delivered', about: 'test' });
    to.answer = () => ({ status: 404 });
    expect(await notifier.test('ops')).toMatchObject({ state: 'dead', detail: 'status 404' });
    await expect(notifier.test('opps')).rejects.toMatchObject({ code: 'NOTIFICATION_NOT_FOUND' });
  });
});

describe('over a restart', () => {
  test('what was not delivered is told, with the same id; what was is not', async () => {
    const to = await receiver();
    to.answer = (_at, { body }) => ({ status: body.includes('bob') ? 500 : 200 });
    const one = await bench([channel('ops', hook(to))], { limits: { backoffMs: 60_000, backoffMsMax: 60_000 } });
    const [alice, bob] = [approvalView(), approvalView({ subject: subject('bob') })];
    one.requests.happen('requested', alice);
    one.requests.happen('requested', bob);
    await vi.waitFor(() => expect(to.received).toHaveLength(2));
    await vi.waitFor(async () => expect(await sentOf(one.journal)).toHaveLength(1));
    one.notifier.close();
    to.answer = () => ({ status: 200 });
    const two = await bench([channel('ops', hook(to))], { disk: one.disk, requests: one.requests });
    await vi.waitFor(() => expect(to.received).toHaveLength(3));
    await settle(two.notifier);
    const ids = to.received.filter(({ body }) => body.includes('bob')).map(({ headers }) => headers['webhook-id']);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });

  test('an outcome that came while nobody watched is told, a dead message can be sent again, an old one is not told', async () => {
    const to = await receiver();
    const one = await bench([channel('ops', hook(to))]);
    const [denied, old] = [approvalView({ state: 'denied', denied_by: 'carol' }), approvalView({ state: 'expired' })];
    one.notifier.close();
    one.requests.put(denied);
    one.requests.put(old);
    one.journal.append({ type: 'approval.settled', approval_id: denied.approval_id, outcome: 'denied' });
    one.journal.append({ type: 'approval.settled', approval_id: old.approval_id, outcome: 'expired' });
    await one.journal.durable(
      one.journal.append({
        type: 'notification.sent',
        notification_id: 'ntf_01',
        channel: 'ops',
        about: 'settled',
        approval_id: denied.approval_id,
        outcome: 'dead',
        tries: 10,
      }),
    );
    const past = one.disk.events.findIndex((event) => 'outcome' in event && event.outcome === 'expired');
    one.disk.events[past] = { ...(one.disk.events[past] as (typeof one.disk.events)[number]), time: '2020-01-01T00:00:00.000000Z' };
    const two = await bench([channel('ops', hook(to))], { disk: one.disk, requests: one.requests });
    await vi.waitFor(() => expect(to.received).toHaveLength(1));
    await settle(two.notifier);
    expect(bodies(to)[0]).toMatchObject({ data: { outcome: 'denied' } });
    expect(two.notifier.list({ state: 'dead' })).toMatchObject([{ notification_id: 'ntf_01', tries: 10 }]);
    await two.notifier.resend('ntf_01', by);
    await vi.waitFor(() => expect(to.received).toHaveLength(2));
    expect(two.disk.events.some((event) => event.type === 'admin.changed' && event.what === 'notification.resend' && event.by === 'carol')).toBe(
      true,
    );
  });

  test('a channel that is new hears of what is open, not of what is over', async () => {
    const to = await receiver();
    const one = await bench([]);
    const [settled, waits] = [approvalView({ state: 'denied' }), approvalView()];
    one.requests.put(settled);
    one.requests.put(waits);
    await one.journal.durable(one.journal.append({ type: 'approval.settled', approval_id: settled.approval_id, outcome: 'denied' }));
    const two = await bench([channel('new', hook(to))], { disk: one.disk, requests: one.requests });
    await vi.waitFor(() => expect(to.received).toHaveLength(1));
    await settle(two.notifier);
    expect(bodies(to)[0]).toMatchObject({ type: 'interlock.requested', data: { approval_id: waits.approval_id } });
  });
});

test('follows the real approvals: each stage when it is asked, escalation when time adds somebody, the outcome, and what a restart ended', async () => {
  const to = await receiver();
  const channels = [channel('ops', hook(to))];
  const limits = { ...QUICK, gatherMs: 1 };
  const told = async (count: number): Promise<readonly string[]> => {
    await vi.waitFor(() => expect(to.received).toHaveLength(count));
    return bodies(to).map(({ type, data }) => `${type} ${String(data['stage'] ?? data['outcome'])}`);
  };
  const desk = await openDesk({ expireMs: HOUR_MS });
  open.push(() => desk.book.close());
  const notifier = openNotifier({ ...desk, log: silentLog, publicUrl: PUBLIC_URL, channels, limits });
  open.push(() => notifier.close());
  await notifier.start(desk.book);
  const escalating = { ...stage('second', 'security', 1, 1), escalate: [{ after_s: 600, add: [{ group: 'ciso' }] }] };
  const { approvalId } = await desk.book.request(draft({ requirement: requirement({ stages: [stage('first', 'dba', 1, 0), escalating] }) }));
  expect(await told(1)).toEqual(['interlock.requested first']);
  await desk.book.verdict(approvalId, { reviewer: reviewer('carol', ['dba'], desk.clock), outcome: 'approve' });
  expect((await told(2)).at(-1)).toBe('interlock.requested second');
  desk.clock.pass(601_000);
  expect((await told(3)).at(-1)).toBe('interlock.escalated second');
  await desk.book.verdict(approvalId, { reviewer: reviewer('dan', ['security'], desk.clock), outcome: 'approve' });
  expect((await told(4)).at(-1)).toBe('interlock.settled approved');
  await desk.book.request(draft({ text: 'UPDATE payments SET status = 1 WHERE id = 9' }));
  expect((await told(5)).at(-1)).toBe('interlock.requested owners');
  notifier.close();
  desk.clock.pass(HOUR_MS);
  const after = await desk.restart();
  open.push(() => after.book.close());
  const again = openNotifier({ ...after, log: silentLog, publicUrl: PUBLIC_URL, channels, limits });
  open.push(() => again.close());
  await again.start(after.book);
  // both ended while nobody was told: the approval unused, the request undecided
  expect((await told(7)).slice(5)).toEqual(['interlock.settled expired', 'interlock.settled expired']);
});

describe('is never in the way', () => {
  test('a journal that failed, a view that is gone: nothing is thrown at the approvals', async () => {
    const to = await receiver();
    const { requests, journal } = await bench([channel('ops', hook(to))]);
    journal.fail(new Error('EIO'));
    expect(() => requests.happen('requested', approvalView())).not.toThrow();
    requests.views.clear();
    expect(() => requests.happen('settled', approvalView({ state: 'denied' }))).not.toThrow();
    await vi.waitFor(() => expect(to.received.length).toBeGreaterThanOrEqual(1));
  });
});
