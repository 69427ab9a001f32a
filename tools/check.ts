/** `npm run check`: all static checks in one go; each one's output is shown only if it fails. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toolOrExit } from './tools.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);
const opa = await toolOrExit('opa');
const regal = await toolOrExit('regal');
const packs = readdirSync(join(root, 'policies'), { withFileTypes: true }).filter((entry) => entry.isDirectory());

const checks: readonly (readonly [name: string, command: string, ...args: readonly string[]])[] = [
  ['types', bin('tsc'), '-p', '.', '--noEmit'],
  ['console types', bin('tsc'), '-p', 'engine/console', '--noEmit'],
  ['lint', bin('oxlint'), '--deny-warnings'],
  ['format', bin('biome'), 'format', '.'],
  ['imports', bin('depcruise'), '--config', '.dependency-cruiser.cjs', 'engine', 'enforcers', 'schemas', 'tools', 'test'],
  ['dead code', bin('knip')],
  ['generated files', process.execPath, 'tools/generate.ts', '--check'],
  ['rego format', opa, 'fmt', '--fail', '--list', 'policies', 'test/policies'],
  ['rego types', opa, 'check', '--strict', ...packs.map((entry) => join('policies', entry.name))],
  ['rego lint', regal, 'lint', 'policies', 'test/policies'],
  ['rego tests', opa, 'test', '--ignore', '*cases.yaml', 'policies'], // statement cases are no data
  ['rego coverage', opa, 'test', '--coverage', '--threshold', '99', '--ignore', '*cases.yaml', 'policies'],
];

let failed = 0;
const waiting = checks.values();
await Promise.all([lane(), lane()]); // most of them use one core
process.exit(failed > 0 ? 1 : 0);

async function lane(): Promise<void> {
  for (const [name, command, ...args] of waiting) {
    const started = performance.now();
    const { ok, output } = existsSync(command) ? await run(command, args) : { ok: false, output: `${command} is not installed\n` };
    console.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    if (!ok) console.log(output);
    failed += ok ? 0 : 1;
  }
}

function run(command: string, args: readonly string[]): Promise<{ readonly ok: boolean; readonly output: string }> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd: root, maxBuffer: 64 << 20 }, (error, stdout, stderr) => resolve({ ok: error === null, output: stdout + stderr }));
  });
}
