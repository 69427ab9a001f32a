/** What a new reading of the configuration changes, and what it only names (issue 5: reload on SIGHUP and on save). */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Log } from '#client/log';
import { changedKeys, covers, openReloading, watchFile } from '#engine/operations/reload';

const line = (lines: unknown[]) => (fields: object, message: string) => void lines.push([message, fields]);
function logTo(lines: unknown[]): Log {
  return { debug: line(lines), info: line(lines), warn: line(lines), error: line(lines) };
}

test('keys whose value is another, by their path; a list is one value', () => {
  const before = { log: { level: 'info' }, targets: { shop: { limits: { idle: '1m' }, tls: 'off' } }, list: [1, 2] };
  const after = { log: { level: 'info', format: 'json' }, targets: { shop: { limits: { idle: '2m' }, tls: { cert: 'c' } } }, list: [1, 3] };
  expect(changedKeys(before, after)).toEqual(['log.format', 'targets.shop.limits.idle', 'targets.shop.tls', 'list']);
  expect(changedKeys({}, { log: { level: 'debug' } })).toEqual(['log.level']);
  expect(changedKeys({ api: { tls: { cert: 'c' } } }, { api: {} })).toEqual(['api.tls']);
});

test.each([
  ['targets.*.limits', 'targets.shop.limits.idle', true],
  ['targets.*.limits', 'targets.shop.limits', true],
  ['targets.*.tls.cert', 'targets.shop.tls', false],
  ['log.level', 'log.format', false],
])('%s covers %s: %s', (pattern, key, answer) => {
  expect(covers(pattern, key)).toBe(answer);
});

test('applied what can be, named what needs a restart, again and again until there is one; a mistake changes nothing', async () => {
  const lines: unknown[] = [];
  let file: Record<string, unknown> | null = { log: { level: 'info' }, journal: { segment: '1MiB' } };
  const applied: unknown[] = [];
  let waiting: readonly string[] = [];
  const reloading = openReloading<Record<string, unknown>>({
    first: file,
    raw: (config) => config,
    load: () => (file === null ? Promise.reject(new Error('a mistake')) : Promise.resolve(file)),
    log: logTo(lines),
    parts: [{ keys: ['log.level'], apply: (next) => void applied.push(next) }],
    waiting: (keys) => (waiting = keys),
  });
  file = { log: { level: 'debug' }, journal: { segment: '2MiB' } };
  await reloading.reload();
  expect(applied).toEqual([file]);
  expect(lines).toEqual([
    ['the configuration was read again', { applied: ['log.level'] }],
    ['these keys changed, and need a restart', { keys: ['journal.segment'] }],
  ]);
  lines.length = 0;
  await reloading.reload();
  expect(lines[1]).toEqual(['these keys changed, and need a restart', { keys: ['journal.segment'] }]);
  expect(waiting).toEqual(['journal.segment']);
  lines.length = 0;
  file = { log: { level: 'debug' }, journal: { segment: '1MiB' } };
  await reloading.reload();
  expect(waiting).toEqual([]); // what is in force is what the file says again
  expect(lines).toHaveLength(1);
  file = null;
  await expect(reloading.reload()).rejects.toThrow('a mistake');
  expect(applied).toHaveLength(3);
});

test('a part that cannot take it does not keep the others from it, and is told', async () => {
  const applied: string[] = [];
  const reloading = openReloading<object>({
    first: {},
    raw: (config) => config,
    load: () => Promise.resolve({}),
    log: logTo([]),
    parts: [
      { keys: [], apply: () => Promise.reject(new Error('a key that does not fit its certificate')) },
      { keys: [], apply: () => void applied.push('the next') },
    ],
    waiting: () => {},
  });
  await expect(reloading.reload()).rejects.toThrow('does not fit');
  expect(applied).toEqual(['the next']);
});

test('a save is noticed, also one that renames another file over it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'interlock-watch-'));
  const file = join(dir, 'interlock.yaml');
  writeFileSync(file, 'one');
  let saves = 0;
  const watch = watchFile(file, async () => void (saves += 1));
  try {
    await watch.first;
    writeFileSync(file, 'two');
    await expect.poll(() => saves, { timeout: 5_000 }).toBe(1);
    writeFileSync(`${file}.new`, 'three');
    renameSync(`${file}.new`, file);
    await expect.poll(() => saves, { timeout: 5_000 }).toBe(2);
  } finally {
    watch.close();
    rmSync(dir, { recursive: true });
  }
});
