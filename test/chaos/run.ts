/** All rounds of one fault. */
import { join } from 'node:path';
import { ApartBed } from './apart/bed.ts';
import { playApart } from './apart/rounds.ts';
import { APART_FAULTS } from './apart/round.ts';
import { openTestBed, type TestBed } from './bed.ts';
import type { ChaosOptions } from './options.ts';
import { Random } from '#test/support/random';
import { deadDiskRound, killRound, powerBy, powerRound, stallRound, type Round, type RoundResult } from './rounds.ts';

export interface ChaosReport {
  readonly contract: 1;
  readonly component: ChaosOptions['component'];
  readonly fault: ChaosOptions['fault'];
  readonly sabotage: ChaosOptions['sabotage'];
  readonly seed: number;
  readonly rounds: number;
  /** Rounds with statements sent and not answered when the fault came. */
  readonly in_flight_rounds: number;
  /** Marked statements that the relay saw, over all rounds: what the checks had to judge. */
  readonly reached: number;
  /** Statements that the fault met while the target ran them. */
  readonly unknown: number;
  /** Of `power` alone: a loop mount that was cut, or a file layer that drops what was not synced. */
  readonly power_by?: 'loop' | 'layer';
  readonly violations: readonly { readonly check: string; readonly round: number; readonly seed: number; readonly detail: string }[];
}

type Asked = Omit<ChaosOptions, 'json' | 'component' | 'table'> & { readonly component?: ChaosOptions['component'] };
type OnRound = (round: number, result: RoundResult) => void;

/** @param onRound is told of every round as it ends */
export async function runChaos(options: Asked, onRound: OnRound): Promise<ChaosReport> {
  if ((options.component ?? 'gateway') === 'gateway') {
    await using bed = await openTestBed();
    return await runOn(bed, options, onRound);
  }
  return await runBeds(options, onRound);
}

export async function runOn(bed: TestBed, options: Asked, onRound: OnRound = () => {}): Promise<ChaosReport> {
  const base = join(bed.dir, `journal-${options.fault}-${options.sabotage ?? 'sound'}`);
  const report = await playAll(options, onRound, (round, random) => {
    // a sound journal lives through all rounds; a sabotaged one may be past opening
    const journalDir = options.sabotage === null ? base : `${base}-${round}`;
    const sabotage = options.sabotage === 'blind-verify' ? null : options.sabotage; // of parts apart alone
    return playRound({ bed, name: nextName('r'), random, sabotage, journalDir }, options.fault);
  });
  return options.fault === 'power' ? { ...report, power_by: powerBy() } : report;
}

/** A fresh bed now and then: every round verifies both journals and their archive whole, and they grow. */
async function runBeds(options: Asked, onRound: OnRound): Promise<ChaosReport> {
  let bed: ApartBed | null = null;
  const powered = options.fault === 'power' && options.component !== 'gateway' ? options.component : null;
  try {
    const report = await playAll(options, onRound, async (round, random) => {
      if (bed === null || round % ROUNDS_A_BED === 0) {
        await bed?.[Symbol.asyncDispose]();
        bed = await ApartBed.open({ powered: powered ?? null });
      }
      return await playOn(bed, options, round, random);
    });
    return powered === null ? report : { ...report, power_by: powerBy() };
  } finally {
    await (bed as ApartBed | null)?.[Symbol.asyncDispose]();
  }
}
const ROUNDS_A_BED = 50;

/** Part of every marker: several runs may share a bed. */
function nextName(kind: 'r' | 'a'): string {
  return `${kind}${played++}`;
}
let played = 0;

/** All rounds on one bed: journals and identities live through them. */
export async function runApart(bed: ApartBed, options: Asked, onRound: OnRound = () => {}): Promise<ChaosReport> {
  return await playAll(options, onRound, (round, random) => playOn(bed, options, round, random));
}

function playOn(bed: ApartBed, { component = 'gateway', fault, sabotage }: Asked, round: number, random: Random): Promise<RoundResult> {
  const known = APART_FAULTS.find((each) => each === fault);
  if (component === 'gateway' || known === undefined) throw new Error(`${fault} of ${component} is not of a part that runs apart`);
  return playApart({ bed, name: nextName('a'), random, component, fault: known, sabotage, watched: round % 3 === 0 });
}

async function playAll(options: Asked, onRound: OnRound, play: (round: number, random: Random) => Promise<RoundResult>): Promise<ChaosReport> {
  const { component = 'gateway', fault, sabotage, seed, rounds: count } = options;
  const violations: ChaosReport['violations'][number][] = [];
  let inFlightRounds = 0;
  let reached = 0;
  let unknown = 0;
  for (let round = 0; round < count; round++) {
    const result = await play(round, new Random(seed + round));
    for (const { check, detail } of result.findings) violations.push({ check, round, seed: seed + round, detail });
    if (result.inFlight > 0) inFlightRounds++;
    reached += result.reached;
    unknown += result.unknown;
    onRound(round, result);
  }
  return { contract: 1, component, fault, sabotage, seed, rounds: count, in_flight_rounds: inFlightRounds, reached, unknown, violations };
}

function playRound(round: Round, fault: ChaosOptions['fault']): Promise<RoundResult> {
  switch (fault) {
    case 'kill':
      return killRound(round);
    case 'power':
      return powerRound(round);
    case 'eio':
    case 'enospc':
      return deadDiskRound(round, fault);
    case 'stall':
      return stallRound(round);
    case 'stop':
    case 'partition':
    case 'flip':
    case 'delay':
    case 'clock':
      throw new Error(`${fault} is of a part that runs apart`);
  }
}
