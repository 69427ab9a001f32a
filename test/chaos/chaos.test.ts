/** Issue 3 "Crash", in small; `npm run chaos` is the whole of it. A check that never fired is no evidence: the sabotages show that it does. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestBed, type TestBed } from './bed.ts';
import { runOn } from './run.ts';

let bed: TestBed;
beforeAll(async () => {
  bed = await openTestBed();
});
afterAll(() => bed[Symbol.asyncDispose]());

describe('I2, I3, I4: kill -9 and power cuts under eight clients', () => {
  test('five rounds of kill -9: nothing denied at the target, everything there recorded, nothing answered or used twice', {
    timeout: 180_000,
  }, async () => {
    const report = await runOn(bed, { fault: 'kill', rounds: 5, seed: 20_261, sabotage: null });
    expect(report.violations).toEqual([]);
    expect(report.in_flight_rounds).toBe(5);
    expect(report.reached).toBeGreaterThan(150);
    expect(report.unknown).toBeGreaterThan(0);
  });

  test('two rounds of power cut: everything at the target is in the journal on the disk that is left', { timeout: 60_000 }, async () => {
    const report = await runOn(bed, { fault: 'power', rounds: 2, seed: 20_262, sabotage: null });
    expect(report.violations).toEqual([]);
    expect(report.reached).toBeGreaterThan(60);
  });
});

describe('C6: while the disk is down', () => {
  test.each(['eio', 'stall'] as const)('%s: nothing reaches the target', { timeout: 60_000 }, async (fault) => {
    const report = await runOn(bed, { fault, rounds: 1, seed: 20_265, sabotage: null });
    expect(report.violations).toEqual([]);
    expect(report.reached).toBeGreaterThan(30);
  });
});

/** On the same bed, behind the others: what is denied and runs leaves no table to work on. */
describe('parts that are built wrong are found', () => {
  test.each([
    ['power', 'no-fdatasync', 'C1 intent before bytes'],
    ['kill', 'late-intent', 'C1 intent before bytes'],
    ['kill', 'double-consume', 'C3 approvals used once'],
    ['kill', 'deny-ignored', 'C2 nothing denied at the target'],
  ] as const)('%s under %s finds: %s', { timeout: 120_000 }, async (fault, sabotage, check) => {
    const found: string[] = [];
    for (let round = 0; round < 6 && !found.includes(check); round++) {
      const report = await runOn(bed, { fault, rounds: 1, seed: 20_263 + round, sabotage });
      found.push(...report.violations.map((violation) => violation.check));
    }
    expect(found).toContain(check);
  });
});

describe('the product has no switch that weakens an invariant', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  /** What may come from outside by environment; none of it changes what is enforced. */
  const VARIABLES = /^(PATH|HOME|TERM|COLUMNS|NO_COLOR|FORCE_COLOR|CI|XDG_CACHE_HOME|XDG_CONFIG_HOME|INTERLOCK_CACHE|NODE_OPTIONS|NODE_ENV)$/;
  const SWITCH = /sabotage|failpoint|fail_point|skip_?sync|no_?fsync|no-fdatasync|late-intent|insecure_|unsafe_|bypass_/i;

  const found = (text: string): string[] => [
    ...text.split('\n').filter((line) => SWITCH.test(line.replace(/\/\/.*|^\s*\/?\*.*/, ''))),
    ...[...text.matchAll(/process\.env(?:\.([A-Z_]+)|\['([^']+)'\])/g)]
      .map((match) => match[1] ?? match[2] ?? '')
      .filter((name) => !VARIABLES.test(name)),
  ];

  test('no such word, and no variable that is not listed, in engine, enforcers, schemas and bin', () => {
    const files = ['engine', 'enforcers', 'schemas', 'bin'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(tsx?|js)$|^interlock$/.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name))
        // what the console's build writes has the libraries of others in it; its sources are judged
        .filter((file) => !file.includes('/console/dist/') && !file.includes('/node_modules/')),
    );
    expect(files.length).toBeGreaterThan(100);
    const hits = files.flatMap((file) => found(readFileSync(file, 'utf8')).map((line) => `${file.slice(root.length)}: ${line.trim()}`));
    expect(hits).toEqual([]);
  });

  test('it would be seen', () => {
    expect(found("if (process.env['INTERLOCK_NO_AUDIT']) return;")).toHaveLength(1);
    expect(found("const sabotage = options.sabotage ?? 'none';")).toHaveLength(1);
  });
});
