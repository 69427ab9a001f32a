/** Delegations over their life: who may open and end them, when they are in force, and what a restart knows (SECURITY A4). */
import { describe, expect, test } from 'vitest';
import type { Principal } from '#client/identity';
import { Ids } from '#client/ids';
import { Delegations, DELEGATION_LIMITS } from '#engine/approvals/delegations';
import { People } from '#engine/approvals/people';
import { codeOf, reviewer, subject } from '#test/support/approvals';
import { FakeClock } from '#test/support/fake-clock';
import { MemoryDisk, MemoryJournal } from '#test/support/memory-journal';

const people = new People([{ id: 'b', logins: ['boss', 'boss.admin'] }]);

interface Office {
  readonly clock: FakeClock;
  readonly disk: MemoryDisk;
  readonly journal: MemoryJournal;
  readonly delegations: Delegations;
  readonly boss: Principal;
  open(more?: Partial<Parameters<Delegations['open']>[1]>, by?: Principal): ReturnType<Delegations['open']>;
}

async function office(disk = new MemoryDisk(), clock = new FakeClock()): Promise<Office> {
  const journal = new MemoryJournal(clock, disk);
  const world = (): { personsOf: People['marksOf'] } => ({ personsOf: (account) => people.marksOf(account) });
  const delegations = new Delegations({ journal, clock, ids: new Ids(clock), world, isProgram: (name) => name === 'robot' });
  await delegations.restore(journal.events());
  const boss = reviewer('boss', ['dba'], clock);
  const ask = { to: 'bob', starts: '2026-11-23T10:00:00Z', ends: '2026-11-30T10:00:00Z', reason: 'away' };
  return { clock, disk, journal, delegations, boss, open: (more, by = boss) => delegations.open(by, { ...ask, ...more }) };
}

const inForce = ({ delegations }: Office): string[] => delegations.inForce().map(({ from, to }) => `${from.properties.login} ${to}`);

describe('opening', () => {
  test('is durable, in the journal with the delegator whole, and in force between its times', async () => {
    const one = await office();
    const view = await one.open({ starts: '2026-11-23T12:00:00+01:00', reason: '  two weeks off ' });
    expect(view).toMatchObject({
      from: 'boss',
      to: 'bob',
      starts: '2026-11-23T11:00:00.000000Z',
      ends: '2026-11-30T10:00:00.000000Z',
      reason: 'two weeks off',
      state: 'planned',
    });
    expect(one.disk.events).toMatchObject([
      { type: 'delegation.opened', delegation_id: view.delegation_id, from: one.boss.subject, subject: one.boss.subject.id },
    ]);
    expect(inForce(one)).toEqual([]);
    one.clock.pass(3_600_000);
    expect(inForce(one)).toEqual(['boss bob']);
    one.clock.pass(7 * 86_400_000);
    expect(inForce(one)).toEqual([]);
    expect(one.delegations.list()).toMatchObject([{ state: 'ended' }]);
  });

  test('is seen by nobody before it is durable', async () => {
    const one = await office();
    const { promise, resolve } = Promise.withResolvers<void>();
    one.journal.gate = promise;
    const opening = one.open();
    expect([inForce(one), one.delegations.list()]).toEqual([[], []]);
    resolve();
    await opening;
    expect(inForce(one)).toEqual(['boss bob']);
  });

  test.each<[string, Parameters<Office['open']>[0], string]>([
    ['to oneself', { to: 'boss' }, 'DELEGATION_REFUSED'],
    ['to oneself in another case', { to: 'BOSS' }, 'DELEGATION_REFUSED'],
    ['to oneself by subject', { to: subject('boss').id }, 'DELEGATION_REFUSED'],
    ['to another account of one’s own', { to: 'Boss.Admin' }, 'DELEGATION_REFUSED'],
    ['to a service account', { to: 'robot' }, 'DELEGATION_REFUSED'],
    ['that ends before it begins', { starts: '2026-11-25T10:00:00Z', ends: '2026-11-24T10:00:00Z' }, 'DELEGATION_REFUSED'],
    ['that is over', { starts: '2026-11-01T10:00:00Z', ends: '2026-11-02T10:00:00Z' }, 'DELEGATION_REFUSED'],
    ['for ever', { ends: '2099-01-01T00:00:00Z' }, 'DELEGATION_REFUSED'],
    ['some day', { starts: '2029-01-01T00:00:00Z', ends: '2029-01-02T00:00:00Z' }, 'DELEGATION_REFUSED'],
    ['without a reason', { reason: ' ' }, 'USAGE'],
    ['with a novel', { reason: 'x'.repeat(DELEGATION_LIMITS.reasonCharsMax + 1) }, 'USAGE'],
    ['to a name that hides something', { to: 'bo\u200bb' }, 'USAGE'],
    ['to nobody', { to: '' }, 'USAGE'],
    ['at no time', { starts: 'tomorrow' }, 'USAGE'],
    ['at a time without a zone', { ends: '2026-11-30T10:00:00' }, 'USAGE'],
  ])('not %s', async (_name, ask, code) => {
    const one = await office();
    expect(await codeOf(one.open(ask))).toBe(code);
    expect(one.disk.events).toEqual([]);
  });

  test.each<[string, (one: Office) => Principal]>([
    ['a token for data', ({ boss }) => ({ ...boss, scopes: ['connect'] })],
    ['a token for both', ({ boss }) => ({ ...boss, scopes: ['connect', 'approve'] })],
    ['an old token', ({ boss }) => ({ ...boss, issuedAtMs: boss.issuedAtMs - 2 * 3_600_000 })],
    ['a service account', ({ boss, clock }) => ({ ...reviewer('svc', ['dba'], clock), subject: { ...boss.subject, type: 'service' } })],
    ['an agent for somebody', ({ boss }) => ({ ...boss, subject: subject('bot', [], { type: 'agent', owner: 'boss' }) })],
  ])('not by %s', async (_name, by) => {
    const one = await office();
    expect(await codeOf(one.open({}, by(one)))).toBe('VERDICT_TOKEN');
  });

  test('at most so many of one human, also at the same instant', async () => {
    const one = await office();
    const codes = await Promise.all(Array.from({ length: 8 }, (_, at) => codeOf(one.open({ to: `bob${at}` }))));
    expect(codes.filter((code) => code === 'none')).toHaveLength(DELEGATION_LIMITS.perHumanMax);
    expect(codes.filter((code) => code === 'DELEGATION_REFUSED')).toHaveLength(8 - DELEGATION_LIMITS.perHumanMax);
    const [first] = one.delegations.list();
    await one.delegations.end(first?.delegation_id ?? '', one.boss);
    expect(await codeOf(one.open({ to: 'zoe' }))).toBe('none');
    expect(await codeOf(one.open({}, reviewer('chief', [], one.clock)))).toBe('none');
  });
});

describe('ending', () => {
  test('by whoever gave it, at once; by nobody else', async () => {
    const one = await office();
    const { delegation_id: id } = await one.open();
    for (const other of ['bob', 'eve', 'BOSS'])
      expect(await codeOf(one.delegations.end(id, reviewer(other, [], one.clock)))).toBe('DELEGATION_NOT_FOUND');
    expect(await codeOf(one.delegations.end('del_nothing', one.boss))).toBe('DELEGATION_NOT_FOUND');
    const { promise, resolve } = Promise.withResolvers<void>();
    one.journal.gate = promise;
    const ending = one.delegations.end(id, one.boss);
    expect(inForce(one)).toEqual([]);
    resolve();
    expect(await ending).toMatchObject({ state: 'ended' });
    expect(await one.delegations.end(id, one.boss)).toMatchObject({ state: 'ended' });
    expect(one.disk.events.map(({ type }) => type)).toEqual(['delegation.opened', 'delegation.ended']);
  });
});

describe('clocks and restarts (A6)', () => {
  test('a clock that is set back lengthens nothing and begins nothing; one that is set forward begins nothing early', async () => {
    const one = await office();
    await one.open({ ends: '2026-11-23T11:00:00Z' });
    one.clock.set(-1_800_000);
    expect(inForce(one)).toEqual([]);
    one.clock.set(1_800_000);
    expect(inForce(one)).toEqual(['boss bob']);
    one.clock.pass(3_000_000);
    one.clock.set(-2_000_000);
    one.clock.pass(600_000);
    expect(inForce(one)).toEqual([]);
    const two = await office();
    await two.open({ starts: '2026-11-23T12:00:00Z' });
    two.clock.set(7_200_000);
    expect(inForce(two)).toEqual([]);
    two.clock.pass(7_200_000);
    expect(inForce(two)).toEqual(['boss bob']);
  });

  test('a restart knows what is in force and what was ended, and tells it newest first', async () => {
    const one = await office();
    await one.open({ to: 'bob' });
    one.clock.pass(1_000);
    const { delegation_id: id } = await one.open({ to: 'carol' });
    await one.delegations.end(id, one.boss);
    const again = await office(one.disk, new FakeClock('2026-11-25T10:00:00Z'));
    expect(inForce(again)).toEqual(['boss bob']);
    expect(again.delegations.list()).toMatchObject([
      { to: 'carol', state: 'ended' },
      { to: 'bob', state: 'in_force' },
    ]);
    expect(again.delegations.list(subject('bob'))).toHaveLength(1);
    expect(again.delegations.list(subject('eve'))).toEqual([]);
    const late = await office(one.disk, new FakeClock('2026-12-25T10:00:00Z'));
    expect(inForce(late)).toEqual([]);
    // the wall clock stands before what the journal has seen: what is left is counted from there
    const behind = await office(one.disk, new FakeClock('2026-11-20T10:00:00Z'));
    expect(inForce(behind)).toEqual([]);
    behind.clock.pass(8 * 86_400_000);
    expect(inForce(behind)).toEqual([]);
  });
});
