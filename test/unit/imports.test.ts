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

  test('fire on an enforcer that looks into the engine', () => {
    const planted = join(root, 'enforcers', 'planted-by-imports-test');
    mkdirSync(planted, { recursive: true });
    writeFileSync(join(planted, 'planted.ts'), "import '../../engine/decide/ports.ts';\n");
    try {
      const run = spawnSync(process.execPath, [...cruise, '--output-type', 'json', 'enforcers/planted-by-imports-test'], {
        cwd: root,
        encoding: 'utf8',
      });
      const names = (JSON.parse(run.stdout) as Report).summary.violations.map(({ rule }) => rule.name);
      expect(names).toContain('enforcers-see-only-the-client');
    } finally {
      rmSync(planted, { recursive: true, force: true });
    }
  });
});
