/** A6: the wall clock of an engine leaps ahead, is put right, and the engine starts anew: what was asked for before ends, nothing that comes later does. */
import { expect, test } from 'vitest';
import { Delegations } from '#engine/approvals/delegations';
import { draft, HOUR_MS, requirement, stage } from '#test/support/approvals';
import { FakeClock } from '#test/support/fake-clock';
import { MemoryDisk } from '#test/support/memory-journal';
import { fairWeather, MemoryStream } from '#test/support/memory-stream';
import type { ApprovalOptions } from '#engine/approvals/approvals';
import { openSharedBook, person, type SharedBook } from '#test/support/shared-books';

const LEAP_MS = 10 * HOUR_MS;

interface Engine extends SharedBook {
  readonly delegations: Delegations;
}

async function open(name: string, stream: MemoryStream, disk: MemoryDisk, clock: FakeClock): Promise<Engine> {
  const made: Delegations[] = [];
  const shared = await openSharedBook({
    name,
    disk,
    clock,
    stream: stream.connection(fairWeather),
    options: (options) => {
      const { journal, ids, ordered } = options;
      const delegations = new Delegations({
        journal,
        clock,
        ids,
        ...(ordered && { ordered }),
        world: () => ({ personsOf: () => [] }),
        isProgram: () => false,
      });
      made.push(delegations);
      return { ...options, journal: heardBy(delegations, journal) };
    },
  });
  return { ...shared, delegations: made[0] as Delegations };
}

/** As engine/worlds.ts does it: one reading of the journal for both. */
function heardBy(delegations: Delegations, journal: ApprovalOptions['journal']): ApprovalOptions['journal'] {
  return new Proxy(journal, {
    get: (of, name) => {
      if (name === 'events') return () => delegations.restoring(of.events());
      const value: unknown = Reflect.get(of, name, of);
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
}

interface Leapt extends AsyncDisposable {
  readonly one: Engine;
  readonly two: Engine;
  readonly clock: FakeClock;
}

/** Engine `one` after its clock leapt by ten hours, was put right, and the process was killed and started anew; `two` beside it all the time. */
async function afterLeap(before: (one: Engine, clock: FakeClock) => Promise<void> = () => Promise.resolve()): Promise<Leapt> {
  const stream = new MemoryStream();
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const two = await open('two', stream, new MemoryDisk(), clock);
  const first = await open('one', stream, disk, clock);
  await before(first, clock);
  clock.set(LEAP_MS);
  await first.book.request(draft({ text: 'SELECT leapt' }));
  await first.kill();
  clock.set(-LEAP_MS);
  const one = await open('one', stream, disk, clock);
  return { one, two, clock, [Symbol.asyncDispose]: async () => void (await Promise.all([one, two].map((each) => each.close()))) };
}

test.each(['one', 'two'] as const)('an approval that is asked for after it, at engine %s, lasts as long as policy says', async (at) => {
  await using engines = await afterLeap();
  const { clock } = engines;
  const text = 'UPDATE payments SET a = 1';
  const short = requirement({ valid_for_s: 60 });
  const asked = draft({ text, requirement: short });
  const { approvalId } = await engines[at].book.request(asked);
  await engines.one.ordered.catchUp();
  await engines.one.book.sweep();
  expect(engines.one.book.show(approvalId).state).toBe('open');
  await engines[at].book.verdict(approvalId, { reviewer: person('carol', ['owners'], clock), outcome: 'approve' });
  await engines.one.ordered.catchUp();
  clock.pass(59_000);
  const use = { statementId: asked.statementId, enforcer: 'shop', nonce: 'non_1', draft: asked };
  expect(await engines.one.book.consume(approvalId, use)).toMatchObject({ approvalId });
  const late = draft({ text: `${text} /* late */`, requirement: short });
  const { approvalId: other } = await engines[at].book.request(late);
  await engines[at].book.verdict(other, { reviewer: person('carol', ['owners'], clock), outcome: 'approve' });
  await engines.one.ordered.catchUp();
  clock.pass(61_000);
  await expect(engines.one.book.consume(other, { ...use, nonce: 'non_2', draft: late })).rejects.toMatchObject({ code: 'APPROVAL_VOID' });
});

test('a stage that is asked after it has its whole time', async () => {
  await using leapt = await afterLeap();
  const { one, two, clock } = leapt;
  const timed = requirement({ stages: [{ ...stage('owners', 'owners'), deny_after_s: 600 }] });
  const ids = [
    (await one.book.request(draft({ text: 'SELECT 1', requirement: timed }))).approvalId,
    (await two.book.request(draft({ text: 'SELECT 2', requirement: timed }))).approvalId,
  ];
  await one.ordered.catchUp();
  clock.pass(599_000);
  await one.book.sweep();
  expect(ids.map((id) => one.book.show(id).state)).toEqual(['open', 'open']);
  clock.pass(2_000);
  await one.book.sweep();
  expect(ids.map((id) => one.book.show(id).state)).toEqual(['denied', 'denied']);
});

test('what was asked for before it ends by what the journal had seen, though the wall clock says less', async () => {
  let before = '';
  await using leapt = await afterLeap(async ({ book }, now) => {
    ({ approvalId: before } = await book.request(draft({ text: 'SELECT before', requirement: requirement({ expires_in_s: 11 * 3600 }) })));
    now.pass(1_000);
  });
  const { one, clock } = leapt;
  expect(one.book.show(before).state).toBe('open');
  clock.pass(HOUR_MS);
  await one.book.sweep();
  expect(one.book.show(before).state).toBe('expired');
});

test('a delegation that is given after it is in force until its end', async () => {
  await using leapt = await afterLeap();
  const { one, two, clock } = leapt;
  const ask = { reason: 'away', starts: '2026-11-23T09:00:00Z', ends: '2026-11-23T12:00:00Z' };
  await one.delegations.open(person('carol', ['owners'], clock), { ...ask, to: 'dave' });
  await two.delegations.open(person('erin', ['owners'], clock), { ...ask, to: 'frank' });
  await one.ordered.catchUp();
  expect(one.delegations.inForce().map(({ to }) => to)).toEqual(['dave', 'frank']);
  clock.pass(2 * HOUR_MS);
  expect(one.delegations.inForce()).toEqual([]);
});
