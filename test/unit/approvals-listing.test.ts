/** Lists and pages over a full inbox, what somebody may do, and whom a listener tells. N6 is the API's: `visible` is its question. */
import { afterEach, expect, test } from 'vitest';
import { codeOf, type Desk, draft, HOUR_MS, openDesk, requirement, reviewer, stage, subject } from '#test/support/approvals';
import { type ByHand, delegation, worldsOf } from '#test/support/worlds';
import { cost } from '#test/support/stopwatch';

const desks: Desk[] = [];
afterEach(() => {
  for (const one of desks.splice(0)) one.book.close();
});

async function desk(more: Parameters<typeof openDesk>[0] = {}): Promise<Desk> {
  const one = await openDesk(more);
  desks.push(one);
  return one;
}

test('10,000 open requests: a page never costs 100 ms of the processor, each request on one page, newest first', { timeout: 60_000 }, async () => {
  const one = await desk({ limits: { livePerPrincipalMax: 1_000 } });
  const two = requirement({ stages: [stage('dba', 'dba'), stage('security', 'security', 1, 1)], digest: `sha256:${'7'.repeat(64)}` });
  for (let n = 0; n < 10_000; n += 500) {
    const asks = Array.from({ length: 500 }, (_, i) => {
      const who = subject(`user${(n + i) % 50}`, ['support']);
      return one.book.request(draft({ text: `DELETE FROM t${n + i}`, subject: who, ...((n + i) % 2 === 0 && { requirement: two }) }));
    });
    await Promise.all(asks);
  }
  const carol = subject('carol', ['owners']);
  const filters = [{}, { waitingFor: carol }, { state: 'open' as const, visible: ({ target }: { target: string }) => target === 'shop' }];
  for (const filter of filters) {
    const seen = new Set<string>();
    const times: number[] = [];
    let cursor: string | null = null;
    let total = 0;
    do {
      const { result: page, ms } = cost(() => one.book.page(filter, { limit: 500, cursor }));
      times.push(ms);
      for (const view of page.items) seen.add(view.approval_id);
      ({ next: cursor, total } = page);
    } while (cursor !== null);
    expect(total).toBe('waitingFor' in filter ? 5_000 : 10_000);
    expect(seen.size).toBe(total);
    // the bound is for a machine that does nothing else: half of them may be disturbed
    expect(times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]).toBeLessThan(100);
  }
  expect(one.book.page({ waitingFor: carol }, { limit: 50 }).items[0]?.payload_text).toBe('DELETE FROM t9999');
});

test('filters: state, target, whose, for whom; a cursor that is none is refused', async () => {
  const one = await desk();
  const robot = subject('robot', [], { type: 'agent', owner: 'alice' });
  const ids = {
    mine: (await one.book.request(draft({ text: 'SELECT 1' }))).approvalId,
    agents: (await one.book.request(draft({ text: 'SELECT 2', subject: robot }))).approvalId,
    others: (await one.book.request(draft({ text: 'SELECT 3', subject: subject('bob'), target: 'crm' }))).approvalId,
    denied: (await one.book.request(draft({ text: 'SELECT 4' }))).approvalId,
  };
  const carol = reviewer('carol', ['owners'], one.clock);
  await one.book.verdict(ids.denied, { reviewer: carol, outcome: 'deny' });
  const found = (filter: Parameters<typeof one.book.list>[0]) => one.book.list(filter).map((view) => view.approval_id);
  expect(found({ state: ['denied', 'expired'] })).toEqual([ids.denied]);
  expect(found({ state: 'open', target: 'crm' })).toEqual([ids.others]);
  expect(found({ requestedBy: subject('alice') })).toEqual([ids.denied, ids.agents, ids.mine]);
  // never the requester, nor the human behind the agent, also if they are asked
  expect(found({ waitingFor: subject('alice', ['owners']) })).toEqual([ids.others]);
  expect(found({ waitingFor: subject('mallory', ['support']) })).toEqual([]);
  expect(found({ visible: ({ approval_id }) => approval_id === ids.mine })).toEqual([ids.mine]);
  for (const cursor of ['', 'x', '-1', '1e9']) expect(() => one.book.page({}, { limit: 1, cursor })).toThrow(/cursor/);
  expect(one.book.page({}, { limit: 0 }).items).toHaveLength(1);
});

test('who approved one of two is waited for no more', async () => {
  const one = await desk();
  const { approvalId } = await one.book.request(draft({ requirement: requirement({ stages: [stage('owners', 'owners', 2)] }) }));
  const carol = reviewer('carol', ['owners'], one.clock);
  expect(one.book.list({ waitingFor: carol.subject })).toHaveLength(1);
  const view = await one.book.verdict(approvalId, { reviewer: carol, outcome: 'approve' });
  expect(view.progress).toMatchObject([{ stage: 'owners', approved_by: ['carol'], needed: 2, asks: ['group owners'], state: 'asked' }]);
  expect(one.book.list({ waitingFor: carol.subject })).toHaveLength(0);
});

test('abilities are what the attempts would answer', async () => {
  const one = await desk();
  const reasons = [{ ...stage('owners', 'owners'), reason_required: true }];
  const { approvalId } = await one.book.request(draft({ requirement: requirement({ stages: reasons }) }));
  const able = async (...who: Parameters<typeof reviewer>): Promise<Record<string, unknown>> =>
    Object.fromEntries((await one.book.abilities(approvalId, reviewer(...who))).map(({ act, allowed, code }) => [act, allowed ? true : code]));
  expect(await able('carol', ['owners'], one.clock)).toEqual({
    approve: true,
    deny: true,
    changes: true,
    cancel: 'VERDICT_NOT_ELIGIBLE',
    withdraw: 'VERDICT_CLOSED',
    break_glass: 'BREAK_GLASS_REFUSED',
    review: 'VERDICT_CLOSED',
  });
  expect(await able('alice', ['owners'], one.clock)).toMatchObject({ approve: 'VERDICT_SELF', cancel: true });
  expect(await able('mallory', ['support'], one.clock)).toMatchObject({ approve: 'VERDICT_NOT_ELIGIBLE', withdraw: 'VERDICT_NOT_ELIGIBLE' });
  const carol = await one.book.abilities(approvalId, reviewer('carol', ['owners'], one.clock));
  expect(carol.filter(({ reason_required }) => reason_required === true).map(({ act }) => act)).toEqual(['approve', 'changes']);
  await one.book.verdict(approvalId, { reviewer: reviewer('carol', ['owners'], one.clock), outcome: 'approve', comment: 'agreed' });
  expect(await able('carol', ['owners'], one.clock)).toMatchObject({ approve: 'VERDICT_CLOSED', withdraw: true });
});

test('N6: whom it concerns may look at it, before they decide, after it is settled, and with a token that is too old to decide', async () => {
  let world: ByHand = { refs: { 'directory:owner': [{ user: 'bob' }] }, delegations: [delegation(subject('bob'), 'dora')] };
  const one = await desk({ worlds: worldsOf(() => world) });
  const stages = [{ ...stage('owner', 'x'), any_of: [{ ref: 'directory:owner' }] }];
  const { approvalId } = await one.book.request(draft({ requirement: requirement({ stages }) }));
  const old = { issuedAtMs: one.clock.wallUs() / 1000 - 2 * HOUR_MS };
  const concerned = async (login: string, more: Parameters<typeof reviewer>[3] = {}): Promise<boolean> =>
    await one.book.concerns(approvalId, reviewer(login, [], one.clock, more));
  const look = async (): Promise<boolean[]> => [
    await concerned('bob'),
    await concerned('bob', old),
    await concerned('dora'),
    await concerned('mallory'),
  ];
  expect(await look()).toEqual([true, true, true, false]);
  await one.book.verdict(approvalId, { reviewer: reviewer('dora', [], one.clock), outcome: 'deny' });
  expect(await look()).toEqual([true, true, true, false]);
  // nobody is asked any more; who decided still sees what they decided
  world = { refs: { 'directory:owner': [] } };
  expect(await look()).toEqual([false, false, true, false]);
  expect(await concerned('alice')).toBe(false); // the requester reads it as their own
  expect(await codeOf((async () => one.book.concerns('apr_none', reviewer('bob', [], one.clock)))())).toBe('APPROVAL_NOT_FOUND');
});

test('a listener that throws stops nobody, and one that has left hears nothing', async () => {
  const one = await desk();
  const heard: string[] = [];
  one.book.onChange(() => {
    throw new Error('mine');
  });
  const leave = one.book.onChange(({ about, state }) => heard.push(`${about} ${state}`));
  const { approvalId } = await one.book.request(draft());
  await one.book.verdict(approvalId, { reviewer: reviewer('carol', ['owners'], one.clock), outcome: 'deny' });
  leave();
  await one.book.request(draft({ text: 'SELECT 2' }));
  expect(heard).toEqual(['requested open', 'verdict denied', 'settled denied']);
  expect(await codeOf(one.book.consume(approvalId, { statementId: 's', enforcer: 'e', nonce: 'n', draft: draft() }))).toBe('APPROVAL_VOID');
});
