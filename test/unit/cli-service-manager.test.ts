/** Units of `Type=notify`: the service manager hears when clients are accepted, and not before. tools/units-check.ts does it with systemd itself. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Log } from '#client/log';
import { tellServiceManager } from '#engine/cli/service-manager';

let dir: string;
const warned: string[] = [];
const log: Log = { debug: () => {}, info: () => {}, error: () => {}, warn: (_fields, message) => void warned.push(message) };

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-notify-'));
  warned.length = 0;
  vi.stubEnv('PATH', `${dir}${delimiter}${process.env['PATH']}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
});

test('systemd’s own program is told, with the process and nothing else of its environment', async () => {
  writeFileSync(join(dir, 'systemd-notify'), `#!/bin/sh\necho "$NOTIFY_SOCKET $SECRET $*" > ${dir}/told\n`, { mode: 0o755 });
  vi.stubEnv('NOTIFY_SOCKET', '/run/x');
  vi.stubEnv('SECRET', 'secret');
  await tellServiceManager('READY=1', log);
  expect(readFileSync(join(dir, 'told'), 'utf8')).toBe(`/run/x  MAINPID=${process.pid} READY=1\n`);
  expect(warned).toEqual([]);
});

test('where none asks, nothing is run; where it fails, the log says so and work goes on', async () => {
  writeFileSync(join(dir, 'systemd-notify'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  vi.stubEnv('NOTIFY_SOCKET', '');
  await tellServiceManager('READY=1', log);
  expect(warned).toEqual([]);
  vi.stubEnv('NOTIFY_SOCKET', '/run/x');
  await tellServiceManager('READY=1', log);
  expect(warned).toEqual(['the service manager could not be told READY=1']);
});
