/** The demo does what it says, and anybody who pastes its commands by hand gets the same output. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { launchGateway } from '#test/demo/gateway';
import { setUp } from '#test/demo/setup';
import { Shell } from '#test/demo/shell';

interface Report {
  readonly steps: readonly {
    readonly name: string;
    readonly command: string;
    readonly exit: number;
    readonly ok: boolean;
    readonly output: string;
  }[];
  readonly seconds_demo: number;
}

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

test('npm run demo -- --once: every step does what it says, and the same commands pasted by hand give the same output', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'interlock-demo-test-'));
  const json = join(scratch, 'demo.json');
  execFileSync(process.execPath, [join(root, 'test', 'demo', 'main.ts'), '--once', '--json', json], { stdio: 'pipe' });
  const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
  expect(report.steps.filter(({ ok }) => !ok)).toEqual([]);
  expect(report.steps.length).toBeGreaterThanOrEqual(11);

  const { dir, server } = await setUp(() => {});
  const gateway = await launchGateway(dir);
  const bin = join(scratch, 'bin');
  mkdirSync(bin);
  symlinkSync(join(root, 'bin', 'interlock'), join(bin, 'interlock'));
  await using shell = new Shell({ cwd: dir, env: { ...process.env, PATH: [bin, process.env['PATH']].join(delimiter), TERM: 'dumb' } });
  try {
    for (const step of report.steps) {
      const { output, exit } = await shell.run(step.command);
      expect(exit, step.name).toBe(step.exit);
      expect(normal(output), step.name).toBe(normal(step.output));
    }
  } finally {
    await gateway.stop();
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
    rmSync(scratch, { recursive: true, force: true });
  }
}, 180_000);

/** What differs by nature: ids, times, ports, durations, digests, and how many records the clock let the journal write. */
function normal(output: string): string {
  return output
    .replaceAll(/\b(ses|stm|dec|apr|lea)_[0-9A-Z]{26}/g, '$1_…')
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( UTC|Z)?/g, '<time>')
    .replaceAll(/interlock-demo-\w+/g, '<folder>')
    .replaceAll(/127\.0\.0\.1:\d+/g, '<address>')
    .replaceAll(/\b[0-9a-f]{12}\b|[0-9a-f]{64}/g, '<digest>')
    .replaceAll(/\b\d\d:\d\d  /g, '<time>  ')
    .replaceAll(/\d+ us\b/g, '<duration>')
    .replaceAll(/\d+ (records|checkpoints)/g, '<n> $1')
    .replaceAll(/(record|byte) +\d+/g, '$1 <n>')
    .replaceAll(/^ *\d+ <time>/gm, '<n> <time>');
}
