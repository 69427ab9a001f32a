/**
 * The model of approvals-model.test.ts over three engines on one stream, each step through another engine: answers get lost, messages come late or twice,
 * followers lag and are cut off, engines die half way. A5, A6, E6; ADR 0018. Invariant 4.
 */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Fitting } from '#engine/approvals/ordering/fitting';
import { TAG_BYTES } from '#engine/approvals/ordering/tagging';
import { MemoryStream, type Weather } from '#test/support/memory-stream';
import { ModelRun, Violation } from '#test/support/model/run';
import { story } from '#test/support/model/steps';

const RUNS = Number(process.env['INTERLOCK_SHARED_MODEL_RUNS'] ?? 200);
const SEED = Number(process.env['INTERLOCK_MODEL_SEED'] ?? randomInt(2 ** 31));

/** Mostly fine; what is not is the story's. */
function weatherOf(scheduler: fc.Scheduler, bad: readonly number[]): Weather {
  let asked = 0;
  const next = (): number => bad[asked++ % bad.length] ?? 0;
  return {
    publish: () => (['lost', 'unanswered', 'unanswered', 'refused for nothing'] as const)[next() - 1] ?? 'fine',
    delivery: () => (['twice', 'cut off'] as const)[next() - 1] ?? 'fine',
    turn: (what) => scheduler.schedule(Promise.resolve(), what),
  };
}

const weathers = fc.array(fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 4 }) }), {
  minLength: 7,
  maxLength: 50,
});

async function check(
  scheduler: fc.Scheduler,
  rounds: Parameters<ModelRun['run']>[0],
  bad: readonly number[],
  stream = new MemoryStream(),
): Promise<ModelRun> {
  const run = new ModelRun(scheduler, {}, { engines: 3, stream, weather: weatherOf(scheduler, bad) });
  await run.run(rounds);
  return run;
}

test(`A5, A6: three engines, ${RUNS} runs with seed ${SEED}`, { timeout: 60_000 + RUNS * 400 }, async () => {
  console.log(`approvals model, three engines: INTERLOCK_MODEL_SEED=${SEED} INTERLOCK_SHARED_MODEL_RUNS=${RUNS}`);
  let uses = 0;
  let messages = 0;
  let agreements = 0;
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), story, weathers, fc.boolean(), async (scheduler, rounds, bad, kept) => {
      const stream = new MemoryStream();
      if (kept) stream.keeper = 1;
      const run = await check(scheduler, rounds, bad, stream);
      uses += run.uses;
      messages += stream.messages.length;
      agreements += run.agreements;
    }),
    { numRuns: RUNS, seed: SEED },
  );
  console.log(`${uses} uses, ${messages} messages, ${agreements} times all agreed at the end`);
  expect(uses).toBeGreaterThan(RUNS / 10);
  expect(agreements).toBeGreaterThan(RUNS / 2);
});

const BROKEN: Readonly<Record<string, readonly [(stream: MemoryStream) => void, says: RegExp]>> = {
  'nothing is compared when it is written': [
    (stream) => {
      const store = stream.store.bind(stream);
      stream.store = (subject, body, { id }) => store(subject, body, { id });
    },
    /used \d+ times|after it was|second glass/,
  ],
  'another subject is taken for each message': [
    (stream) => {
      const store = stream.store.bind(stream);
      let made = 0;
      stream.store = (_subject, body, expected) => store(`approvals.${made++}`, body, { ...expected, lastOfSubject: 0 });
    },
    /used \d+ times|after it was|second glass/,
  ],
};

const brokenStream = (breaks: (stream: MemoryStream) => void) => (): MemoryStream => {
  const stream = new MemoryStream();
  breaks(stream);
  return stream;
};

describe('ADR 31: a stream that lies costs no more than that what it has is left out', () => {
  test.each(Object.entries(BROKEN))('%s', { timeout: 60_000 }, async (_what, [breaks]) => {
    const made = brokenStream(breaks);
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), story, async (scheduler, rounds) => void (await check(scheduler, rounds, [0], made()))),
      { numRuns: RUNS / 10, seed: SEED },
    );
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe('where engines believe whatever stands in the stream, the model sees it when', () => {
  test.each(Object.entries(BROKEN))('%s', { timeout: 120_000 }, async (_what, [breaks, says]) => {
    vi.spyOn(Fitting.prototype, 'next').mockImplementation(({ body }) => ({ kind: 'fits', body: body.subarray(TAG_BYTES) }));
    const property = fc.asyncProperty(fc.scheduler(), story, async (scheduler, rounds) => {
      await check(scheduler, rounds, [0], brokenStream(breaks)());
    });
    const { failed, errorInstance } = await fc.check(property, { numRuns: 5_000, endOnFailure: true });
    expect(failed).toBe(true);
    expect(errorInstance).toBeInstanceOf(Violation);
    expect((errorInstance as Error).message).toMatch(says);
  });
});
