/** What an approved write answered, kept from the client until it is known what becomes of it. */
import { LIMITS } from '#enforcers/common/limits';
import { B } from './protocol.ts';
import type { Sink } from './replies.ts';

const HEADER = 5;

export class Withheld implements Sink {
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #spill: ((bytes: Uint8Array) => void) | null = null;
  /** More came than is kept: what is here is not whole. */
  overflown = false;

  write(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (!this.overflown) this.#pieces.push(bytes);
    if (this.#bytes <= LIMITS.withheldBytes) return;
    if (this.#spill === null) {
      this.overflown = true;
      this.#pieces = [];
      return;
    }
    for (const piece of this.#pieces) this.#spill(piece);
    this.#pieces = [];
  }

  /** From here on what is too much to be kept goes there, and all behind it: it has been counted. */
  spillTo(spill: (bytes: Uint8Array) => void): void {
    this.#spill = spill;
  }

  /** Everything that is kept, whole messages; it is kept no longer. */
  take(): Buffer {
    const all = Buffer.concat(this.#pieces);
    this.drop();
    return all;
  }

  drop(): void {
    this.#pieces = [];
    this.#bytes = 0;
    this.#spill = null;
    this.overflown = false;
  }

  /** Rows that the commands so far say they wrote: `UPDATE 3`, `INSERT 0 1`. */
  get written(): number {
    const all = Buffer.concat(this.#pieces);
    let rows = 0;
    for (let at = 0; at + HEADER <= all.length; at += all.readInt32BE(at + 1) + 1) {
      if (all[at] !== B.commandComplete) continue;
      const tag = all.toString('latin1', at + HEADER, at + all.readInt32BE(at + 1));
      const [, count] = WRITTEN.exec(tag) ?? [];
      rows += Number(count ?? 0);
    }
    return rows;
  }
}

const WRITTEN = /^(?:INSERT \d+|UPDATE|DELETE|MERGE) (\d+)$/;
