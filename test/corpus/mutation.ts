import type { Step } from './case.ts';
import type { Random } from '#test/support/random';

/** Changes one step; null: does not apply to it. */
export type Mutation = (step: Step, random: Random) => Step | null;
