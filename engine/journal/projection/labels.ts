/** Texts that many rows share, stored once: by value while they are remembered, and again after that. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';

const REMEMBERED_MAX = 20_000;
/** Characters of them together. */
const REMEMBERED_CHARS_MAX = 4 << 20;

export class Labels {
  readonly #insert: StatementSync;
  readonly #known = new Map<string, number>();
  #chars = 0;
  #next: number;

  constructor(database: DatabaseSync, table: 'label' | 'text') {
    this.#insert = database.prepare(`INSERT INTO ${table} VALUES (?, ?)`);
    this.#next = Number(database.prepare(`SELECT max(id) AS last FROM ${table}`).get()?.['last'] ?? 0) + 1;
  }

  id(text: string): number {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const id = this.#next++;
    this.#insert.run(id, text);
    this.#chars += text.length;
    if (this.#known.size >= REMEMBERED_MAX || this.#chars > REMEMBERED_CHARS_MAX) {
      this.#known.clear();
      this.#chars = text.length;
    }
    this.#known.set(text, id);
    return id;
  }
}
