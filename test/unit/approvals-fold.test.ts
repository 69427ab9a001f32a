/** The fold accepts any history that a journal could hold: it never throws, and what does not fit is never a grant. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fold, USES_KEPT } from '#engine/approvals/fold';
import type { ApprovalEvent, ApprovalRecord } from '#engine/approvals/record';
import { requirement, stage, subject } from '#test/support/approvals';

const ID = 'apr_1';
const DIGEST = `sha256:${'0'.repeat(64)}`;
const base = (seq: number) => ({ seq, time: `2026-11-23T10:00:${String(seq % 60).padStart(2, '0')}.000000Z` });

type Body = ApprovalEvent extends infer E ? (E extends ApprovalEvent ? Omit<E, 'seq' | 'time'> : never) : never;

const requested: Body = {
  type: 'approval.requested',
  approval_id: ID,
  requirement: requirement({ stages: [stage('one', 'owners', 2)], grant: { of: 'statement', uses: 2 } }),
  binding: {
    principal: subject('alice').id,
    on_behalf_of: null,
    target: 'shop',
    database: 'shop',
    role: 'rw',
    payload: DIGEST,
    params: null,
    settings: {},
    transaction: 'idle',
    objects: [],
    requirement: DIGEST,
  },
  payload: { digest: DIGEST, bytes: 1, form: 'clear' },
  summary: 'updates payments',
  expires_at: '2026-11-24T10:00:00.000000Z',
  subject_detail: subject('alice', ['owners']),
};
const verdict = (login: string, more: Partial<Extract<Body, { type: 'approval.verdict' }>> = {}): Body => ({
  type: 'approval.verdict',
  approval_id: ID,
  stage: 'one',
  outcome: 'approve',
  reviewer: subject(login, ['owners']),
  ...more,
});
const settled = (outcome: Extract<Body, { type: 'approval.settled' }>['outcome']): Body => ({
  type: 'approval.settled',
  approval_id: ID,
  outcome,
  valid_until: '2026-11-23T10:10:00.000000Z',
});
const consumed = (nonce = 'non_1'): Body => ({ type: 'approval.consumed', approval_id: ID, enforcer: 'shop', nonce, receipt: DIGEST });

function story(...bodies: readonly Body[]): ApprovalRecord {
  let record: ApprovalRecord | null = null;
  for (const [seq, body] of bodies.entries()) record = fold(record, { ...body, ...base(seq) } as ApprovalEvent);
  if (!record) throw new Error('no request');
  return record;
}

describe('a story that fits', () => {
  test('requested, approved by two, used twice', () => {
    const approved = [requested, verdict('carol'), verdict('dave'), settled('approved')];
    expect(story(...approved)).toMatchObject({ state: 'approved', fault: null, last: 3, validUntil: '2026-11-23T10:10:00.000000Z' });
    expect(story(...approved, consumed())).toMatchObject({ state: 'approved', used: 1 });
    expect(story(...approved, consumed(), consumed('non_2'))).toMatchObject({ state: 'consumed', used: 2, fault: null });
  });

  test.each(['denied', 'expired', 'cancelled', 'superseded', 'withdrawn'] as const)('open → %s', (outcome) => {
    expect(story(requested, settled(outcome))).toMatchObject({ state: outcome, fault: null });
  });

  test.each(['expired', 'cancelled', 'superseded', 'withdrawn'] as const)('approved → %s', (outcome) => {
    expect(story(requested, verdict('carol'), verdict('dave'), settled('approved'), settled(outcome))).toMatchObject({ state: outcome, fault: null });
  });

  test('escalation adds approvers and lowers nothing', () => {
    const added: Body = { type: 'approval.escalated', approval_id: ID, stage: 'one', added: [{ group: 'managers' }] };
    const manager = verdict('erin', { reviewer: subject('erin', ['managers']) });
    expect(story(requested, added, verdict('carol'), manager, settled('approved')).state).toBe('approved');
    expect(story(requested, added, manager, settled('approved')).fault).toContain('without its quorum');
  });

  test('uses are counted beyond those that are kept', () => {
    const forever = { ...requested, requirement: requirement({ grant: { of: 'statement', uses: null } }) } as Body;
    const uses = Array.from({ length: USES_KEPT + 5 }, (_, i) => consumed(`non_${i}`));
    const record = story(forever, verdict('carol', { stage: 'owners' }), settled('approved'), ...uses);
    expect(record).toMatchObject({ state: 'approved', used: USES_KEPT + 5 });
    expect(record.uses).toHaveLength(USES_KEPT);
  });
});

describe('a story that does not fit is closed for good, and says why', () => {
  test.each<[string, readonly Body[]]>([
    ['does not say who asked', [{ ...requested, subject_detail: subject('bob') } as Body]],
    ['without its quorum', [requested, verdict('carol'), settled('approved')]],
    ['without its quorum', [requested, verdict('carol'), verdict('carol'), settled('approved')]],
    ['without its quorum', [requested, verdict('alice'), verdict('carol'), settled('approved')]],
    ['without its quorum', [requested, verdict('carol'), verdict('dave', { stage: 'two' }), settled('approved')]],
    [
      'without its quorum',
      [requested, verdict('carol'), verdict('x', { reviewer: subject('x', ['owners'], { type: 'service' }) }), settled('approved')],
    ],
    ['used while open', [requested, verdict('carol'), verdict('dave'), consumed()]],
    ['used while denied', [requested, settled('denied'), consumed()]],
    ['used while consumed', [requested, verdict('carol'), verdict('dave'), settled('approved'), consumed(), consumed('2'), consumed('3')]],
    ['a verdict while approved', [requested, verdict('carol'), verdict('dave'), settled('approved'), verdict('erin')]],
    ['a verdict while denied', [requested, settled('denied'), verdict('carol')]],
    ['approved while expired', [requested, verdict('carol'), verdict('dave'), settled('expired'), settled('approved')]],
    ['requested twice', [requested, requested]],
  ])('%s', (why, bodies) => {
    expect(story(...bodies).fault).toContain(why);
    const record = story(...bodies, verdict('carol'), verdict('dave'), settled('approved'));
    expect(record.fault).toContain(why);
    expect(record.state).not.toBe('approved');
  });
});

const people = ['alice', 'carol', 'dave', 'erin'];
const anyEvent: fc.Arbitrary<Body> = fc.oneof(
  fc.constant(requested),
  fc
    .record({ who: fc.constantFrom(...people), group: fc.constantFrom('owners', 'support') })
    .map(({ who, group }) => verdict(who, { reviewer: subject(who, [group]) })),
  fc.constantFrom('approved', 'denied', 'expired', 'cancelled', 'superseded', 'withdrawn').map((outcome) => settled(outcome as 'approved')),
  fc.nat(3).map((i) => consumed(`non_${i}`)),
  fc.constant<Body>({ type: 'approval.viewed', approval_id: ID, by: 'x' }),
);

// whether they were asked is judged at the verdict and at use, by the groups of then; the history cannot tell
test('any history: never throws, at most two uses, and approved only with two distinct humans, the requester not among them', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 12, size: 'max' }), (bodies) => {
      const record = story(requested, ...bodies);
      expect(record.last).toBe(bodies.findLastIndex(({ type }) => type !== 'approval.viewed') + 1);
      expect(record.used).toBeLessThanOrEqual(2);
      if (record.state !== 'approved' && record.state !== 'consumed') return;
      const yes = record.verdicts.filter(({ reviewer }) => reviewer.properties.login !== 'alice');
      expect(new Set(yes.map(({ reviewer }) => reviewer.id)).size).toBeGreaterThanOrEqual(2);
    }),
    { numRuns: 2_000 },
  );
});
