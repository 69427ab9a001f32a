/** A check that never fired is no evidence: for each, what is built wrong so that it must. `npm run chaos -- --table` plays them. */
import { ApartBed, type ApartComponent } from './apart/bed.ts';
import type { Check } from './checks.ts';
import type { Fault, Sabotage } from './options.ts';
import { runApart } from './run.ts';

export interface Row {
  readonly check: Check;
  readonly sabotage: Sabotage;
  readonly built: string;
  readonly component: ApartComponent;
  readonly fault: Fault;
}

export const ROWS: readonly Row[] = [
  {
    check: 'C1 intent before bytes',
    sabotage: 'late-intent',
    built: 'the journal says "durable" and writes half a second later',
    component: 'enforcer',
    fault: 'kill',
  },
  { check: 'C1 intent before bytes', sabotage: 'no-fdatasync', built: 'the journal never syncs', component: 'enforcer', fault: 'power' },
  { check: 'C2 nothing denied at the target', sabotage: 'deny-ignored', built: 'every deny is an allow', component: 'enforcer', fault: 'kill' },
  { check: 'C3 approvals used once', sabotage: 'double-consume', built: 'an approval is never used up', component: 'enforcer', fault: 'kill' },
  { check: 'C4 the journal verifies', sabotage: 'bit-rot', built: 'one write in twenty has a wrong bit', component: 'enforcer', fault: 'kill' },
  {
    check: 'C4 the archive has everything',
    sabotage: 'archive-gap',
    built: "the archive's files are said to be written",
    component: 'enforcer',
    fault: 'kill',
  },
  {
    check: 'C5 no masked value leaves',
    sabotage: 'masks-ignored',
    built: 'texts go to the target without their masks',
    component: 'enforcer',
    fault: 'kill',
  },
  {
    check: 'C6 closed while the journal is down',
    sabotage: 'disk-ignored',
    built: 'errors of the disk are no errors',
    component: 'enforcer',
    fault: 'eio',
  },
  {
    check: 'C6 closed while the engine is down',
    sabotage: 'approval-ignored',
    built: 'what needs approval runs without',
    component: 'engine',
    fault: 'kill',
  },
  { check: 'C6 service resumes', sabotage: 'gives-up', built: 'an enforcer dials its engine once', component: 'engine', fault: 'kill' },
  {
    check: 'C7 the target is as the model',
    sabotage: 'commit-undone',
    built: 'COMMIT goes to the target as ROLLBACK',
    component: 'enforcer',
    fault: 'kill',
  },
  {
    check: 'C8 tampering is found',
    sabotage: 'blind-verify',
    built: 'the auditor asks only whether the journal can be read',
    component: 'enforcer',
    fault: 'flip',
  },
];

export interface Fired extends Row {
  readonly seed: number;
  /** Rounds until the check fired; null: it did not. */
  readonly after: number | null;
  /** What it said. */
  readonly detail: string;
}

const ROUNDS_MAX = 5;

/** @param onRow is told of each as it ends */
export async function playTable(seed: number, onRow: (row: Fired) => void): Promise<readonly Fired[]> {
  const fired: Fired[] = [];
  for (const row of ROWS) {
    const found = await playUntilFired(row, seed);
    fired.push(found);
    onRow(found);
  }
  return fired;
}

/** On a bed of its own: what a sabotage leaves is past using. */
export async function playUntilFired(row: Row, seed: number): Promise<Fired> {
  const { component, fault, sabotage } = row;
  await using bed = await ApartBed.open({ powered: fault === 'power' ? component : null });
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const { violations } = await runApart(bed, { component, fault, sabotage, seed: seed + round, rounds: 1 });
    const found = violations.find(({ check }) => check === row.check);
    if (found) return { ...row, seed, after: round + 1, detail: found.detail };
  }
  return { ...row, seed, after: null, detail: '' };
}
