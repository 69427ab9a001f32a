/** The first and last time in every block of rows, so that a time is found though the clock may have jumped. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { BLOCK_ROWS } from './tables.ts';

export class Blocks {
  readonly #write: StatementSync;
  readonly #changed = new Map<number, { first: number; last: number }>();

  constructor(database: DatabaseSync, table: 'statement_block' | 'session_block') {
    this.#write = database.prepare(
      `INSERT INTO ${table} VALUES (?, ?, ?) ON CONFLICT (block) DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)`,
    );
  }

  add(id: number, time: number): void {
    const block = Math.floor(id / BLOCK_ROWS);
    const known = this.#changed.get(block);
    if (known === undefined) this.#changed.set(block, { first: time, last: time });
    else {
      known.first = Math.min(known.first, time);
      known.last = Math.max(known.last, time);
    }
  }

  write(): void {
    for (const [block, { first, last }] of this.#changed) this.#write.run(block, first, last);
    this.#changed.clear();
  }
}
