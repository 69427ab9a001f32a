/** Issue 5 "chaos", in small: a round of each part and fault; `npm run chaos -- --component …` is the whole of it. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApartBed, type ApartComponent } from './apart/bed.ts';
import { checkItems, checkLog } from './model.ts';
import type { Fault, Sabotage } from './options.ts';
import { runApart } from './run.ts';
import { ROWS } from './sabotages.ts';

type Row = readonly [component: ApartComponent, fault: Fault];

describe('C1 to C8, apart: enforcer, engine and nats-server', () => {
  let bed: ApartBed;
  beforeAll(async () => {
    bed = await ApartBed.open();
  }, 120_000);
  afterAll(() => bed[Symbol.asyncDispose]());

  test.each<Row>([
    ['enforcer', 'kill'],
    ['enforcer', 'eio'],
    ['enforcer', 'delay'],
    // not last: what its journal saw by a clock that had leapt ends nothing that is asked for later
    ['engine', 'clock'],
    ['engine', 'kill'],
    ['engine', 'stop'],
    ['engine', 'partition'],
    ['engine', 'flip'],
    ['nats', 'kill'],
  ])('%s: %s', { timeout: 120_000 }, (component, fault) => sound(bed, component, fault));
});

/** Found what a journal alone does not show: keys that were made and never synced. */
test('C1, C4: the power of an enforcer goes, with all of its files', { timeout: 120_000 }, async () => {
  await using bed = await ApartBed.open({ powered: 'enforcer' });
  await sound(bed, 'enforcer', 'power');
});

async function sound(bed: ApartBed, component: ApartComponent, fault: Fault): Promise<void> {
  const report = await runApart(bed, { component, fault, rounds: 1, seed: 50_000, sabotage: null });
  expect(report.violations).toEqual([]);
  expect(report.in_flight_rounds).toBe(1);
  expect(report.reached).toBeGreaterThan(30);
}

/** A check that never fired is no evidence; the rest of the table is played by `npm run chaos -- --table`. The last two leave an archive and approvals that are past mending. */
describe('parts that are built wrong are found', () => {
  let bed: ApartBed;
  beforeAll(async () => {
    bed = await ApartBed.open();
  }, 120_000);
  afterAll(() => bed[Symbol.asyncDispose]());

  test.each<Sabotage>(['masks-ignored', 'commit-undone', 'archive-gap', 'double-consume'])('%s', { timeout: 120_000 }, async (sabotage) => {
    const { component, fault, check } = ROWS.find((row) => row.sabotage === sabotage) as (typeof ROWS)[number];
    const found: string[] = [];
    for (let round = 0; round < 3 && !found.includes(check); round++) {
      const report = await runApart(bed, { component, fault, rounds: 1, seed: 50_100 + round, sabotage });
      found.push(...report.violations.map((violation) => violation.check));
    }
    expect(found).toContain(check);
    await bed.kill('enforcer'); // the next one may build the engine wrong
  });
});

test('each row of the table has its line in README.md, with the rounds after which it fired', () => {
  const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8');
  for (const { check, sabotage, built, component, fault } of ROWS)
    expect(readme).toMatch(new RegExp(`^\\| ${check} \\| \`${sabotage}\`: ${built} \\| ${fault} of ${component} \\| \\d+ \\|$`, 'm'));
  expect(readme.match(/^\| C\d [^|]+ \| `/gm)).toHaveLength(ROWS.length);
});

describe('C7: what the model says of a target', () => {
  const told = (check: (find: (detail: string) => void) => void): readonly string[] => {
    const found: string[] = [];
    check((detail) => void found.push(detail));
    return found;
  };
  const pair = (answer: 'ok' | 'none' | 'refused', begun = true): Parameters<typeof checkLog>[1] => [
    { operations: ['a', 'b'].map((marker) => ({ marker, label: 'allow', answer: 'ok' as const })), begun, answer },
  ];

  test('a transaction is there once and whole when it was committed, and not when it was refused', () => {
    expect(told((find) => checkLog(['a', 'b'], pair('ok'), find))).toEqual([]);
    expect(told((find) => checkLog([], pair('none'), find))).toEqual([]);
    expect(told((find) => checkLog(['a'], pair('none'), find))).toHaveLength(1);
    expect(told((find) => checkLog([], pair('ok'), find))).toHaveLength(1);
    expect(told((find) => checkLog(['a', 'b'], pair('refused'), find))).toHaveLength(1);
    expect(told((find) => checkLog(['a', 'a', 'b'], pair('ok'), find)).length).toBeGreaterThan(0);
    expect(told((find) => checkLog(['a', 'b', 'c'], pair('ok'), find))).toHaveLength(1);
    expect(told((find) => checkLog(['a'], pair('refused', false), find))).toEqual([]);
  });

  test('a row holds one of the writes that it was given', () => {
    const write = (marker: string, answer: 'ok' | 'none' | 'refused'): Parameters<typeof checkItems>[2][number] => ({
      marker,
      label: 'approve',
      answer,
      row: 7,
    });
    const items = (note: string): ReadonlyMap<number, string> => new Map([[7, note]]);
    expect(told((find) => checkItems(items('op_r_1'), 'op_r_', [write('op_r_1', 'ok'), write('op_r_2', 'none')], find))).toEqual([]);
    expect(told((find) => checkItems(items('x'), 'op_r_', [write('op_r_1', 'ok')], find))).toHaveLength(1);
    expect(told((find) => checkItems(items('op_r_1'), 'op_r_', [write('op_r_1', 'refused')], find))).toHaveLength(1);
    expect(told((find) => checkItems(new Map([[8, 'op_r_9']]), 'op_r_', [write('op_r_1', 'none')], find))).toHaveLength(1);
  });
});
