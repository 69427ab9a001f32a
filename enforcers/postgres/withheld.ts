/** What an approved write answered, kept from the client until it is known what becomes of it. */
import { LIMITS } from '#enforcers/common/limits';
import { B } from './protocol.ts';
import type { Sink } from './replies.ts';

const HEADER = 5;

export class Withheld implements Sink {
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** More came than is kept: what is here is not whole. */
  overflown = false;

  write(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes > LIMITS.withheldBytes) this.overflown = true;
    if (!this.overflown) this.#pieces.push(bytes);
  }

  /** Everything so far, whole messages; it is kept no longer. */
  take(): Buffer {
    const all = Buffer.concat(this.#pieces);
    this.drop();
    return all;
  }

  drop(): void {
    this.#pieces = [];
    this.#bytes = 0;
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
