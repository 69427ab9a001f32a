/**
 * `npm run shapes`: the end-to-end and conformance suites in all three shapes, the corpora in each, whose outcomes must be equal, and the demo
 * apart.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, optionsOf } from '#test/support/command-line';
import { root } from '#test/support/processes';
import { type Shape, SHAPES } from '#test/support/shapes';
import type { CorpusReport } from '../corpus/report.ts';
import { differences } from './differences.ts';
import { SUITES, unplaced } from './suites.ts';

/** Databases and HTTP are run apart: their servers are others. */
const CORPORA: readonly (readonly string[])[] = [
  ['test/corpus/public/sql.jsonl', 'test/corpus/public/mask.jsonl'],
  ['test/corpus/public/http.jsonl', 'test/corpus/cases/http.jsonl'],
];

const COMMAND = {
  name: 'shapes',
  what: 'The end-to-end and conformance suites in every shape, the corpora in each, whose outcomes must be equal, and the demo apart.\nExit 0: all passed and all outcomes are equal.',
  words: '[SHAPE…]',
  options: {},
  more: `Shapes (all three)\n  ${SHAPES.join(' ')}`,
} as const satisfies Command;

process.exitCode = main(optionsOf(COMMAND, process.argv.slice(2), (_, words) => words.map(shapeNamed)));

function shapeNamed(word: string): Shape {
  const shape = SHAPES.find((one) => one === word);
  if (shape === undefined) throw new Error(`${word} is no shape: ${SHAPES.join(', ')}`);
  return shape;
}

/** @param asked all of them by default */
function main(asked: readonly Shape[]): number {
  const homeless = unplaced(root);
  if (homeless.length > 0) {
    process.stderr.write(`shapes: ${homeless.join(', ')}: say in test/shapes/suites.ts whether they run in every shape\n`);
    return 2;
  }
  const shapes = SHAPES.filter((shape) => asked.length === 0 || asked.includes(shape));
  const failed = shapes.filter((shape) => !suites(shape));
  const shown = asked.length > 0 || demo();
  const compared = CORPORA.map((files) => compare(shapes, files));
  const differing = compared.flatMap((one) => one.differing);
  const cases = compared.reduce((sum, one) => sum + one.cases, 0);
  for (const line of differing) process.stdout.write(`${line}\n`);
  process.stdout.write(
    `${shapes.length} shapes, ${SUITES.length} suites each; ${failed.length === 0 ? 'all passed' : `failed in ${failed.join(', ')}`}; ` +
      `corpus: ${cases} cases each, ${differing.length} different outcomes${shown ? '' : '; the demo apart failed'}\n`,
  );
  return failed.length === 0 && differing.length === 0 && shown ? 0 : 1;
}

function demo(): boolean {
  return spawnSync(process.execPath, ['test/demo/main.ts', '--apart', '--once'], { cwd: root, stdio: 'inherit' }).status === 0;
}

function suites(shape: Shape): boolean {
  process.stdout.write(`shapes: ${SUITES.length} suites, ${shape}\n`);
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...SUITES];
  const env = { ...process.env, INTERLOCK_SHAPE: shape };
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status === 0;
}

function compare(shapes: readonly Shape[], files: readonly string[]): { readonly cases: number; readonly differing: readonly string[] } {
  const [first, ...others] = shapes.map((shape) => corpus(shape, files)) as [CorpusReport, ...CorpusReport[]];
  const differing = others.flatMap((report, index) => differences(first, report).map((line) => `${shapes[index + 1] ?? ''}: ${line}`));
  return { cases: first.totals.cases, differing };
}

function corpus(shape: Shape, files: readonly string[]): CorpusReport {
  process.stdout.write(`shapes: the corpus of ${files.join(', ')}, ${shape}\n`);
  const scratch = mkdtempSync(join(tmpdir(), 'interlock-shapes-'));
  const file = join(scratch, 'report.json');
  try {
    const args = ['test/corpus/main.ts', ...files.flatMap((cases) => ['--cases', cases]), '--json', file, '--shape', shape];
    // what fails in every shape is the corpus test's to judge; here it is compared
    spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    return JSON.parse(readFileSync(file, 'utf8')) as CorpusReport;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
