/** Issue 5 "chaos", in small: a few rounds of each part and fault; `npm run chaos -- --component …` is the whole of it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApartBed } from './apart/bed.ts';
import type { ChaosOptions } from './options.ts';
import { runApart } from './run.ts';

let bed: ApartBed;
beforeAll(async () => {
  bed = await ApartBed.open();
}, 120_000);
afterAll(() => bed[Symbol.asyncDispose]());

type Row = readonly [component: ChaosOptions['component'], fault: ChaosOptions['fault'], rounds: number];

describe('C1 to C8, apart: enforcer, engine and nats-server', () => {
  test.each<Row>([
    ['enforcer', 'kill', 1],
    ['enforcer', 'eio', 1],
    ['engine', 'kill', 1],
    ['engine', 'stop', 1],
    ['engine', 'partition', 1],
    ['engine', 'flip', 1],
    ['nats', 'kill', 1],
    ['nats', 'partition', 1],
  ])('%s: %s', { timeout: 120_000 }, async (component, fault, rounds) => {
    const report = await runApart(bed, { component, fault, rounds, seed: 50_000, sabotage: null });
    expect(report.violations).toEqual([]);
    expect(report.in_flight_rounds).toBe(rounds);
    expect(report.reached).toBeGreaterThan(30 * rounds);
  });
});

/** A check that never fired is no evidence. */
describe('parts that are built wrong are found', () => {
  test.each([
    ['double-consume', 'C3 approvals used once'],
    ['archive-gap', 'C4 the archive has everything'],
  ] as const)('%s: %s', { timeout: 120_000 }, async (sabotage, check) => {
    await using own = await ApartBed.open();
    const report = await runApart(own, { component: 'enforcer', fault: 'kill', rounds: 1, seed: 50_100, sabotage });
    expect(report.violations.map((violation) => violation.check)).toContain(check);
  });
});
