import type { Step } from './case.ts';
import type { Random } from './random.ts';

/** Changes one step; null: does not apply to it. */
export type Mutation = (step: Step, random: Random) => Step | null;
