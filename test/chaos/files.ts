/** File layers that fail, stall, lie, or lose what was not synced: handed to the composition root in place of the real one. */
import { constants, write } from 'node:fs';
import { descriptor, fileOf, type JournalFile, type JournalFiles, realFiles } from '#engine/journal/files';

export type FileFault = 'eio' | 'enospc' | 'stall' | 'heal';

/** The real files, until told otherwise. */
export class FaultyFiles implements JournalFiles {
  #fault: FileFault = 'heal';
  readonly #waiting: (() => void)[] = [];
  readonly #ignored: boolean;

  /** @param ignored sabotage `disk-ignored`: what could not be written is said to be durable */
  constructor(ignored = false) {
    this.#ignored = ignored;
  }

  tell(fault: FileFault): void {
    this.#fault = fault;
    if (fault === 'heal') for (const go of this.#waiting.splice(0)) go();
  }

  async allocate(path: string, bytes: number): Promise<void> {
    if ((this.#fault === 'enospc' || this.#fault === 'eio') && !this.#ignored) throw errno(this.#fault);
    await realFiles.allocate(path, bytes);
  }

  async open(path: string): Promise<JournalFile> {
    const file = await realFiles.open(path);
    return {
      close: () => file.close(),
      commit: (bytes, length, position, done) => {
        const go = (): void => {
          if (this.#fault === 'eio' || this.#fault === 'enospc') {
            const error = errno(this.#fault);
            // what a kernel does after a failed sync: the next one succeeds, and the pages are gone
            this.#fault = 'heal';
            setImmediate(() => done(this.#ignored ? null : error));
          } else file.commit(bytes, length, position, done);
        };
        if (this.#fault === 'stall') this.#waiting.push(go);
        else go();
      },
    };
  }
}

/** `no-fdatasync`: says "durable" when the bytes are in the page cache. */
export const unsyncedFiles: JournalFiles = {
  allocate: (path, bytes) => realFiles.allocate(path, bytes),
  open: async (path) => fileOf(await descriptor(path, constants.O_WRONLY)),
};

/** `late-intent`: says "durable" at once and writes a little later. */
export const lateFiles: JournalFiles = {
  allocate: (path, bytes) => realFiles.allocate(path, bytes),
  async open(path) {
    const file = await realFiles.open(path);
    return {
      close: () => file.close(),
      commit(bytes, length, position, done) {
        const copy = Buffer.from(bytes.subarray(0, length));
        setTimeout(() => file.commit(copy, length, position, () => {}), LATE_MS);
        setImmediate(() => done(null));
      },
    };
  },
};
const LATE_MS = 500;

/** `bit-rot`: now and then what is written is not what was to be written. */
export function rottingFiles(random: () => number): JournalFiles {
  return {
    allocate: (path, bytes) => realFiles.allocate(path, bytes),
    async open(path) {
      const file = await realFiles.open(path);
      return {
        close: () => file.close(),
        commit(bytes, length, position, done) {
          const copy = Buffer.from(bytes.subarray(0, length));
          if (random() < ROTTEN) copy[length >> 1] = (copy[length >> 1] ?? 0) ^ 1;
          file.commit(copy, length, position, done);
        },
      };
    },
  };
}
const ROTTEN = 0.05;

/**
 * A disk with a cache of its own, for machines without loop mounts: what was not synced is in this process' memory, and goes with it. A
 * sync writes its sectors in any order, so that a cut in the middle leaves a torn batch. With `lies` it says "durable" before it has begun.
 */
export function droppingFiles(lies: boolean, random: () => number): JournalFiles {
  return {
    allocate: (path, bytes) => realFiles.allocate(path, bytes),
    async open(path) {
      const fd = await descriptor(path, constants.O_WRONLY);
      return {
        close: () => new Promise((resolve) => setImmediate(resolve)),
        commit(bytes, length, position, done) {
          const copy = Buffer.from(bytes.subarray(0, length));
          const sync = (then: (error: Error | null) => void): void => writeSectors(fd, copy, position, random, then);
          if (!lies) return sync(done);
          setTimeout(() => sync(() => {}), WRITE_BACK_MS);
          setImmediate(() => done(null));
        },
      };
    },
  };
}
const WRITE_BACK_MS = 5_000;
const SECTOR = 512;

function writeSectors(fd: number, bytes: Buffer, position: number, random: () => number, done: (error: Error | null) => void): void {
  const sectors: [from: number, to: number][] = [];
  for (let at = 0; at < bytes.length; ) {
    const to = Math.min(bytes.length, at + SECTOR - ((position + at) % SECTOR));
    sectors.splice(Math.floor(random() * (sectors.length + 1)), 0, [at, to]);
    at = to;
  }
  const step = (): void => {
    const next = sectors.pop();
    if (next === undefined) return done(null);
    write(fd, bytes, next[0], next[1] - next[0], position + next[0], (error) => (error ? done(error) : step()));
  };
  step();
}

function errno(fault: string): Error {
  return Object.assign(new Error(`${fault.toUpperCase()}: made by test/chaos`), { code: fault.toUpperCase() });
}
