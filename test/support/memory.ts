/** Where tests keep what need not outlive them: in memory if there is room, else where temporary files go. */
import { accessSync, constants, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const MEMORY = '/dev/shm';
/** For a few servers at once; containers often have 64 MiB there. */
const FREE_BYTES = 2 ** 31;
/** statfs(2) */
const TMPFS = 0x01021994;

/** A parent for folders whose disk is not what is tested: no wait for it, and a database's three hundred files come and go ten times as fast. */
export function roomInMemory(): string {
  try {
    accessSync(MEMORY, constants.W_OK);
    const { type, bavail, bsize } = statfsSync(MEMORY);
    return type === TMPFS && bavail * bsize >= FREE_BYTES ? MEMORY : tmpdir();
  } catch {
    return tmpdir(); // another system, or none for us
  }
}
