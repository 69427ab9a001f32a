/** Who counts, in which place, and how often: the chain against a world (SECURITY A4, A6). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Requirement, Stage } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import type { InterlockError } from '#schemas/errors';
import { chainAsRecorded, chainOf as chainIn, type Decided, placeIn, sharesIdentity } from '#engine/approvals/chain';
import { whyNobody } from '#engine/approvals/reachable';
import { admitted, type VerdictInput } from '#engine/approvals/verdict';
import type { ApprovalRecord } from '#engine/approvals/record';
import { TOKENS_ONLY, type World } from '#engine/approvals/world';
import { requirement, reviewer, stage, subject } from '#test/support/approvals';
import { FakeClock } from '#test/support/fake-clock';
import { type ByHand, delegation, worldOf } from '#test/support/worlds';

const NOW = '2026-11-23T10:00:00.000000Z';
const alice = subject('alice', ['support']);

type Given = readonly [stage: string, reviewer: Subject, outcome?: 'approve' | 'deny', delegation?: string];

function record(stages: readonly Stage[], given: readonly Given[], more: Partial<Decided> = {}): Decided {
  const verdicts = given.map(([id, who, outcome = 'approve', by], at) => ({
    stage: id,
    outcome,
    reviewer: who,
    comment: null,
    time: `2026-11-23T10:00:0${at + 1}.000000Z`,
    ...(by !== undefined && { delegation: by }),
  }));
  return { requirement: requirement({ stages: [...stages] }), subject: alice, added: new Map(), requestedAt: NOW, verdicts, ...more };
}

const chainOf = (one: Decided, world: World = TOKENS_ONLY): ReturnType<typeof chainIn> => chainIn(one, world);
const logins = (humans: readonly Subject[]): string[] => humans.map(({ properties }) => properties.login);

describe('a quorum is of distinct humans (A4)', () => {
  const two = [stage('dba', 'dba', 2)];
  const bob = subject('bob', ['dba']);
  test.each<[string, Subject, ByHand?]>([
    ['the same subject', bob],
    ['the same login in another case, under another issuer', subject('BOB', ['dba'], { id: 'https://other|7' })],
    ['the same login in full-width letters', subject('ｂｏｂ', ['dba'], { id: 'https://other|8' })],
    ['another account that the directory links by login', subject('bob.admin', ['dba']), { people: [{ id: 'b', logins: ['bob', 'bob.admin'] }] }],
    ['one that is linked in another case', subject('bob.admin', ['dba']), { people: [{ id: 'b', logins: ['Bob', 'BOB.ADMIN'] }] }],
    ['one that is linked by subject', subject('robert', ['dba']), { people: [{ id: 'b', logins: ['bob'], subjects: [subject('robert').id] }] }],
    [
      'one that is linked over a third',
      subject('robert', ['dba']),
      {
        people: [
          { id: 'b', logins: ['bob', 'b2'] },
          { id: 'r', logins: ['b2', 'robert'] },
        ],
      },
    ],
  ])('%s counts once', (_name, other, hand = {}) => {
    const world = worldOf(hand);
    const given: Given[] = [
      ['dba', bob],
      ['dba', other],
    ];
    expect(chainOf(record(two, given), world)).toMatchObject({ complete: false, approvedBy: [bob] });
    expect(chainOf(record(two, [...given, ['dba', subject('carol', ['dba'])]]), world).complete).toBe(true);
  });

  test('one human counts in one stage', () => {
    const stages = [stage('one', 'dba', 1, 1), stage('two', 'dba', 1, 2)];
    expect(
      chainOf(
        record(stages, [
          ['one', bob],
          ['two', bob],
        ]),
      ).current?.stage.id,
    ).toBe('two');
    expect(
      chainOf(
        record(stages, [
          ['one', bob],
          ['two', subject('carol', ['dba'])],
        ]),
      ).complete,
    ).toBe(true);
  });

  test('never the requester, their other accounts, the owner of the requesting agent, a service or an agent', () => {
    const one = [stage('dba', 'dba')];
    const agent = subject('bot', ['dba'], { type: 'agent', owner: 'bob' });
    const world = worldOf({ people: [{ id: 'a', logins: ['alice', 'alice.admin'] }] });
    for (const [requester, who] of [
      [alice, subject('alice', ['dba'])],
      [alice, subject('alice.admin', ['dba'])],
      [agent, bob],
      [alice, subject('robot', ['dba'], { type: 'service' })],
      [alice, subject('robot', ['dba'], { type: 'agent', owner: 'zoe' })],
    ] as const) {
      expect(chainOf(record(one, [['dba', who]], { subject: requester }), world).complete).toBe(false);
      expect(chainAsRecorded(record(one, [['dba', who]], { subject: requester })).complete).toBe(who.properties.login === 'alice.admin');
    }
  });
});

describe('what counts is who is asked now (A6)', () => {
  test('a group that was lost between verdict and use', () => {
    const one = record([stage('dba', 'dba')], [['dba', subject('bob', ['dba'])]]);
    expect(chainOf(one, worldOf()).complete).toBe(true);
    expect(chainOf(one, worldOf({ lost: { bob: ['dba'] } })).complete).toBe(false);
    expect(chainAsRecorded(one).complete).toBe(true);
  });

  test('a reference that names another now, nobody, or does not answer', () => {
    const asked: Stage = { id: 'now', order: 0, any_of: [{ ref: 'oncall:shop' }], quorum: 1 };
    const one = record([asked], [['now', subject('bob')]]);
    expect(chainOf(one, worldOf({ refs: { 'oncall:shop': [{ user: 'bob' }] } })).complete).toBe(true);
    for (const named of [[{ user: 'carol' }], [], null]) expect(chainOf(one, worldOf({ refs: { 'oncall:shop': named } })).complete).toBe(false);
    expect(chainOf(one, TOKENS_ONLY).complete).toBe(false);
  });

  test('a stage of which somebody counts no more is asked again, and what follows it is not', () => {
    const stages = [stage('one', 'a', 1, 1), stage('two', 'b', 1, 2)];
    const both = record(stages, [
      ['one', subject('bob', ['a'])],
      ['two', subject('carol', ['b'])],
    ]);
    expect(chainOf(both, worldOf()).stages.map(({ askedAt }) => askedAt)).toEqual([NOW, '2026-11-23T10:00:01.000000Z']);
    const lost = chainOf(both, worldOf({ lost: { bob: ['a'] } }));
    expect([lost.current?.stage.id, lost.complete, lost.stages[1]?.askedAt]).toEqual(['one', false, null]);
  });
});

describe('denials', () => {
  const three: Stage = { ...stage('dba', 'dba', 2), deny_quorum: 2 };
  const [bob, carol, dave] = ['bob', 'carol', 'dave'].map((login) => subject(login, ['dba'])) as [Subject, Subject, Subject];

  test('have a quorum of distinct humans, one if nothing is said', () => {
    expect(chainOf(record([stage('dba', 'dba')], [['dba', bob, 'deny']])).denied?.stage.id).toBe('dba');
    expect(
      chainOf(
        record(
          [three],
          [
            ['dba', bob, 'deny'],
            ['dba', bob, 'deny'],
          ],
        ),
      ).denied,
    ).toBe(null);
    expect(
      chainOf(
        record(
          [three],
          [
            ['dba', bob, 'deny'],
            ['dba', carol, 'deny'],
          ],
        ),
      ).denied?.deniedBy,
    ).toEqual([bob, carol]);
  });

  test('who denied does not approve as well, in whatever order', () => {
    for (const given of [
      [
        ['dba', bob],
        ['dba', carol],
        ['dba', bob, 'deny'],
      ],
      [
        ['dba', bob, 'deny'],
        ['dba', bob],
        ['dba', carol],
      ],
    ] as Given[][]) {
      expect(logins(chainOf(record([three], given)).approvedBy)).toEqual(['carol']);
    }
  });

  test('a denied chain is never complete, also when enough others approve', () => {
    const given: Given[] = [
      ['dba', bob, 'deny'],
      ['dba', carol],
      ['dba', dave],
      ['dba', subject('erin', ['dba']), 'deny'],
    ];
    expect(chainOf(record([three], given))).toMatchObject({ complete: false });
  });
});

describe('delegation', () => {
  const dba = stage('dba', 'dba');
  const boss = subject('boss', ['dba']);
  const bob = subject('bob');
  const world = (...delegations: ReturnType<typeof delegation>[]): World => worldOf({ delegations });

  test('the delegate stands in the delegator’s place, and the verdict names the delegation', () => {
    expect(placeIn(dba, bob, alice, world())).toBe(null);
    expect(placeIn(dba, bob, alice, world(delegation(boss, 'bob', 'del_1')))).toEqual({ delegation: 'del_1', humans: [bob, boss] });
    expect(placeIn(dba, bob, alice, world(delegation(boss, bob.id, 'del_1')))?.delegation).toBe('del_1');
    // in their own name if they are asked themselves
    expect(placeIn(dba, subject('bob', ['dba']), alice, world(delegation(boss, 'bob')))?.delegation).toBe(null);
  });

  test('never both for one quorum', () => {
    const two = stage('dba', 'dba', 2);
    const given: Given[] = [
      ['dba', bob, 'approve', 'del_1'],
      ['dba', boss],
    ];
    expect(logins(chainOf(record([two], given), world(delegation(boss, 'bob', 'del_1'))).approvedBy)).toEqual(['bob']);
    expect(logins(chainOf(record([two], given.toReversed()), world(delegation(boss, 'bob', 'del_1'))).approvedBy)).toEqual(['boss']);
  });

  test('a delegate of two is one human', () => {
    const chief = subject('chief', ['dba']);
    const given: Given[] = [
      ['dba', bob, 'approve', 'del_1'],
      ['dba', bob, 'approve', 'del_2'],
    ];
    const both = world(delegation(boss, 'bob', 'del_1'), delegation(chief, 'bob', 'del_2'));
    expect(chainOf(record([stage('dba', 'dba', 2)], given), both).complete).toBe(false);
    // the place taken is the one that the verdict names: chief may still decide
    expect(
      chainOf(
        record(
          [stage('dba', 'dba', 2)],
          [
            ['dba', bob, 'approve', 'del_1'],
            ['dba', chief],
          ],
        ),
        both,
      ).complete,
    ).toBe(true);
  });

  test.each<[string, Subject, Subject, readonly ReturnType<typeof delegation>[]]>([
    ['the requester’s delegate, for the requester’s own request', alice, bob, [delegation(subject('alice', ['dba']), 'bob')]],
    ['the requester’s delegate, also where they are asked themselves', alice, subject('bob', ['dba']), [delegation(alice, 'bob')]],
    ['the requester’s delegate by another account of theirs', alice, subject('bob', ['dba']), [delegation(alice, 'BOB')]],
    [
      'a delegate of the human behind the agent',
      subject('bot', [], { type: 'agent', owner: 'alice' }),
      subject('bob', ['dba']),
      [delegation(alice, 'bob')],
    ],
    ['the requester as somebody’s delegate', alice, alice, [delegation(boss, 'alice')]],
    ['a delegate of a delegate', alice, subject('carol'), [delegation(boss, 'bob'), delegation(bob, 'carol')]],
    ['a service account', alice, subject('bob', [], { type: 'service' }), [delegation(boss, 'bob')]],
    ['somebody who stands in for a service account', alice, bob, [delegation(subject('svc', ['dba'], { type: 'service' }), 'bob')]],
    ['somebody for themselves', alice, subject('bob'), [delegation(subject('bob', ['dba']), 'bob')]],
  ])('not: %s', (_name, requester, who, delegations) => {
    expect(placeIn(dba, who, requester, world(...delegations))).toBe(null);
  });

  test('ends at use as it ends for verdicts; a group that the delegator lost takes the delegate with it', () => {
    const one = record([dba], [['dba', bob, 'approve', 'del_1']]);
    expect(chainOf(one, world(delegation(boss, 'bob', 'del_1'))).complete).toBe(true);
    expect(chainOf(one, world()).complete).toBe(false);
    expect(chainOf(one, worldOf({ delegations: [delegation(boss, 'bob', 'del_1')], lost: { boss: ['dba'] } })).complete).toBe(false);
  });
});

describe('a verdict is admitted', () => {
  const clock = new FakeClock();
  const attempt = (
    asked: Stage,
    input: Omit<VerdictInput, 'reviewer'> & { reviewer?: VerdictInput['reviewer'] },
    given: readonly Given[] = [],
    world = worldOf(),
  ): unknown => {
    const open = { ...record([asked], given), state: 'open', approvalId: 'apr_1' } as unknown as ApprovalRecord;
    try {
      return admitted(open, { reviewer: reviewer('bob', ['dba'], clock), ...input }, clock, world);
    } catch (error) {
      return (error as InterlockError).code;
    }
  };
  const dba = stage('dba', 'dba', 2);

  test('with a reason where the stage asks for one', () => {
    const asked = { ...dba, reason_required: true };
    expect(attempt(asked, { outcome: 'approve' })).toBe('VERDICT_REASON');
    expect(attempt(asked, { outcome: 'approve', comment: ' \n ' })).toBe('VERDICT_REASON');
    expect(attempt(asked, { outcome: 'approve', comment: 'checked with the shop' })).toMatchObject({ stage: { id: 'dba' }, delegation: null });
    expect(attempt(asked, { outcome: 'deny' })).toMatchObject({ stage: { id: 'dba' } });
  });

  test('step-up: with `acr` and `auth_time` of the verdict’s own token', () => {
    const asked = { ...dba, step_up: { acr: 'phr', max_age_s: 300 } };
    const login = (acr?: string, agoS?: number): unknown => {
      const who = reviewer('bob', ['dba'], clock);
      const authTime = agoS === undefined ? {} : { auth_time: new Date(clock.wallUs() / 1000 - agoS * 1000).toISOString() };
      const properties = { ...who.subject.properties, ...(acr !== undefined && { acr }), ...authTime };
      return attempt(asked, { outcome: 'approve', reviewer: { ...who, subject: { ...who.subject, properties } } });
    };
    expect(login('phr', 299)).toMatchObject({ stage: { id: 'dba' } });
    for (const refused of [login(), login('phr'), login(undefined, 1), login('phr', 301), login('PHR', 1), login('phr', -600)])
      expect(refused).toBe('VERDICT_STEP_UP');
    // to say no takes no more than to be asked
    expect(attempt(asked, { outcome: 'deny' })).toMatchObject({ stage: { id: 'dba' } });
  });

  test('once of each human; who approved may still deny, who denied may not approve', () => {
    const bob = subject('bob', ['dba']);
    expect(attempt(dba, { outcome: 'approve' }, [['dba', bob]])).toBe('VERDICT_NOT_ELIGIBLE');
    expect(attempt(dba, { outcome: 'deny' }, [['dba', bob]])).toMatchObject({ stage: { id: 'dba' } });
    const slow = { ...dba, deny_quorum: 2 };
    expect(attempt(slow, { outcome: 'approve' }, [['dba', bob, 'deny']])).toBe('VERDICT_NOT_ELIGIBLE');
    expect(attempt(slow, { outcome: 'deny' }, [['dba', bob, 'deny']])).toBe('VERDICT_NOT_ELIGIBLE');
  });

  test('not when the delegator decided already, nor of who shares an account with the requester', () => {
    const boss = subject('boss', ['dba']);
    const world = worldOf({ delegations: [delegation(boss, 'zoe')], people: [{ id: 'p', logins: ['alice', 'ally'] }] });
    const zoe = reviewer('zoe', [], clock);
    expect(attempt(dba, { outcome: 'approve', reviewer: zoe }, [], world)).toMatchObject({ delegation: 'del_boss_zoe' });
    expect(attempt(dba, { outcome: 'approve', reviewer: zoe }, [['dba', boss]], world)).toBe('VERDICT_NOT_ELIGIBLE');
    expect(attempt(dba, { outcome: 'approve', reviewer: reviewer('ally', ['dba'], clock) }, [], world)).toBe('VERDICT_SELF');
  });
});

test('a no counts where the chain stands, if that asks; else where the reviewer will be asked', () => {
  const clock = new FakeClock();
  const open = (given: readonly Given[]): ApprovalRecord => {
    const stages = [stage('one', 'a', 1, 1), stage('two', 'b', 1, 2)];
    return { ...record(stages, given), state: 'open', approvalId: 'apr_1' } as unknown as ApprovalRecord;
  };
  const of = (groups: string[], given: readonly Given[]): string =>
    admitted(open(given), { reviewer: reviewer('bob', groups, clock), outcome: 'deny' }, clock, worldOf()).stage.id;
  expect(of(['a', 'b'], [])).toBe('one');
  expect(of(['a', 'b'], [['one', subject('carol', ['a'])]])).toBe('two');
  expect(of(['b'], [])).toBe('two');
  expect(of(['a'], [['one', subject('carol', ['a'])]])).toBe('one');
});

describe('what nobody could ever approve is known at once', () => {
  const asking = { subject: alice, target: 'shop', objects: [] };
  const why = (any_of: Stage['any_of'], hand: ByHand = {}, more: Partial<Stage> = {}): string | null =>
    whyNobody({ stages: [{ id: 's', order: 0, any_of, quorum: 1, ...more }] }, asking, worldOf(hand));
  test.each<[string, string | null, string | null]>([
    ['a group: who is in it shows at the verdict', why([{ group: 'dba' }]), null],
    ['a user', why([{ user: 'bob' }]), null],
    ['only the requester', why([{ user: 'alice' }]), 'nobody can approve stage s: alice is the requester'],
    [
      'only their other account',
      why([{ user: 'ally' }], { people: [{ id: 'a', logins: ['alice', 'ally'] }] }),
      'nobody can approve stage s: ally is the requester',
    ],
    ['a source that does not answer', why([{ ref: 'oncall:x' }]), 'nobody can approve stage s: oncall:x does not answer'],
    ['a source that names nobody', why([{ ref: 'rego:x' }], { refs: { 'rego:x': [] } }), 'nobody can approve stage s: rego:x names nobody'],
    ['one that does not answer beside one that does', why([{ ref: 'oncall:x' }, { user: 'bob' }]), null],
    ['somebody later', why([{ user: 'alice' }], {}, { escalate: [{ after_s: 60, add: [{ user: 'bob' }] }] }), null],
    [
      'fewer than it takes',
      why([{ user: 'bob' }, { user: 'BOB' }], {}, { quorum: 2 }),
      'nobody can approve stage s: it needs 2 people and names 1 who may decide',
    ],
    [
      'fewer now, of a reference that names others tomorrow',
      why([{ ref: 'oncall:x' }], { refs: { 'oncall:x': [{ user: 'bob' }] } }, { quorum: 2 }),
      null,
    ],
  ])('%s', (_name, found, expected) => {
    expect(found).toBe(expected);
  });
});

test('an account may be linked through any number of entries; who is linked to nobody shares with nobody else', () => {
  const names = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const people = fc.array(fc.record({ id: fc.constantFrom('p', 'q', 'r'), logins: fc.array(names, { maxLength: 3 }) }), { maxLength: 4 });
  fc.assert(
    fc.property(people, names, names, (entries, one, other) => {
      // by hand: spread from one until nothing is added
      const reached = new Set([one]);
      for (let size = 0; size !== reached.size; ) {
        size = reached.size;
        for (const { id } of entries) {
          const own = entries.filter((entry) => entry.id === id).flatMap(({ logins }) => logins);
          if (own.some((login) => reached.has(login))) for (const login of own) reached.add(login);
        }
      }
      const world = worldOf({ people: entries });
      expect(sharesIdentity(subject(one), subject(other), world)).toBe(reached.has(other));
    }),
  );
});

test('a quorum is met only by as many different people as it says, whatever the verdicts, links and delegations are (A4, A6)', () => {
  const humans = ['a', 'b', 'c', 'd', 'alice'];
  const who = fc.constantFrom(...humans);
  const verdict = fc.tuple(fc.constantFrom('one', 'two'), who, fc.constantFrom('approve' as const, 'deny' as const));
  fc.assert(
    fc.property(
      fc.array(verdict, { maxLength: 10 }),
      fc.array(fc.tuple(who, who), { maxLength: 3 }),
      fc.array(fc.tuple(who, who), { maxLength: 3 }),
      fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
      (verdicts, links, delegations, [first, second]) => {
        const stages = [{ ...stage('one', 'dba', first, 1), deny_quorum: 2 }, stage('two', 'dba', second, 2)];
        const world = worldOf({
          people: links.map(([x, y], at) => ({ id: String(at), logins: [x, y] })),
          delegations: delegations.map(([x, y]) => delegation(subject(x, ['dba']), y)),
        });
        const given = verdicts.map(([id, login, outcome]): Given => [id, subject(login, login === 'd' ? [] : ['dba']), outcome]);
        const chain = chainOf(record(stages as Requirement['stages'], given.slice(0, 9)), world);
        const counted = chain.stages.flatMap(({ approving, denying }) => [...approving, ...denying]);
        for (const human of counted) expect(sharesIdentity(human, alice, world)).toBe(false);
        const approved = chain.stages.flatMap(({ approvedBy }) => approvedBy);
        for (const [at, one] of approved.entries()) for (const other of approved.slice(at + 1)) expect(sharesIdentity(one, other, world)).toBe(false);
        if (chain.complete) expect(approved.length).toBeGreaterThanOrEqual(first + second);
      },
    ),
    { numRuns: 500 },
  );
});
