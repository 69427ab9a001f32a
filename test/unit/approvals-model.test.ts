/**
 * Invariant 4 against a model that knows only what was asked and answered: an approval is never used more often than it grants, never for another
 * payload, shape or principal, never without its quorum of distinct eligible humans at the time of use, never after its end — whatever order,
 * concurrency, crashes, restarts and clocks. A5, A6. More runs: CONTRIBUTING.md.
 */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ApprovalBook } from '#engine/approvals/parts';
import type { ApprovalJournal } from '#engine/approvals/store';
import type { World } from '#engine/approvals/world';
import { type Broken, ModelRun, Violation } from '#test/support/model/run';
import { story } from '#test/support/model/steps';

const RUNS = Number(process.env['INTERLOCK_MODEL_RUNS'] ?? 500);
const SEED = Number(process.env['INTERLOCK_MODEL_SEED'] ?? randomInt(2 ** 31));

test(`A5, A6: ${RUNS} runs with seed ${SEED}`, { timeout: 60_000 + RUNS * 200 }, async () => {
  console.log(`approvals model: INTERLOCK_MODEL_SEED=${SEED} INTERLOCK_MODEL_RUNS=${RUNS}`);
  const used = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), story, async (scheduler, rounds) => {
      const run = new ModelRun(scheduler);
      await run.run(rounds);
      for (const { statement, receipts, glass } of run.known.values()) {
        const kind = glass.size === 0 ? `requirement ${statement.requirement}` : 'broken glass';
        used.set(kind, (used.get(kind) ?? 0) + receipts.size);
      }
    }),
    { numRuns: RUNS, seed: SEED },
  );
  console.log([...used].map(([kind, count]) => `${kind}: ${count} uses`).join(', '));
  // a model that never gets as far as a use proves nothing
  expect(used.size).toBe(7);
  for (const count of used.values()) expect(count).toBeGreaterThan(0);
});

/** Worlds that lie to the book, each in one thing; the model's own people do not. */
const lying = (lie: (world: World) => Partial<World>): Broken => ({
  options: (options) => ({
    ...options,
    worlds: {
      prepare: () => Promise.resolve(),
      of: (asking) => {
        const world = options.worlds?.of(asking) as World;
        return { ...world, ...lie(world) };
      },
    },
  }),
});

/** A journal that places without comparing, and forgets at the next start that anything was used. */
function careless(journal: ApprovalJournal): ApprovalJournal {
  return {
    append: (event) => journal.append(event),
    appendIf: (event, { stream }) => journal.appendIf(event, { stream, expectedLast: journal.lastOf(stream) }),
    durable: (position) => journal.durable(position),
    lastOf: (stream) => journal.lastOf(stream),
    digestOf: (payload) => journal.digestOf(payload),
    payload: (ref) => journal.payload(ref),
    get fault() {
      return journal.fault;
    },
    onFault: (listener) => journal.onFault(listener),
    async *events() {
      for await (const event of journal.events()) if (event.type !== 'approval.consumed') yield event;
    },
  };
}

/** The book with some of its verbs done another way. */
function instead(book: ApprovalBook, verbs: Partial<ApprovalBook>): ApprovalBook {
  return new Proxy(book, {
    get: (_target, name) => {
      const verb: unknown = Reflect.get(verbs, name) ?? Reflect.get(book, name, book);
      return typeof verb === 'function' ? (verb.bind(book) as unknown) : verb;
    },
  });
}

const BROKEN: Readonly<Record<string, readonly [Broken, says: RegExp]>> = {
  'whoever was once a member counts': [lying(() => ({ groupsOf: ({ properties }) => properties.groups })), /without a quorum/],
  'linked accounts are two humans': [lying(() => ({ personsOf: () => [] })), /without a quorum/],
  'whom the requester made their delegate decides': [lying(() => ({ delegations: [] })), /without a quorum/],
  'a silent calendar is somebody': [lying(() => ({ resolve: () => [{ user: 'erin' }, { user: 'dave' }] })), /without a quorum/],
  'freezes are not looked at': [
    { options: (options) => ({ ...options, data: { data: () => ({ ...options.data?.data(), freezes: [] }) } }) },
    /freeze/,
  ],
  'the monotonic clock stands still': [
    { options: (options) => ({ ...options, clock: { wallUs: () => options.clock.wallUs(), monotonicUs: () => 1_000_000 } }) },
    /after it was approved|had expired|was denied/,
  ],
  'another payload is taken for the approved one': [
    {
      book: (book, drafts) =>
        instead(book, { consume: (id, use) => book.consume(id, { ...use, draft: { ...drafts(id), statementId: use.statementId } }) }),
    },
    /granted for/,
  ],
  'uses are forgotten': [{ options: (options) => ({ ...options, journal: careless(options.journal) }) }, /used \d+ times/],
  'a withdrawal is only said': [{ book: (book) => instead(book, { withdraw: (id) => Promise.resolve(book.show(id)) }) }, /after it was withdrawn/],
};

describe('the model sees it when', () => {
  test.each(Object.entries(BROKEN))('%s', { timeout: 120_000 }, async (_what, [broken, says]) => {
    const property = fc.asyncProperty(fc.scheduler(), story, (scheduler, rounds) => new ModelRun(scheduler, broken).run(rounds));
    const { failed, errorInstance } = await fc.check(property, { numRuns: 20_000, endOnFailure: true });
    expect(failed).toBe(true);
    expect(errorInstance).toBeInstanceOf(Violation);
    expect((errorInstance as Error).message).toMatch(says);
  });
});
