/**
 * The file layer under the journal's writer: the real one, and the place where tests put one that fails, stalls or loses what was not synced.
 * One call writes and makes durable (O_DSYNC): into zeros that were written and synced before, that is what write and fdatasync do, in one
 * round trip to the pool instead of two (20 µs instead of 41 µs in RAM, 124 instead of 156 µs of CPU on ext4).
 */
import { close as closeFile, constants, fstatSync, open as openFile, readSync, write, writeSync } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface JournalFile {
  /** A commit ends before it returns, and costs little: no need to gather much for it. */
  readonly inline?: boolean;
  /**
   * Writes `length` bytes at `position` and calls `done(null)` once they are on stable storage, or `done(error)`; one call at a time. `bytes`
   * belongs to the file until then. `done` may be called before this returns.
   */
  commit(bytes: Uint8Array, length: number, position: number, done: (error: Error | null) => void): void;
  close(): Promise<void>;
}

export interface JournalFiles {
  /** A file of zeros, durable with its directory entry; nothing is left behind when it rejects. */
  allocate(path: string, bytes: number): Promise<void>;
  /** An existing file, for writing. */
  open(path: string): Promise<JournalFile>;
}

/** How much is written before the disk may take a breath: one large sync would hold up those of the running segment. */
const ALLOCATE_STEP_BYTES = 1 << 20;

export const realFiles: JournalFiles = {
  async allocate(path, bytes) {
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_DSYNC, 0o600);
    try {
      const zeros = Buffer.alloc(Math.min(bytes, ALLOCATE_STEP_BYTES));
      for (let at = 0; at < bytes; ) at += (await file.write(zeros, 0, Math.min(zeros.length, bytes - at), at)).bytesWritten;
      await file.sync();
      await syncDirectory(dirname(path));
    } catch (error) {
      await unlink(path).catch(() => undefined); // the first error is the one to report
      throw error;
    } finally {
      await file.close();
    }
  },
  async open(path) {
    const fd = await descriptor(path, constants.O_RDWR | constants.O_DSYNC);
    return quick(fd) ? inlineFile(fd) : fileOf(fd);
  },
};

/** A durable write that costs less than the way to the pool and back is done on the spot: memory, battery-backed caches. */
const INLINE_US_MAX = 30;
/**
 * Writes on the spot that took longer than this, and how many of them send the rest of the segment to the pool: a disk must not hold up the loop.
 * Where others take the processor from us a write looks slow now and then: so many quick ones in a row make up for a slow one.
 */
const INLINE_SLOW_US = 1_000;
const INLINE_SLOW_MAX = 3;
const INLINE_QUICK_FORGIVES = 256;
/** One may be slow by accident; a disk must not hold up the loop with more. */
const PROBES = 2;
const PROBE_BYTES = 512;

/** Writes the file's last bytes again, as they stand. */
function quick(fd: number): boolean {
  const bytes = Buffer.alloc(PROBE_BYTES);
  const position = Math.max(0, fstatSync(fd).size - PROBE_BYTES);
  const length = readSync(fd, bytes, 0, PROBE_BYTES, position);
  for (let probe = 0; probe < PROBES; probe++) {
    const startedUs = performance.now() * 1000;
    writeSync(fd, bytes, 0, length, position);
    if (performance.now() * 1000 - startedUs <= INLINE_US_MAX) return true;
  }
  return false;
}

/** Whether writes on the spot may go on. Once it is lost it does not come back. */
export class InlineTrust {
  #slow = 0;
  #quick = 0;

  get holds(): boolean {
    return this.#slow < INLINE_SLOW_MAX;
  }

  took(us: number): void {
    if (!this.holds) return;
    if (us > INLINE_SLOW_US) this.#slow++;
    if (us > INLINE_SLOW_US) this.#quick = 0;
    else if (this.#slow > 0 && ++this.#quick === INLINE_QUICK_FORGIVES) {
      this.#slow--;
      this.#quick = 0;
    }
  }
}

function inlineFile(fd: number): JournalFile {
  const pooled = fileOf(fd);
  const trust = new InlineTrust();
  return {
    get inline() {
      return trust.holds;
    },
    commit(bytes, length, position, done) {
      if (!trust.holds) return pooled.commit(bytes, length, position, done);
      const startedUs = performance.now() * 1000;
      try {
        for (let at = 0; at < length; ) at += writeSync(fd, bytes, at, length - at, position + at);
      } catch (error) {
        return done(error as Error);
      }
      trust.took(performance.now() * 1000 - startedUs);
      done(null);
    },
    close: () => pooled.close(),
  };
}

/** A file over a descriptor; what `commit` promises depends on how it was opened. */
export function fileOf(fd: number): JournalFile {
  return {
    commit(bytes, length, position, done) {
      const step = (from: number): void =>
        write(fd, bytes, from, length - from, position + from, (error, written) => {
          if (error) done(error);
          else if (from + written < length) step(from + written);
          else done(null);
        });
      step(0);
    },
    close: () => new Promise((resolve, reject) => closeFile(fd, (error) => (error ? reject(error) : resolve()))),
  };
}

export function descriptor(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => openFile(path, flags, (error, fd) => (error ? reject(error) : resolve(fd))));
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
