/** All rounds of one fault. */
import { join } from 'node:path';
import { openTestBed, type TestBed } from './bed.ts';
import type { ChaosOptions } from './options.ts';
import { Random } from '#test/support/random';
import { deadDiskRound, killRound, powerBy, powerRound, stallRound, type Round, type RoundResult } from './rounds.ts';

export interface ChaosReport {
  readonly contract: 1;
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

/** @param onRound is told of every round as it ends */
export async function runChaos(options: Omit<ChaosOptions, 'json'>, onRound: (round: number, result: RoundResult) => void): Promise<ChaosReport> {
  await using bed = await openTestBed();
  return await runOn(bed, options, onRound);
}

export async function runOn(
  bed: TestBed,
  options: Omit<ChaosOptions, 'json'>,
  onRound: (round: number, result: RoundResult) => void = () => {},
): Promise<ChaosReport> {
  const base = join(bed.dir, `journal-${options.fault}-${options.sabotage ?? 'sound'}`);
  const violations: ChaosReport['violations'][number][] = [];
  let inFlightRounds = 0;
  let reached = 0;
  let unknown = 0;
  for (let round = 0; round < options.rounds; round++) {
    const seed = options.seed + round;
    // a sound journal lives through all rounds; a sabotaged one may be past opening
    const journalDir = options.sabotage === null ? base : `${base}-${round}`;
    const result = await playRound({ bed, name: `r${round}`, random: new Random(seed), sabotage: options.sabotage, journalDir }, options.fault);
    for (const { check, detail } of result.findings) violations.push({ check, round, seed, detail });
    if (result.inFlight > 0) inFlightRounds++;
    reached += result.reached;
    unknown += result.unknown;
    onRound(round, result);
  }
  const { fault, sabotage, seed, rounds } = options;
  const by = fault === 'power' ? { power_by: powerBy() } : {};
  return { contract: 1, fault, sabotage, seed, rounds, in_flight_rounds: inFlightRounds, reached, unknown, ...by, violations };
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
  }
}
