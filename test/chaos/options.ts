/** `npm run chaos` as SURFACE.md has it. */
import { parseArgs } from 'node:util';

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

const USAGE = `npm run chaos -- --json OUT --seed S --rounds N --fault ${FAULTS.join('|')} [--component ${COMPONENTS.join('|')}] [--sabotage ${SABOTAGES.join('|')}]
npm run chaos -- --table --json OUT --seed S
${COMPONENTS.map((component) => `  ${component}: ${FAULTS_OF[component].join(', ')}`).join('\n')}`;

/** @throws Error with the usage */
export function chaosOptions(argv: readonly string[]): ChaosOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: { json: text, seed: text, rounds: text, fault: text, component: text, sabotage: text, table: { type: 'boolean' } },
  });
  const fault = FAULTS.find((each) => each === (values.fault ?? 'kill'));
  const sabotage = values.sabotage === undefined ? null : SABOTAGES.find((each) => each === values.sabotage);
  const component = COMPONENTS.find((each) => each === (values.component ?? 'gateway'));
  if (component === undefined || fault === undefined || !FAULTS_OF[component].includes(fault)) throw new Error(USAGE);
  if (component === 'gateway' && sabotage && ONLY_APART.includes(sabotage)) throw new Error(`${sabotage} is of parts that run apart\n${USAGE}`);
  const seed = Number(values.seed ?? 1);
  const rounds = Number(values.rounds ?? 10);
  if (sabotage === undefined || !Number.isSafeInteger(seed) || !(rounds > 0)) throw new Error(USAGE);
  return { component, seed, rounds, fault, sabotage, table: values.table === true, json: values.json ?? null };
}
