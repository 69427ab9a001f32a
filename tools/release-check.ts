/**
 * `npm run release:check`: everything that is checked of a release besides `npm run check` and `npm test`: the package in an empty folder, the
 * container image, the units. As root on Debian, with `apt-get install buildah mmdebstrap systemd`; about five minutes.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './package/root.ts';

const CHECKS: readonly (readonly [name: string, ...args: readonly string[]])[] = [
  [
    'package',
    join('node_modules', 'vitest', 'vitest.mjs'),
    'run',
    'test/e2e/package.test.ts',
    'test/unit/decide-opa-wasi.test.ts',
    'test/unit/deploy-units.test.ts',
  ],
  ['container', join('tools', 'container-check.ts')],
  ['units', join('tools', 'units-check.ts')],
];

const failed = CHECKS.filter(([, ...args]) => spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status !== 0).map(([name]) => name);
console.log(failed.length === 0 ? 'release checks passed' : `release checks FAILED: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
