/** Mutants of a run: the same meaning in another spelling, another message or another wrapping (shared corpus README). Seeded. */
import type { Run, Step } from './case.ts';
import type { Mutation } from './mutation.ts';
import { Random, seedOf } from '#test/support/random';
import { SPELLINGS } from './spellings.ts';
import { WRAPPINGS } from './wrappings.ts';

const MESSAGES: Readonly<Record<string, Mutation>> = {
  split: (step, random) => ({ ...step, chunk: 1 + random.below(7) }),
  pipeline: (step) => (step.sql !== undefined && step.copy_in === undefined && step.conn === undefined ? { ...step, before: 'SELECT 1' } : null),
};

/** `count` different mutants, fewer where fewer apply. */
export function mutants(run: Run, count: number, seed: number): Run[] {
  const found: Run[] = [];
  const seen = new Set([texts(run.steps)]);
  for (let attempt = 0; found.length < count && attempt < count * 6; attempt++) {
    const random = new Random(seedOf(seed, run.case.id, run.mode, attempt));
    const mutant = mutantOf(run, random);
    if (!mutant || seen.has(texts(mutant.steps))) continue;
    seen.add(texts(mutant.steps));
    found.push({ ...mutant, mutation: `${mutant.mutation}:${attempt}` });
  }
  return found;
}

const texts = (steps: readonly Step[]): string => JSON.stringify(steps);

/** One to three mutations of the target step, and of the steps before it the same spellings. */
function mutantOf(run: Run, random: Random): Run | null {
  const table: Readonly<Record<string, Mutation>> =
    run.case.expected === 'must-allow' ? { ...SPELLINGS, ...MESSAGES } : { ...SPELLINGS, ...MESSAGES, ...WRAPPINGS };
  const names = Object.keys(table);
  const chosen = [...new Set(Array.from({ length: 1 + random.below(3) }, () => random.pick(names)))].toSorted(order);
  let applied: string[] = [];
  const steps = run.steps.map((step) => {
    if (step.cleanup === true) return step;
    const marked = step.target === true;
    const used: string[] = [];
    const changed = chosen.reduce<Step>((current, name) => {
      if (!marked && !(name in SPELLINGS)) return current;
      const next = (table[name] as Mutation)(current, random);
      if (!next) return current;
      used.push(name);
      return next;
    }, step);
    if (marked) applied = used;
    return changed;
  });
  return applied.length === 0 ? null : { ...run, steps, mutation: applied.join('+') };
}

/** Wrappings first (their text is then spelled anew), then parameters, spellings and messages. */
function order(one: string, other: string): number {
  const rank = (name: string): number => (name in WRAPPINGS ? 0 : name === 'parameters' ? 1 : name in SPELLINGS ? 2 : 3);
  return rank(one) - rank(other);
}
