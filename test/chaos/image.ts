/** A disk that can lose its power: ext4 in a file, mounted over a loop device. What the copy of the file holds is what was on the disk. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface DiskImage extends Disposable {
  /** Where it is mounted. */
  readonly path: string;
  /** The disk as it would be found after the power went now; whoever writes to it must stand still. */
  cut(): DiskImage;
  /** The same in place. @param end what wrote there has ended when it resolves */
  lose(end: () => Promise<void>): Promise<void>;
  /** What was written so far will not be lost. */
  keep(): void;
}

const IMAGE_BYTES = 48 << 20;

/** null: this machine or this user cannot mount loop devices. */
export function diskImage(bytes: number = IMAGE_BYTES): DiskImage | null {
  const base = mkdtempSync(join(tmpdir(), 'interlock-disk-'));
  const file = join(base, 'disk.img');
  writeFileSync(file, '');
  truncateSync(file, bytes);
  try {
    run('mkfs.ext4', '-q', '-F', file);
    return mounted(base, file);
  } catch {
    rmSync(base, { recursive: true, force: true });
    return null;
  }
}

function mounted(base: string, file: string): DiskImage {
  const path = join(base, 'mnt');
  mkdirSync(path);
  run('mount', '-o', 'loop', file, path);
  return {
    path,
    cut() {
      const copyBase = mkdtempSync(join(tmpdir(), 'interlock-disk-'));
      const copy = join(copyBase, 'crash.img');
      copied(file, copy);
      return mounted(copyBase, copy);
    },
    async lose(end) {
      const copy = join(base, 'crash.img');
      copied(file, copy);
      await end();
      // what it writes back now goes to the file that nobody needs any more
      run('umount', path);
      renameSync(copy, file);
      run('mount', '-o', 'loop', file, path);
    },
    keep: () => run('sync', '--file-system', path),
    [Symbol.dispose]: () => {
      run('umount', '-l', path);
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/** Holes stay holes: most of a large disk was never written. */
function copied(file: string, copy: string): void {
  run('cp', '--sparse=auto', file, copy);
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } });
}
