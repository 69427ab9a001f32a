import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makePrivateFile } from '#client/private-file';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'interlock-private-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('it is whole, private whatever the umask says, and nothing lies beside it', () => {
  const before = process.umask(0);
  try {
    expect(makePrivateFile(join(dir, 'keys', 'one'), 'first')).toBe(true);
  } finally {
    process.umask(before);
  }
  expect(readFileSync(join(dir, 'keys', 'one'), 'utf8')).toBe('first');
  expect(statSync(join(dir, 'keys', 'one')).mode & 0o777).toBe(0o600);
  expect(statSync(join(dir, 'keys')).mode & 0o777).toBe(0o700);
  expect(readdirSync(join(dir, 'keys'))).toEqual(['one']);
});

test('what stands there is never written over', () => {
  const path = join(dir, 'one');
  makePrivateFile(path, 'first');
  expect(makePrivateFile(path, 'second')).toBe(false);
  expect(readFileSync(path, 'utf8')).toBe('first');
  expect(readdirSync(dir)).toEqual(['one']);
});

/** Ends itself by SIGKILL where the given call of `node:fs` would have begun. */
function killedAt(call: string, path: string): NodeJS.Signals | null {
  const module = pathToFileURL(join(import.meta.dirname, '../../engine/client/private-file.ts')).href;
  const script = `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    fs.${call} = () => process.kill(process.pid, 'SIGKILL');
    syncBuiltinESMExports();
    const { makePrivateFile } = await import(${JSON.stringify(module)});
    makePrivateFile(${JSON.stringify(path)}, 'lost');`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script]).signal;
}

test.each(['openSync', 'writeSync', 'fsyncSync', 'linkSync'])('killed at %s: there is no file, and the next one is made whole', (call) => {
  const path = join(dir, 'one');
  expect(killedAt(call, path)).toBe('SIGKILL');
  expect(existsSync(path)).toBe(false);
  expect(makePrivateFile(path, 'made')).toBe(true);
  expect(readFileSync(path, 'utf8')).toBe('made');
});
