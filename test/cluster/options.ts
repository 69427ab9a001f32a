/** `npm run cluster` as SURFACE.md has it. */
import { type Command, type Given, whole } from '#test/support/command-line';

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

export const CLUSTER = {
  name: 'cluster',
  what: 'Three engines, three enforcers and three NATS nodes as processes: approvals raced for while one of the nine is killed, and rolling upgrades under load\n(test/cluster/README.md). Exit 0: every oracle holds; 1: one found something. Ctrl-C ends it after the race or upgrade under way.',
  words: null,
  options: {
    races: { takes: 'N', says: 'each with a kill (100); 0: none' },
    upgrades: { takes: 'N', says: 'of all nine processes (3); 0: none' },
    clients: { takes: 'N', says: 'during upgrades (12)' },
    seed: { takes: 'S', says: 'when a kill comes, and who asks what (1)' },
    json: { takes: 'OUT', says: 'where the report goes (stdout)' },
  },
} as const satisfies Command;

/** @throws Error */
export function clusterOptions(given: Given<typeof CLUSTER.options>): ClusterRun {
  const number = (name: 'races' | 'upgrades' | 'clients' | 'seed', otherwise: number, least?: number): number =>
    whole(name, given[name], otherwise, least);
  return {
    races: number('races', 100),
    upgrades: number('upgrades', 3),
    clients: number('clients', 12, 1),
    seed: number('seed', 1),
    json: given.json ?? null,
  };
}
