/** `npm run cluster` as SURFACE.md has it. */
import { parseArgs } from 'node:util';

export interface ClusterRun {
  readonly seed: number;
  /** Each with a kill; 0: none. */
  readonly races: number;
  /** Of all nine processes; 0: none. */
  readonly upgrades: number;
  readonly clients: number;
  /** Where the figures go; null: stdout. */
  readonly json: string | null;
}

const USAGE = 'npm run cluster -- [--races N] [--upgrades N] [--clients N] [--seed S] [--json OUT]';

/** @throws Error with the usage */
export function clusterOptions(argv: readonly string[]): ClusterRun {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ args: [...argv], options: { json: text, seed: text, races: text, upgrades: text, clients: text } });
  const number = (given: string | undefined, otherwise: number): number => {
    const value = Number(given ?? otherwise);
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(USAGE);
    return value;
  };
  const { races, upgrades, clients, seed, json = null } = values;
  return { races: number(races, 100), upgrades: number(upgrades, 3), clients: number(clients, 12), seed: number(seed, 1), json };
}
