/** `npm run chaos` as SURFACE.md has it. */
import { parseArgs } from 'node:util';

export const FAULTS = ['kill', 'power', 'eio', 'enospc', 'stall'] as const;
export type Fault = (typeof FAULTS)[number];
export const SABOTAGES = ['no-fdatasync', 'late-intent', 'double-consume', 'deny-ignored'] as const;
export type Sabotage = (typeof SABOTAGES)[number];

export interface ChaosOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly fault: Fault;
  readonly sabotage: Sabotage | null;
  /** Where the figures go; null: stdout. */
  readonly json: string | null;
}

const USAGE = `npm run chaos -- --json OUT --seed S --rounds N --fault ${FAULTS.join('|')} [--sabotage ${SABOTAGES.join('|')}]`;

/** @throws Error with the usage */
export function chaosOptions(argv: readonly string[]): ChaosOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ args: [...argv], options: { json: text, seed: text, rounds: text, fault: text, sabotage: text } });
  const fault = FAULTS.find((each) => each === (values.fault ?? 'kill'));
  const sabotage = values.sabotage === undefined ? null : SABOTAGES.find((each) => each === values.sabotage);
  const seed = Number(values.seed ?? 1);
  const rounds = Number(values.rounds ?? 10);
  if (fault === undefined || sabotage === undefined || !Number.isSafeInteger(seed) || !(rounds > 0)) throw new Error(USAGE);
  return { seed, rounds, fault, sabotage, json: values.json ?? null };
}
