/** The ways of a request beside yes and no: changes, cancelling, withdrawing, grants of several uses and of a shape, what became of uses. A5, A6. */
import { afterEach, describe, expect, test } from 'vitest';
import type { ApprovalDraft, Ticket } from '#client/approvals';
import type { ApprovalChange } from '#engine/approvals/parts';
import { sqlOf } from '#schemas/facts';
import type { SqlFacts } from '#schemas/sql-facts';
import { codeOf, type Desk, draft, openDesk, requirement, reviewer, stage, subject } from '#test/support/approvals';

const desks: Desk[] = [];
afterEach(() => {
  for (const one of desks.splice(0)) one.book.close();
});

async function desk(more: Parameters<typeof openDesk>[0] = {}): Promise<Desk> {
  const one = await openDesk(more);
  desks.push(one);
  return one;
}

let nonces = 0;
const use = (d: ApprovalDraft) => ({ statementId: d.statementId, enforcer: 'shop', nonce: `non_${++nonces}`, draft: d });
const carol = ({ clock }: Desk) => reviewer('carol', ['owners'], clock);
const alice = ({ clock }: Desk) => reviewer('alice', ['support'], clock);

async function approved(one: Desk, d: ApprovalDraft): Promise<Ticket> {
  const { approvalId } = await one.book.request(d);
  await one.book.verdict(approvalId, { reviewer: carol(one), outcome: 'approve' });
  return one.book.request(d);
}

describe('changes', () => {
  test('close the request with words; whoever waits is told, and asking the same again is answered at once', async () => {
    const one = await desk();
    const { approvalId } = await one.book.request(draft());
    const waiting = one.book.settled(approvalId, AbortSignal.timeout(5_000));
    const words = 'add the order’s id to the WHERE';
    expect(await codeOf(one.book.verdict(approvalId, { reviewer: carol(one), outcome: 'changes' }))).toBe('VERDICT_REASON');
    const view = await one.book.verdict(approvalId, { reviewer: carol(one), outcome: 'changes', comment: words });
    expect(view).toMatchObject({ state: 'changes_requested', comment: words, settled_by: 'carol' });
    expect(await waiting).toMatchObject({ state: 'changes_requested', comment: words, approval: null });
    expect(await one.book.request(draft({ sessionId: 'ses_2' }))).toMatchObject({ approvalId, state: 'changes_requested', comment: words });
    expect(await codeOf(one.book.consume(approvalId, use(draft())))).toBe('APPROVAL_VOID');
  });

  test.each(['as it runs', 'after a restart'])('the next request of the same principal on the same target follows it: %s', async (when) => {
    let one = await desk();
    const { approvalId } = await one.book.request(draft());
    await one.book.verdict(approvalId, { reviewer: carol(one), outcome: 'changes', comment: 'narrower' });
    if (when === 'after a restart') desks.push((one = await one.restart()));
    const elsewhere = await one.book.request(draft({ target: 'other' }));
    const other = await one.book.request(draft({ subject: subject('bob') }));
    const next = await one.book.request(draft({ text: 'UPDATE payments SET status = $1 WHERE id = 8', sessionId: 'ses_9' }));
    const later = await one.book.request(draft({ text: 'SELECT 3' }));
    for (const { approvalId: id } of [elsewhere, other, later]) expect(one.book.show(id).follows).toBeUndefined();
    expect(one.book.show(next.approvalId).follows).toBe(approvalId);
    expect(one.book.show(approvalId).followed_by).toBe(next.approvalId);
    const again = await one.restart();
    desks.push(again);
    expect(again.book.show(approvalId).followed_by).toBe(next.approvalId);
  });

  test('is forgotten after its time, but not within the session', async () => {
    const one = await desk({ rememberDenialMs: 60_000 });
    const ask = async (text: string) => (await one.book.request(draft({ text }))).approvalId;
    const ids = [await ask('SELECT 1'), await ask('SELECT 2')];
    for (const id of ids) await one.book.verdict(id, { reviewer: carol(one), outcome: 'changes', comment: 'no' });
    one.clock.pass(61_000);
    const stranger = await one.book.request(draft({ text: 'SELECT 3', sessionId: 'ses_2' }));
    expect(one.book.show(stranger.approvalId).follows).toBeUndefined();
    expect(one.book.show(await ask('SELECT 4')).follows).toBe(ids[1]);
  });
});

describe('taking back', () => {
  test('the requester cancels with any token of their own, open or approved; nobody else does', async () => {
    const one = await desk();
    const robot = subject('robot', [], { type: 'agent', owner: 'dora' });
    for (const text of ['SELECT 1', 'SELECT 2']) {
      const d = draft({ text, subject: robot });
      const { approvalId } = text === 'SELECT 1' ? await one.book.request(d) : await approved(one, d);
      // the same login of another issuer is not the same human for this
      const twin = reviewer('dora', [], one.clock, { subject: subject('dora', [], { id: 'https://other.example.com|dora' }) });
      for (const by of [alice(one), carol(one), twin]) expect(await codeOf(one.book.cancel(approvalId, { by }))).toBe('VERDICT_NOT_ELIGIBLE');
      const by = reviewer('dora', [], one.clock, { scopes: ['connect'] });
      await one.book.cancel(approvalId, { by, comment: 'not needed' });
      expect(one.book.show(approvalId)).toMatchObject({ state: 'cancelled', settled_by: 'dora', detail: 'not needed' });
      expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe('APPROVAL_VOID');
      expect(await codeOf(one.book.cancel(approvalId, { by }))).toBe('VERDICT_CLOSED');
    }
  });

  test('an approval is withdrawn by who gave it or is asked; then nothing is consumed', async () => {
    const one = await desk();
    const d = draft({ requirement: requirement({ grant: { of: 'statement', uses: null } }) });
    const { approvalId } = await one.book.request(d);
    expect(await codeOf(one.book.withdraw(approvalId, { by: carol(one) }))).toBe('VERDICT_CLOSED');
    await approved(one, d);
    await one.book.consume(approvalId, use(d));
    expect(await codeOf(one.book.withdraw(approvalId, { by: alice(one) }))).toBe('VERDICT_NOT_ELIGIBLE');
    expect(await codeOf(one.book.withdraw(approvalId, { by: { ...carol(one), scopes: ['connect'] } }))).toBe('VERDICT_TOKEN');
    const dave = reviewer('dave', ['owners'], one.clock);
    expect(await one.book.withdraw(approvalId, { by: dave, comment: 'wrong week' })).toMatchObject({
      state: 'withdrawn',
      settled_by: 'dave',
      uses: 1,
    });
    expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe('APPROVAL_VOID');
    expect((await one.book.request(d)).approvalId).not.toBe(approvalId);
  });

  test('withdrawn and used at the same instant: one is first, and the other is told so', async () => {
    const one = await desk();
    for (let round = 0; round < 50; round++) {
      const d = draft({ text: `SELECT ${round}` });
      const { approvalId } = await approved(one, d);
      const acts = [() => one.book.consume(approvalId, use(d)), () => one.book.withdraw(approvalId, { by: carol(one) })] as const;
      const order = round % 2 === 0 ? acts : acts.toReversed();
      const codes = await Promise.all(order.map((act) => codeOf(act())));
      expect(codes.filter((code) => code === 'none')).toHaveLength(1);
      expect(one.book.show(approvalId).state).toBe(codes[round % 2] === 'none' ? 'consumed' : 'withdrawn');
    }
  });
});

describe('what cannot be shown whole', () => {
  test('longer than what is shown: nobody approves it, a denial stands', async () => {
    const one = await desk();
    const { approvalId } = await one.book.request(draft({ text: `SELECT '${'x'.repeat(1024 * 1024)}'` }));
    expect(await codeOf(one.book.verdict(approvalId, { reviewer: carol(one), outcome: 'approve' }))).toBe('VERDICT_NOT_SHOWN');
    const [approve] = await one.book.abilities(approvalId, carol(one));
    expect(approve).toMatchObject({ act: 'approve', allowed: false, code: 'VERDICT_NOT_SHOWN' });
    expect((await one.book.verdict(approvalId, { reviewer: carol(one), outcome: 'deny' })).state).toBe('denied');
  });

  test('A1: a verdict on what was not shown is refused', async () => {
    const one = await desk();
    const [a, b] = [await one.book.request(draft({ text: 'SELECT 1' })), await one.book.request(draft({ text: 'SELECT 2' }))];
    const digest = one.book.show(a.approvalId).payload_digest ?? '';
    for (const seen of [one.book.show(b.approvalId).payload_digest ?? '', digest.slice(0, 'sha256:'.length + 11), '', 'sha256:']) {
      expect(await codeOf(one.book.verdict(a.approvalId, { reviewer: carol(one), outcome: 'approve', seen }))).toBe('VERDICT_UNSEEN');
    }
    const seen = digest.slice('sha256:'.length, 'sha256:'.length + 12);
    expect((await one.book.verdict(a.approvalId, { reviewer: carol(one), outcome: 'approve', seen })).state).toBe('approved');
  });
});

describe('grants', () => {
  test('so many uses, each asked for again, and not one more', async () => {
    const one = await desk();
    const d = draft({ requirement: requirement({ grant: { of: 'statement', uses: 3 } }) });
    const { approvalId } = await approved(one, d);
    for (let i = 0; i < 3; i++) {
      expect(await one.book.request(d)).toMatchObject({ approvalId, state: 'approved' });
      await one.book.consume(approvalId, use(d));
    }
    expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe('APPROVAL_VOID');
    expect(await one.book.request(d)).toMatchObject({ state: 'open' });
  });

  test('a window that starts at approval', async () => {
    const one = await desk();
    const d = draft({ requirement: requirement({ grant: { of: 'statement', uses: null }, valid_for_s: 60 }) });
    const { approvalId } = await one.book.request(d);
    one.clock.pass(3_600_000);
    await approved(one, d);
    one.clock.pass(59_000);
    for (let i = 0; i < 20; i++) await one.book.consume(approvalId, use(d));
    one.clock.pass(2_000);
    expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe('APPROVAL_VOID');
    expect(one.book.show(approvalId)).toMatchObject({ state: 'expired', uses: 20 });
  });
});

const OPAQUE = { code: 'dynamic_code', detail: 'EXECUTE of a computed text' } as const;
const SHAPE = `sha256:${'5'.repeat(64)}`;
const OTHER = `sha256:${'6'.repeat(64)}`;
const perShape = requirement({ grant: { of: 'shape', uses: 2 }, bind_session: true });

function shaped(text: string, more: Parameters<typeof draft>[0] & { shapes?: readonly string[]; facts?: SqlFacts } = {}): ApprovalDraft {
  const { shapes = [SHAPE], ...rest } = more;
  const d = draft({ text, params: null, requirement: perShape, ...rest });
  const statements = shapes.map((shape, index) => ({ ...STATEMENT, index, shape }));
  return { ...d, facts: { ...sqlOf(d.facts), ...more.facts, statements } };
}
const STATEMENT: SqlFacts['statements'][number] = {
  index: 0,
  parent: null,
  kind: 'update',
  class: 'write',
  span: { start: 0, end: 1 },
  shape: SHAPE,
  where: 'bound',
  limit: 'none',
  locking: false,
  columns: [],
  output: [],
  functions: [],
  explain: 'no',
};

describe('a grant for a shape', () => {
  test('serves other values in the same session, as often as it grants', async () => {
    const one = await desk();
    const first = shaped('UPDATE payments SET n = 1 WHERE id = 7');
    const { approvalId } = await approved(one, first);
    expect(one.book.show(approvalId).binding.shape).toBe(SHAPE);
    for (const id of [8, 9]) {
      const d = shaped(`UPDATE payments SET n = 1 WHERE id = ${id}`);
      expect(await one.book.request(d)).toMatchObject({ approvalId, state: 'approved' });
      await one.book.consume(approvalId, use(d));
    }
    expect(await codeOf(one.book.consume(approvalId, use(first)))).toBe('APPROVAL_VOID');
  });

  test.each<[string, ApprovalDraft]>([
    ['another shape', shaped('DELETE FROM payments', { shapes: [OTHER] })],
    ['one statement more', shaped('UPDATE payments SET n = 1 WHERE id = 7; DELETE FROM payments', { shapes: [SHAPE, OTHER] })],
    ['the same twice', shaped('UPDATE …; UPDATE …', { shapes: [SHAPE, SHAPE] })],
    ['another session', shaped('UPDATE payments SET n = 1 WHERE id = 8', { sessionId: 'ses_2' })],
    ['another role', shaped('UPDATE payments SET n = 1 WHERE id = 8', { role: 'postgres' })],
    ['another search_path', shaped('UPDATE payments SET n = 1 WHERE id = 8', { settings: { search_path: 'evil' } })],
    ['another principal', shaped('UPDATE payments SET n = 1 WHERE id = 8', { subject: subject('bob') })],
    ['what is not understood', shaped('UPDATE payments SET n = 1 WHERE id = 8', { facts: { ...sqlOf(draft().facts), opaque: [OPAQUE] } })],
  ])('never serves %s', async (_what, d) => {
    const one = await desk();
    const { approvalId } = await approved(one, shaped('UPDATE payments SET n = 1 WHERE id = 7'));
    expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe('APPROVAL_VOID');
    expect((await one.book.request(d)).approvalId).not.toBe(approvalId);
    const again = await one.restart();
    desks.push(again);
    expect(await codeOf(again.book.consume(approvalId, use(d)))).toBe('APPROVAL_VOID');
    await again.book.consume(approvalId, use(shaped('UPDATE payments SET n = 1 WHERE id = 9')));
  });

  test.each<[string, ApprovalDraft, ApprovalDraft]>([
    [
      'opaque facts',
      shaped('DO 1', { facts: { ...sqlOf(draft().facts), opaque: [OPAQUE] } }),
      shaped('DO 2', { facts: { ...sqlOf(draft().facts), opaque: [OPAQUE] } }),
    ],
    ['parameters that flow to code', shaped('SELECT f($1)', { params: '["a"]' }), shaped('SELECT f($1)', { params: '["b"]' })],
    [
      'no session to bind to',
      shaped('SELECT 1', { requirement: { ...perShape, bind_session: false } }),
      shaped('SELECT 2', { requirement: { ...perShape, bind_session: false } }),
    ],
  ])('is one for the exact statement with %s', async (_why, first, second) => {
    const one = await desk({ codeParams: () => new Set([1]) });
    const { approvalId } = await approved(one, first);
    expect(one.book.show(approvalId).binding.shape).toBeUndefined();
    expect(await codeOf(one.book.consume(approvalId, use(second)))).toBe('APPROVAL_VOID');
    await one.book.consume(approvalId, use({ ...first, statementId: 'stm_again' }));
  });
});

describe('what became of its uses', () => {
  test('is followed, told, and never taken back', async () => {
    const one = await desk();
    const changes: ApprovalChange[] = [];
    one.book.onChange((change) => changes.push(change));
    const d = draft({ requirement: requirement({ grant: { of: 'statement', uses: 2 } }) });
    const { approvalId } = await approved(one, d);
    const second = { ...d, statementId: 'stm_second' };
    await one.book.consume(approvalId, use(d));
    await one.book.consume(approvalId, use(second));
    expect(one.book.runs(d.statementId)).toBe(true);
    one.book.ended({ statementId: d.statementId, outcome: 'ok', rows: 3 });
    one.book.ended({ statementId: d.statementId, outcome: 'error' });
    one.book.ended({ statementId: 'stm_of_somebody_else', outcome: 'ok' });
    expect(one.book.show(approvalId).executions).toMatchObject([
      { statement_id: d.statementId, outcome: 'ok', rows: 3 },
      { statement_id: 'stm_second', outcome: 'running' },
    ]);
    const told = changes.map(({ about }) => about);
    expect(told).toEqual(['requested', 'verdict', 'settled', 'consumed', 'executed', 'consumed', 'executed', 'executed']);
    expect(one.book.story(approvalId).map(({ type }) => type)).toEqual(['requested', 'verdict', 'settled', 'consumed', 'consumed', 'executed']);
  });

  test('after a crash: cleared without an end is unknown, and what the journal knows is shown', async () => {
    const one = await desk();
    const d = draft({ requirement: requirement({ grant: { of: 'statement', uses: null } }) });
    const { approvalId } = await approved(one, d);
    const ids = ['stm_done', 'stm_cleared', 'stm_never'] as const;
    for (const statementId of ids) await one.book.consume(approvalId, use({ ...d, statementId }));
    const base = { session_id: 'ses_1', target: 'shop' };
    const binding = { payload: `sha256:${'b'.repeat(64)}`, context: `sha256:${'c'.repeat(64)}`, expires_at: '2026-11-23T10:00:05.000000Z' };
    for (const statement_id of ['stm_done', 'stm_cleared']) {
      one.journal.append({ type: 'statement.cleared', ...base, statement_id, payload: d.payload, binding, obligations: [] });
    }
    const end = { bytes: 0, response_digest: null, masked: {}, duration_us: 1 };
    const last = one.journal.append({ type: 'statement.finished', ...base, statement_id: 'stm_done', outcome: 'ok', rows: 4, ...end });
    await one.journal.durable(last);
    const two = await one.restart();
    desks.push(two);
    expect(two.book.show(approvalId).executions).toMatchObject([
      { statement_id: 'stm_done', outcome: 'ok', rows: 4 },
      { statement_id: 'stm_cleared', outcome: 'unknown' },
      { statement_id: 'stm_never', outcome: 'aborted' },
    ]);
    expect(two.book.story(approvalId).at(-1)?.what ?? '').toContain('ended');
  });
});

describe('the ceiling of rows', () => {
  test.each([
    ['policy’s', requirement({ rows_max: 5 }), { state: 'ok', rows: 1_000 }, 5],
    ['twice the estimate', requirement(), { state: 'ok', rows: 1_200.5 }, 2_401],
    ['at least ten', requirement(), { state: 'ok', rows: 1 }, 10],
    ['none without an estimate', requirement(), { state: 'timeout' }, null],
  ] as const)('%s', async (_which, asked, estimate, ceiling) => {
    const one = await desk();
    const plan = { bytes: Buffer.from('Update on payments'), media: 'text' } as const;
    const { approvalId, rowCeiling } = await one.book.request(draft({ requirement: asked, estimate: { ...estimate, plan } }));
    expect(rowCeiling).toBe(ceiling);
    for (const { book } of [one, await one.restart()]) {
      expect(book.show(approvalId)).toMatchObject({
        row_ceiling: ceiling,
        estimate: { ...estimate, plan: { bytes: 18 } },
        plan_text: 'Update on payments',
      });
      book.close();
    }
  });
});

test('a quorum that was lost closes the approval, so that the next asks anew', async () => {
  const groups = new Map([['carol', ['owners']]]);
  const one = await desk({
    worlds: {
      prepare: () => Promise.resolve(),
      of: () => ({
        groupsOf: ({ properties }) => groups.get(properties.login) ?? [],
        resolve: () => [],
        delegations: [],
        personsOf: () => [],
      }),
    },
  });
  const d = draft({ requirement: requirement({ stages: [stage('owners', 'owners')] }) });
  const { approvalId } = await approved(one, d);
  groups.clear();
  expect(await codeOf(one.book.consume(approvalId, use(d)))).toBe('APPROVAL_VOID');
  expect(one.book.show(approvalId).state).toBe('superseded');
  expect(await one.book.request(d)).toMatchObject({ state: 'open' });
});

describe('what time does', () => {
  const timed = requirement({
    stages: [{ ...stage('owners', 'owners'), escalate: [{ after_s: 600, add: [{ group: 'managers' }] }], deny_after_s: 3_600 }],
  });
  const erin = ({ clock }: Desk) => reviewer('erin', ['managers'], clock);

  test.each(['as it runs', 'after a restart'])('more people are asked, then it is denied: %s', async (when) => {
    let one = await desk();
    const { approvalId } = await one.book.request(draft({ requirement: timed }));
    expect(one.book.show(approvalId).progress).toMatchObject([
      { escalates_at: '2026-11-23T10:10:00.000000Z', denies_at: '2026-11-23T11:00:00.000000Z', asks: ['group owners'] },
    ]);
    one.clock.pass(599_000);
    if (when === 'after a restart') desks.push((one = await one.restart()));
    await one.book.sweep();
    expect(await codeOf(one.book.verdict(approvalId, { reviewer: erin(one), outcome: 'approve' }))).toBe('VERDICT_NOT_ELIGIBLE');
    one.clock.pass(2_000);
    await one.book.sweep();
    await one.book.sweep();
    expect(one.book.show(approvalId).progress[0]?.asks).toEqual(['group owners', 'group managers']);
    expect(one.book.story(approvalId).filter(({ type }) => type === 'escalated')).toHaveLength(1);
    if (when === 'after a restart') desks.push((one = await one.restart()));
    expect(await codeOf(one.book.withdraw(approvalId, { by: erin(one) }))).toBe('VERDICT_CLOSED');
    one.clock.pass(3_000_000);
    await one.book.sweep();
    expect(one.book.show(approvalId)).toMatchObject({ state: 'denied', detail: expect.stringContaining('3600 s') as string });
    expect(await one.book.request(draft({ requirement: timed }))).toMatchObject({ approvalId, state: 'denied' });
  });

  test('A6: a wall clock that is put back right after a restart gives a stage no more time', async () => {
    const one = await desk();
    const { approvalId } = await one.book.request(draft({ requirement: timed }));
    one.clock.pass(3_000_000);
    const two = await one.restart();
    desks.push(two);
    two.clock.set(-60_000);
    two.clock.pass(601_000);
    await two.book.sweep();
    expect(two.book.show(approvalId).state).toBe('denied');
  });

  test('A6: a wall clock that is put forward adds nobody; one that is put back keeps no request alive', async () => {
    const one = await desk();
    const { approvalId } = await one.book.request(draft({ requirement: timed }));
    one.clock.set(1_000_000);
    await one.book.sweep();
    expect(one.book.show(approvalId).progress[0]?.asks).toEqual(['group owners']);
    one.clock.set(-10_000_000);
    one.clock.pass(3_601_000);
    await one.book.sweep();
    expect(one.book.show(approvalId).state).toBe('denied');
  });
});
