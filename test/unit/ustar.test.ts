/** What is written as a tar is one for everybody's tar: packages and bundles. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { ustarHeader } from '#engine/bundles/ustar';
import { tarball } from '#tools/package/tar';

test('names, modes and contents come out as they went in, also of long paths', () => {
  const long = `${'folder-of-thirty-characters-x/'.repeat(5)}${'name'.repeat(20)}`;
  const files = new Map(
    ['a.txt', 'bin/run', long, 'ä/ö'].map((path) => [path, { bytes: Buffer.from(path.repeat(70)), executable: path === 'bin/run' }] as const),
  );
  const archive = tarball(files);
  const tar = (...args: string[]): string => execFileSync('tar', ['--quoting-style=literal', ...args], { input: archive }).toString();
  expect(tar('-tzf', '-').trimEnd().split('\n').toSorted()).toEqual([...files.keys()].toSorted());
  for (const path of files.keys()) expect(tar('-xzOf', '-', path)).toBe(path.repeat(70));
  expect(tar('-tvzf', '-')).toMatch(/-rwxr-xr-x 0\/0 +\d+ 1985-10-26 .* bin\/run/);
});

test('a path that no header holds is refused', () => {
  const file = { size: 0, mode: 0o644, changedS: 0 };
  expect(ustarHeader({ ...file, path: 'x'.repeat(101) })).toBeNull();
  expect(ustarHeader({ ...file, path: `${'y'.repeat(155)}/x` })).not.toBeNull();
  expect(ustarHeader({ ...file, path: `${'y'.repeat(156)}/x` })).toBeNull();
});
