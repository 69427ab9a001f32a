/**
 * What the archive acknowledged last, noted beside the journal (`archived`, JSON): after a restart it shows whether the archive still has what it
 * said it had. A hint, not a proof: the place to go on from is always asked of the archive.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Position } from '#client/journal';
import type { Log } from '#client/log';
import { LIMITS } from './limits.ts';

export interface Acked {
  readonly position: Position;
  /** Where it ends. */
  readonly segment: number;
  readonly offset: number;
}

export const ACKED_FILE = 'archived';

export class AckedNote {
  readonly #path: string;
  readonly #log: Log;
  #newest: Acked | null = null;
  #written: Position = -1;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();

  constructor(dir: string, log: Log) {
    this.#path = join(dir, ACKED_FILE);
    this.#log = log;
  }

  /** The newest that is known; null: none was ever noted. */
  async read(): Promise<Acked | null> {
    if (this.#newest !== null) return this.#newest;
    const text = await readFile(this.#path, 'utf8').catch(() => ''); // none yet, or unreadable: a hint less
    const match = /^\{"position":(\d{1,16}),"segment":(\d{1,9}),"offset":(\d{1,10})\}/.exec(text);
    if (match) this.#newest = { position: Number(match[1]), segment: Number(match[2]), offset: Number(match[3]) };
    this.#written = this.#newest?.position ?? -1;
    return this.#newest;
  }

  /** Written soon. What is older than the newest known changes nothing. */
  newest(acked: Acked): void {
    if (this.#newest !== null && acked.position <= this.#newest.position) return;
    this.#newest = acked;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#write();
    }, LIMITS.noteEveryMs);
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#write();
    await this.#writing;
  }

  /** By rename: a reader sees the old one or the new one. */
  #write(): void {
    const acked = this.#newest;
    if (acked === null || acked.position <= this.#written) return;
    this.#written = acked.position;
    const { position, segment, offset } = acked;
    this.#writing = this.#writing
      .then(() => writeFile(`${this.#path}.new`, `${JSON.stringify({ position, segment, offset })}\n`, { mode: 0o600 }))
      .then(() => rename(`${this.#path}.new`, this.#path))
      .catch((error: unknown) => this.#log.warn({ reason: String(error) }, 'what the archive acknowledged could not be noted'));
  }
}
