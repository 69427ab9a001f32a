import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const cruise = [join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs'), '--config', '.dependency-cruiser.cjs'];

interface Report {
  readonly summary: {
    readonly totalCruised: number;
    readonly violations: readonly { readonly rule: { readonly name: string }; readonly from: string; readonly to: string }[];
  };
}

describe('import rules of DESIGN §3', () => {
  test('hold, and judged more than a hundred modules', () => {
    const output = execFileSync(process.execPath, [...cruise, '--output-type', 'json', 'engine', 'enforcers', 'schemas'], {
      cwd: root,
      maxBuffer: 64 << 20,
    });
    const { summary } = JSON.parse(output.toString()) as Report;
    expect(summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`)).toEqual([]);
    expect(summary.totalCruised).toBeGreaterThan(100);
  });

  test.each([
    ['an enforcer', 'enforcers/planted-by-imports-test', '../../engine/decide/ports.ts', 'enforcers-see-only-the-client'],
    ['the console', 'engine/console/planted-by-imports-test', '../../decide/ports.ts', 'console-imports-schemas-only'],
  ])('fire on %s that looks into the engine', (_, folder, imported, rule) => {
    const planted = join(root, folder);
    mkdirSync(planted, { recursive: true });
    writeFileSync(join(planted, 'planted.ts'), `import '${imported}';\n`);
    try {
      const run = spawnSync(process.execPath, [...cruise, '--output-type', 'json', folder], { cwd: root, encoding: 'utf8' });
      expect((JSON.parse(run.stdout) as Report).summary.violations.map(({ rule: { name } }) => name)).toContain(rule);
    } finally {
      rmSync(planted, { recursive: true, force: true });
    }
  });
});
