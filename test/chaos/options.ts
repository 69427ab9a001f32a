/** `npm run chaos` as SURFACE.md has it. */
import { type Command, type Given, oneOf, whole } from '#test/support/command-line';

export const FAULTS = ['kill', 'power', 'eio', 'enospc', 'stall', 'stop', 'partition', 'delay', 'clock', 'flip'] as const;
export type Fault = (typeof FAULTS)[number];
export const SABOTAGES = [
  'no-fdatasync',
  'late-intent',
  'deny-ignored',
  'double-consume',
  'bit-rot',
  'archive-gap',
  'masks-ignored',
  'disk-ignored',
  'approval-ignored',
  'gives-up',
  'commit-undone',
  'blind-verify',
] as const;
export type Sabotage = (typeof SABOTAGES)[number];
/** The other is of the tester. */
export type BuiltWrong = Exclude<Sabotage, 'blind-verify'>;

/** Where the fault comes: the gateway in one process, or a part of one that runs apart. */
export const COMPONENTS = ['gateway', 'enforcer', 'engine', 'nats'] as const;
export type Component = (typeof COMPONENTS)[number];
const FAULTS_OF: Readonly<Record<Component, readonly Fault[]>> = {
  gateway: ['kill', 'power', 'eio', 'enospc', 'stall'],
  enforcer: ['kill', 'stop', 'power', 'partition', 'delay', 'clock', 'eio', 'enospc', 'flip'],
  engine: ['kill', 'stop', 'power', 'partition', 'delay', 'clock', 'eio', 'enospc', 'flip'],
  nats: ['kill', 'stop', 'power', 'partition', 'delay'],
};

/** There is nothing of the kind in one process, or nothing that looks for it. */
const ONLY_APART: readonly Sabotage[] = ['archive-gap', 'gives-up', 'blind-verify', 'disk-ignored'];

export interface ChaosOptions {
  readonly component: Component;
  readonly seed: number;
  readonly rounds: number;
  readonly fault: Fault;
  readonly sabotage: Sabotage | null;
  /** Nothing of the above: each sabotage of the table, until its check fires. */
  readonly table: boolean;
  /** Where the figures go; null: stdout. */
  readonly json: string | null;
}

export const CHAOS = {
  name: 'chaos',
  what: 'Breaks a part of a running installation in the middle of work, heals it, and checks what target, journals, archive and clients say (test/chaos/README.md).\nExit 0: nothing found; 1: a check found something.',
  words: null,
  options: {
    rounds: { takes: 'N', says: 'how many times (10)' },
    seed: { takes: 'S', says: 'what a round does comes from it: a violation is played again by its seed (1)' },
    component: { takes: COMPONENTS.join('|'), says: 'what is broken: the gateway in one process, or a part of one that runs apart (gateway)' },
    fault: { takes: 'FAULT', says: 'how (kill): see below' },
    sabotage: { takes: 'NAME', says: 'the part is built wrong, and its check must fire: see below' },
    table: { takes: null, says: 'none of these: every sabotage, until its check fires; with --seed and --json' },
    json: { takes: 'OUT', says: 'where the report goes (stdout)' },
  },
  more: `Faults\n${COMPONENTS.map((component) => `  ${component.padEnd(9)} ${FAULTS_OF[component].join(' ')}`).join('\n')}\n\nSabotages\n  ${SABOTAGES.join(' ')}`,
} as const satisfies Command;

/** @throws Error */
export function chaosOptions(given: Given<typeof CHAOS.options>): ChaosOptions {
  const component = oneOf('component', given.component ?? 'gateway', COMPONENTS);
  const fault = oneOf('fault', given.fault ?? 'kill', FAULTS_OF[component]);
  const sabotage = given.sabotage === undefined ? null : oneOf('sabotage', given.sabotage, SABOTAGES);
  if (component === 'gateway' && sabotage && ONLY_APART.includes(sabotage))
    throw new Error(`--sabotage ${sabotage} is of parts that run apart: name a --component`);
  const { json = null, table } = given;
  return { component, seed: whole('seed', given.seed, 1), rounds: whole('rounds', given.rounds, 10, 1), fault, sabotage, table, json };
}
