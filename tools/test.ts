/** `npm test`: every test, and a last line `N passed, N failed` (`, N skipped` where a program could not be had, each named above). */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureConsole } from './console.ts';
import { opaWasi } from './opa-wasi.ts';
import { toolOrExit } from './tools.ts';

interface Report {
  readonly testResults: readonly { readonly name: string; readonly message: string; readonly assertionResults: readonly Result[] }[];
}
interface Result {
  readonly status: 'passed' | 'failed' | 'pending' | 'skipped' | 'todo';
  readonly fullName: string;
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const scratch = mkdtempSync(join(tmpdir(), 'interlock-test-'));
const output = join(scratch, 'report.json');

await toolOrExit('opa'); // set-up first, with its progress, so that no test pays for it
await opaWasi();
await ensureConsole(console.log);

const vitest = spawnSync(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--reporter=default', '--reporter=json', `--outputFile=${output}`, ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit' },
);
const report = JSON.parse(readFileSync(output, 'utf8')) as Report;
rmSync(scratch, { recursive: true, force: true });

const results = report.testResults.flatMap((file) => file.assertionResults);
const passed = results.filter((result) => result.status === 'passed').length;
const skipped = results.filter((result) => result.status !== 'passed' && result.status !== 'failed');
// a file that does not load has no results of its own: it counts as one failure
const broken = report.testResults.filter((file) => file.assertionResults.length === 0);
const failed = results.filter((result) => result.status === 'failed').length + broken.length;

for (const file of broken) console.log(`failed: ${file.name}: ${file.message.split('\n')[0]}`);
for (const result of skipped) console.log(`skipped: ${result.fullName}`);
// what needs data that nobody can install names the variable that points to it; everything else is a program that .ci/run installs
const missing = skipped.filter(({ fullName }) => !/\(INTERLOCK_\w+\)/.test(fullName));
const strict = process.env['CI'] === 'true';
if (strict && missing.length > 0) console.log('A skip fails CI: .ci/run must install what is missing.');
const crashed = vitest.status !== 0 && failed === 0;
if (crashed) console.log(`failed: vitest exited with ${vitest.status}: an error outside of any test, see above`);
console.log(`${passed} passed, ${failed + (crashed ? 1 : 0)} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`);
process.exit(failed > 0 || crashed || passed === 0 || (strict && missing.length > 0) ? 1 : 0);
