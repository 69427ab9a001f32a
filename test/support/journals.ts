/** Real journals in temporary folders, and a file layer that fails where a test says. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#client/clock';
import { openJournal, type FileJournal, type JournalOptions } from '#engine/journal/file-journal';
import { realFiles, type JournalFiles } from '#engine/journal/files';

export const KEY: KeyObject = generateKeyPairSync('ed25519').privateKey;
export const ORIGIN = 'interlock.test/journal';

/** RAM where there is some: thousands of small journals are written. */
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

export interface JournalFolder extends Disposable {
  readonly dir: string;
  open(options?: Partial<JournalOptions>): Promise<FileJournal>;
  /** Another folder with the same files as they stand now, without the lock. */
  copy(): JournalFolder;
}

export function journalFolder(): JournalFolder {
  const dir = mkdtempSync(join(base, 'interlock-journal-'));
  return {
    dir,
    open: (options) =>
      openJournal({
        dir,
        segmentBytes: 64 << 10,
        payloads: 'clear',
        checkpoint: { everyMs: 60_000, key: KEY, origin: ORIGIN },
        clock: systemClock,
        version: 'test',
        ...options,
      }),
    copy() {
      const other = journalFolder();
      cpSync(dir, other.dir, { recursive: true, filter: (path) => !path.endsWith('/lock') });
      return other;
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

export interface FaultyFiles extends JournalFiles {
  /** The next commit fails with this code, having written nothing. */
  failCommit(code: 'EIO' | 'ENOSPC'): void;
  failAllocate(code: 'ENOSPC' | 'EIO'): void;
  /** What was handed over to be written, in order. */
  readonly commits: readonly { readonly position: number; readonly bytes: Buffer }[];
  /** Commits wait until the returned function is called. */
  hold(): () => void;
}

export function faultyFiles(): FaultyFiles {
  let commitCode: string | null = null;
  let allocateCode: string | null = null;
  let held: (() => void)[] | null = null;
  const commits: { position: number; bytes: Buffer }[] = [];
  return {
    commits,
    failCommit: (code) => (commitCode = code),
    failAllocate: (code) => (allocateCode = code),
    hold: () => {
      const waiting: (() => void)[] = (held = []);
      return () => {
        held = null;
        for (const go of waiting) go();
      };
    },
    async allocate(path, bytes) {
      if (allocateCode) throw errno(allocateCode);
      await realFiles.allocate(path, bytes);
    },
    async open(path) {
      const file = await realFiles.open(path);
      return {
        commit(bytes, length, position, done) {
          commits.push({ position, bytes: Buffer.from(bytes.subarray(0, length)) });
          const go = (): void => {
            if (commitCode === null) return file.commit(bytes, length, position, done);
            const error = errno(commitCode);
            // once: whoever tries again would be told that all is well, as the kernel does
            commitCode = null;
            setImmediate(() => done(error));
          };
          if (held) held.push(go);
          else go();
        },
        close: () => file.close(),
      };
    },
  };
}

function errno(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}
