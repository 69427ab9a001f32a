/** A disk that can lose its power: ext4 in a file, mounted over a loop device. What the copy of the file holds is what was on the disk. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface DiskImage extends Disposable {
  /** Where it is mounted. */
  readonly path: string;
  /** The disk as it would be found after the power went now; whoever writes to it must stand still. */
  cut(): DiskImage;
}

const IMAGE_BYTES = 48 << 20;

/** null: this machine or this user cannot mount loop devices. */
export function diskImage(): DiskImage | null {
  const base = mkdtempSync(join(tmpdir(), 'interlock-disk-'));
  const file = join(base, 'disk.img');
  writeFileSync(file, '');
  truncateSync(file, IMAGE_BYTES);
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
      copyFileSync(file, copy);
      return mounted(copyBase, copy);
    },
    [Symbol.dispose]: () => {
      run('umount', '-l', path);
      rmSync(base, { recursive: true, force: true });
    },
  };
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } });
}
