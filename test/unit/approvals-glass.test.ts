/** Freezes, windows at use, and broken glass with its review. A4, A5, A6. */
import { afterEach, describe, expect, test } from 'vitest';
import type { ApprovalDraft, Ticket } from '#client/approvals';
import type { Principal } from '#client/identity';
import type { ApprovalChange } from '#engine/approvals/parts';
import { ruleProblems } from '#engine/approvals/rules-document';
import { TOKENS_ONLY } from '#engine/approvals/world';
import { codeOf, type Desk, draft, openDesk, requirement, reviewer, subject } from '#test/support/approvals';

const desks: Desk[] = [];
afterEach(() => {
  for (const one of desks.splice(0)) one.book.close();
});

type Data = Record<string, unknown>;

/** `data` may be replaced as a new bundle would. */
async function desk(first: Data | null, env: string | null = 'production'): Promise<Desk & { put(data: Data | null): void }> {
  let data = first;
  const one = await openDesk({ data: { data: () => data }, envOf: () => env });
  desks.push(one);
  return { ...one, put: (other) => (data = other) };
}

let nonces = 0;
const use = (d: ApprovalDraft) => ({ statementId: d.statementId, enforcer: 'shop', nonce: `non_${++nonces}`, draft: d });
const carol = ({ clock }: Desk): Principal => reviewer('carol', ['owners'], clock);
const alice = ({ clock }: Desk): Principal => reviewer('alice', ['oncall'], clock);
const asked = (more: Parameters<typeof draft>[0] = {}): ApprovalDraft => draft({ subject: subject('alice', ['oncall']), ...more });

async function approved(one: Desk, d: ApprovalDraft): Promise<Ticket> {
  const { approvalId } = await one.book.request(d);
  await one.book.verdict(approvalId, { reviewer: carol(one), outcome: 'approve' });
  return one.book.request(d);
}

const refusal = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: Error & { code?: string; hint?: string }) => `${error.code}: ${error.message} | ${error.hint ?? ''}`,
  );

const FREEZE = { id: 'year-end', from: '2026-11-23T10:30:00+00:00', to: '2026-11-23T13:00:00+01:00', reason: 'the books are closed' };

describe('a freeze', () => {
  test('stops what is approved, names itself, and ends; requests are opened and approved meanwhile', async () => {
    const one = await desk({ freezes: [FREEZE] });
    const d = asked();
    const { approvalId } = await approved(one, d);
    one.clock.pass(30 * 60_000 - 1);
    const late = draft({ text: 'SELECT 2', requirement: requirement({ valid_for_s: 86_400 }) });
    const second = await approved(one, late);
    one.clock.pass(1);
    const why = await refusal(one.book.consume(second.approvalId, use(late)));
    expect(why).toContain('APPROVAL_FROZEN: the freeze year-end is on until 2026-11-23 12:00 UTC: the books are closed');
    expect((await approved(one, draft({ text: 'SELECT 3' }))).state).toBe('approved');
    one.clock.pass(90 * 60_000);
    await one.book.consume(second.approvalId, use(late));
    expect(one.book.show(approvalId).state).not.toBe('consumed');
  });

  test.each<[string, Data, string | null, boolean]>([
    ['of this target', { targets: ['shop'] }, 'production', true],
    ['of another target', { targets: ['crm'] }, 'production', false],
    ['of this env', { env: 'production' }, 'production', true],
    ['of another env', { env: ['staging', 'test'] }, 'production', false],
    ['of an env, and this target’s is not known', { env: 'staging' }, null, true],
  ])('%s', async (_what, more, env, frozen) => {
    const one = await desk({ freezes: [{ ...FREEZE, from: '2026-11-01T00:00:00Z', ...more }] }, env);
    const d = asked();
    const { approvalId } = await approved(one, d);
    expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe(frozen ? 'APPROVAL_FROZEN' : 'none');
  });

  test.each<[string, unknown]>([
    ['no list', { id: 'x' }],
    ['no id', [{ ...FREEZE, id: '' }]],
    ['a misspelt key', [{ ...FREEZE, target: ['crm'] }]],
    ['a local time', [{ ...FREEZE, to: '2026-12-24T18:00:00' }]],
    ['an end before the beginning', [{ ...FREEZE, to: '2026-11-22T00:00:00Z' }]],
    ['an empty list of targets', [{ ...FREEZE, targets: [] }]],
    ['one id twice', [FREEZE, FREEZE]],
    ['one of several', [FREEZE, 7]],
  ])('that cannot be read stops everything, and says so: %s', async (_what, freezes) => {
    const one = await desk({ freezes });
    const d = asked();
    const { approvalId } = await approved(one, d);
    expect(await refusal(one.book.consume(approvalId, use(d)))).toContain('APPROVAL_FROZEN: the freezes cannot be read');
    expect(ruleProblems({ freezes })[0]).toContain('data.freezes');
    one.put({ freezes: [] });
    await one.book.consume(approvalId, use(d));
  });

  test('without policies in force nobody knows of a freeze', async () => {
    const one = await desk({});
    const d = asked();
    const { approvalId } = await approved(one, d);
    one.put(null);
    expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe('POLICY_UNAVAILABLE');
  });
});

const NIGHT = [{ time_zone: 'Europe/Zurich', windows: [{ days: ['mon' as const], from: '22:00', to: '23:00' }] }];

describe('a window', () => {
  test('lets it run inside only, and the refusal says when', async () => {
    const one = await desk({});
    const d = asked({ requirement: requirement({ schedules: NIGHT, valid_for_s: 86_400 }) });
    const { approvalId } = await approved(one, d);
    expect(await refusal(one.book.consume(approvalId, use(d)))).toMatch(/^APPROVAL_NOT_YET: .*2026-11-23 21:00 UTC \| run the same statement again/);
    one.clock.pass(11 * 3_600_000);
    await one.book.consume(approvalId, use(d));
  });

  test('that opens after the approval ends is told as that', async () => {
    const one = await desk({});
    const d = asked({ requirement: requirement({ schedules: NIGHT }) });
    const { approvalId } = await approved(one, d);
    expect(await refusal(one.book.consume(approvalId, use(d)))).toContain('the approval ends before');
  });

  test('in a time zone that nobody knows never opens', async () => {
    const one = await desk({});
    const d = asked({ requirement: requirement({ schedules: [{ ...NIGHT[0], time_zone: 'Middle/Earth' } as (typeof NIGHT)[number]] }) });
    const { approvalId } = await approved(one, d);
    expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe('APPROVAL_NOT_YET');
  });
});

const RULE = { id: 'night', groups: ['oncall'], valid_for_s: 300, review: { any_of: [{ group: 'owners' }] } };
const reason = 'the shop is down';

describe('breaking the glass', () => {
  test('approves the requester’s own request, for the shortest life, before everybody’s eyes', async () => {
    const one = await desk({ break_glass: [RULE] });
    const changes: ApprovalChange[] = [];
    one.book.onChange((change) => changes.push(change));
    const d = asked();
    const { approvalId } = await one.book.request(d);
    const waiting = one.book.settled(approvalId, AbortSignal.timeout(5_000));
    const view = await one.book.breakGlass(approvalId, { by: alice(one), reason });
    expect(view).toMatchObject({
      state: 'approved',
      valid_until: '2026-11-23T10:05:00.000000Z',
      glass: { by: 'alice', reason, rule: 'night', review: 'open' },
    });
    expect(changes.map(({ about }) => about)).toEqual(['requested', 'glass_broken', 'settled']);
    expect((await waiting).approval).toMatchObject({ approved_by: ['alice'] });
    const again = await one.restart();
    desks.push(again);
    expect(again.book.show(approvalId).glass).toEqual(view.glass);
    await again.book.consume(approvalId, use(d));
    expect(await codeOf(again.book.consume(approvalId, use(d)))).toBe('APPROVAL_VOID');
  });

  test('ends with its life, also after a restart', async () => {
    for (const restarts of [false, true]) {
      let one: Desk = await desk({ break_glass: [RULE] });
      const d = asked();
      const { approvalId } = await one.book.request(d);
      await one.book.breakGlass(approvalId, { by: alice(one), reason });
      one.clock.pass(299_000);
      if (restarts) desks.push((one = await one.restart()));
      one.clock.pass(2_000);
      expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe('APPROVAL_VOID');
    }
  });

  test('that was durable before the approval that it is, is concluded at the next start, and grants no more time', async () => {
    for (const [seconds, state] of [
      [299, 'approved'],
      [301, 'expired'],
    ] as const) {
      const one = await desk({ break_glass: [RULE] });
      const { approvalId } = await one.book.request(asked());
      await one.book.breakGlass(approvalId, { by: alice(one), reason });
      expect(one.disk.events.pop()?.type).toBe('approval.settled');
      one.clock.pass(seconds * 1_000);
      const two = await one.restart();
      desks.push(two);
      expect(two.book.show(approvalId)).toMatchObject({ state, glass: { review: 'open' } });
      two.clock.pass(2_000);
      expect(await codeOf(two.book.consume(approvalId, use(asked())))).toBe('APPROVAL_VOID');
    }
  });

  test.each<[string, Data, (one: Desk) => Principal, string]>([
    ['without a rule', {}, alice, 'BREAK_GLASS_REFUSED'],
    ['with a rule for others', { break_glass: [{ ...RULE, groups: ['sre'] }] }, alice, 'BREAK_GLASS_REFUSED'],
    ['on another target', { break_glass: [{ ...RULE, targets: ['crm'] }] }, alice, 'BREAK_GLASS_REFUSED'],
    ['in another env', { break_glass: [{ ...RULE, env: 'test' }] }, alice, 'BREAK_GLASS_REFUSED'],
    ['with rules that cannot be read', { break_glass: [RULE, { ...RULE, id: 'b', review: {} }] }, alice, 'BREAK_GLASS_REFUSED'],
    ['for somebody else', { break_glass: [RULE] }, ({ clock }) => reviewer('bob', ['oncall'], clock), 'BREAK_GLASS_REFUSED'],
    ['by a token for data', { break_glass: [RULE] }, (one) => ({ ...alice(one), scopes: ['connect', 'approve'] }), 'VERDICT_TOKEN'],
    ['by an old token', { break_glass: [RULE] }, (one) => ({ ...alice(one), issuedAtMs: alice(one).issuedAtMs - 3_700_000 }), 'VERDICT_TOKEN'],
    [
      'by an agent of theirs',
      { break_glass: [RULE] },
      (one) => ({ ...alice(one), subject: subject('alice', ['oncall'], { type: 'agent' }) }),
      'VERDICT_TOKEN',
    ],
  ])('is refused %s', async (_what, data, by, code) => {
    const one = await desk(data);
    const { approvalId } = await one.book.request(asked());
    expect(await codeOf(one.book.breakGlass(approvalId, { by: by(one), reason }))).toBe(code);
    expect((await one.book.abilities(approvalId, by(one))).find(({ act }) => act === 'break_glass')).toMatchObject({ allowed: false, code });
    expect(one.book.show(approvalId).state).toBe('open');
  });

  test('is refused without a reason, for an agent’s request, and once it is settled', async () => {
    const one = await desk({ break_glass: [{ ...RULE, users: ['alice'] }] });
    const { approvalId } = await one.book.request(asked());
    expect(await codeOf(one.book.breakGlass(approvalId, { by: alice(one), reason: ' ' }))).toBe('VERDICT_REASON');
    const robot = await one.book.request(asked({ subject: subject('robot', ['oncall'], { type: 'agent', owner: 'alice' }) }));
    expect(await codeOf(one.book.breakGlass(robot.approvalId, { by: alice(one), reason }))).toBe('BREAK_GLASS_REFUSED');
    await one.book.verdict(approvalId, { reviewer: carol(one), outcome: 'deny' });
    expect(await codeOf(one.book.breakGlass(approvalId, { by: alice(one), reason }))).toBe('VERDICT_CLOSED');
  });

  test('an unclosed review blocks the next: also of a linked account, also after a restart, also two at once', async () => {
    const rule = { ...RULE, users: ['alice', 'adm-alice'], groups: ['oncall'] };
    const linked = { ...TOKENS_ONLY, personsOf: ({ login }: { login: string }) => (login.endsWith('alice') ? ['person alice'] : []) };
    let one = await openDesk({ data: { data: () => ({ break_glass: [rule] }) }, worlds: { prepare: () => Promise.resolve(), of: () => linked } });
    desks.push(one);
    const ids = await Promise.all(['SELECT 1', 'SELECT 2'].map(async (text) => (await one.book.request(asked({ text }))).approvalId));
    const codes = await Promise.all(ids.map((id) => codeOf(one.book.breakGlass(id, { by: alice(one), reason }))));
    expect(codes.toSorted()).toEqual(['BREAK_GLASS_REVIEW_OPEN', 'none']);
    const broken = ids[codes.indexOf('none')] ?? '';
    desks.push((one = await one.restart()));
    const twin = reviewer('adm-alice', [], one.clock);
    const next = await one.book.request(asked({ text: 'SELECT 3', subject: twin.subject }));
    expect(await refusal(one.book.breakGlass(next.approvalId, { by: twin, reason }))).toContain(broken);
    await one.book.review(broken, { by: carol(one), outcome: 'unjustified', comment: 'it was not down' });
    expect((await one.book.breakGlass(next.approvalId, { by: twin, reason })).state).toBe('approved');
  });

  test('is kept until it is reviewed, however many requests end after it', async () => {
    let one = await openDesk({ data: { data: () => ({ break_glass: [RULE] }) }, limits: { closedMax: 2 } });
    desks.push(one);
    const { approvalId } = await one.book.request(asked());
    await one.book.breakGlass(approvalId, { by: alice(one), reason });
    await one.book.cancel(approvalId, { by: alice(one) });
    for (const restarts of [false, true]) {
      if (restarts) desks.push((one = await one.restart()));
      for (let i = 0; i < 5; i++) {
        const { approvalId: id } = await one.book.request(asked({ text: `SELECT ${i} + ${Number(restarts)}` }));
        await one.book.verdict(id, { reviewer: carol(one), outcome: 'deny' });
      }
      expect(one.book.list({ reviewOpen: true }).map((view) => view.approval_id)).toEqual([approvalId]);
    }
    await one.book.review(approvalId, { by: carol(one), outcome: 'justified', comment: 'yes' });
    expect(one.book.list({ reviewOpen: true })).toEqual([]);
  });

  test('never beats a freeze; a window only where its rule says so', async () => {
    for (const ignores of [false, true]) {
      const data = { break_glass: [{ ...RULE, ignores_schedule: ignores }] };
      const one = await desk({ ...data, freezes: [{ ...FREEZE, from: '2026-11-01T00:00:00Z' }] });
      const d = asked({ requirement: requirement({ schedules: NIGHT }) });
      const { approvalId } = await one.book.request(d);
      await one.book.breakGlass(approvalId, { by: alice(one), reason });
      expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe('APPROVAL_FROZEN');
      one.put(data);
      expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe(ignores ? 'none' : 'APPROVAL_NOT_YET');
    }
  });
});

describe('the review', () => {
  test('asks whom a reference names now: its source is read again before it is judged', async () => {
    const read: string[] = [];
    const world = { ...TOKENS_ONLY, resolve: (ref: string) => (read.includes(ref) ? [{ user: 'carol' }] : null) };
    const worlds = { prepare: (_: unknown, refs: readonly string[]) => Promise.resolve(void read.push(...refs)), of: () => world };
    const rule = { ...RULE, review: { any_of: [{ ref: 'oncall:security' }] } };
    const one = await openDesk({ data: { data: () => ({ break_glass: [rule] }) }, worlds });
    desks.push(one);
    const { approvalId } = await one.book.request(asked());
    await one.book.breakGlass(approvalId, { by: alice(one), reason });
    const view = await one.book.review(approvalId, { by: carol(one), outcome: 'justified', comment: 'yes' });
    expect(view.glass).toMatchObject({ review: 'justified', reviewed_by: 'carol' });
  });

  test('is closed once, with words, by who is asked and is not who broke the glass', async () => {
    const one = await desk({ break_glass: [{ ...RULE, review: { any_of: [{ group: 'owners' }, { user: 'alice' }] } }] });
    const { approvalId } = await one.book.request(asked());
    const found = { outcome: 'justified' as const, comment: 'the log shows it' };
    expect(await codeOf(one.book.review(approvalId, { by: carol(one), ...found }))).toBe('VERDICT_CLOSED');
    await one.book.breakGlass(approvalId, { by: alice(one), reason });
    expect(await codeOf(one.book.review(approvalId, { by: alice(one), ...found }))).toBe('VERDICT_SELF');
    expect(await codeOf(one.book.review(approvalId, { by: reviewer('mallory', ['support'], one.clock), ...found }))).toBe('VERDICT_NOT_ELIGIBLE');
    expect(await codeOf(one.book.review(approvalId, { by: { ...carol(one), scopes: ['connect'] }, ...found }))).toBe('VERDICT_TOKEN');
    expect(await codeOf(one.book.review(approvalId, { by: carol(one), ...found, comment: '' }))).toBe('VERDICT_REASON');
    expect(one.book.list({ reviewOpen: carol(one).subject })).toHaveLength(1);
    expect(one.book.list({ reviewOpen: alice(one).subject })).toHaveLength(0);
    const view = await one.book.review(approvalId, { by: carol(one), ...found });
    expect(view.glass).toMatchObject({ review: 'justified', reviewed_by: 'carol', comment: 'the log shows it' });
    expect(await codeOf(one.book.review(approvalId, { by: carol(one), ...found }))).toBe('VERDICT_CLOSED');
    expect(one.book.story(approvalId).map(({ type, comment }) => [type, comment])).toEqual([
      ['requested', undefined],
      ['glass_broken', reason],
      ['settled', undefined],
      ['glass_reviewed', 'the log shows it'],
    ]);
  });
});
