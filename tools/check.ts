/** `npm run check`: all static checks in one go; each one's output is shown only if it fails. */
import { spawnSync } from 'node:child_process';
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
for (const [name, command, ...args] of checks) {
  const started = performance.now();
  const result = existsSync(command)
    ? spawnSync(command, args, { cwd: root, encoding: 'utf8' })
    : { status: 127, stdout: '', stderr: `${command} is not installed\n` };
  const ok = result.status === 0;
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  if (!ok) console.log(`${result.stdout}${result.stderr}`);
  failed += ok ? 0 : 1;
}
process.exit(failed > 0 ? 1 : 0);
