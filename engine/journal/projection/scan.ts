/**
 * Rows found by their terms, newest first. The index is read in windows of rows, the newest first, so that a scan that finds little can be
 * ended between two of them: SQLite itself cannot be interrupted from here.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { InterlockError } from '#schemas/errors';
import { BLOCK_ROWS } from './tables.ts';

const WINDOW_ROWS = 65_536;
const WINDOW_ROWS_MAX = 524_288;

export interface Wanted {
  readonly table: 'statement' | 'session';
  /** An expression of FTS5; null: every row. */
  readonly match: string | null;
  /** Words by their beginnings are gathered once for each window: then one is better than many. */
  readonly whole: boolean;
  /** Further conditions on `row` and `session`, with their values. */
  readonly where: readonly string[];
  readonly values: readonly SQLInputValue[];
  readonly since: number | null;
  readonly until: number | null;
}

export class Scan {
  readonly #database: DatabaseSync;
  readonly #wanted: Wanted;
  readonly #deadline: number;
  readonly #range: { readonly low: number; readonly high: number };

  /** @param deadline on the clock of `performance.now()` */
  constructor(database: DatabaseSync, wanted: Wanted, deadline: number) {
    this.#database = database;
    this.#wanted = wanted;
    this.#deadline = deadline;
    this.#range = this.#bounds();
  }

  /** Numbers of at most `max` rows below `before`, the newest first. @throws InterlockError PROJECTION_SLOW */
  ids(before: number | null, max: number): readonly number[] {
    const ids: number[] = [];
    const statement = this.#database.prepare(`SELECT ${this.#id} AS id ${this.#from()} ORDER BY ${this.#id} DESC LIMIT ?`);
    statement.setReturnArrays(true);
    for (const { low, high } of this.#windows(before)) {
      for (const [id] of statement.all(...this.#values(low, high), max - ids.length) as unknown as [number][]) ids.push(id);
      if (ids.length >= max) break;
    }
    return ids;
  }

  get #id(): string {
    return this.#wanted.match === null ? 'row.id' : 'found.rowid';
  }

  #from(): string {
    const { table, match, where, since, until } = this.#wanted;
    const timed = [...(since === null ? [] : ['row.time >= ?']), ...(until === null ? [] : ['row.time < ?'])];
    const conditions = [...timed, ...where];
    const joins = [];
    if (match === null) joins.push(`FROM ${table} AS row`);
    else {
      joins.push(`FROM ${table}_terms AS found`);
      if (conditions.length > 0) joins.push(`CROSS JOIN ${table} AS row ON row.id = found.rowid`);
    }
    if (table === 'statement' && where.length > 0) joins.push('CROSS JOIN session ON session.id = row.session');
    const found = match === null ? [] : [`found.${table}_terms MATCH ?`];
    return `${joins.join(' ')} WHERE ${[...found, `${this.#id} BETWEEN ? AND ?`, ...conditions].join(' AND ')}`;
  }

  #values(low: number, high: number): SQLInputValue[] {
    const { match, values, since, until } = this.#wanted;
    return [...(match === null ? [] : [match]), low, high, ...(since === null ? [] : [since]), ...(until === null ? [] : [until]), ...values];
  }

  *#windows(before: number | null): Generator<{ readonly low: number; readonly high: number }> {
    let high = before === null ? this.#range.high : Math.min(this.#range.high, before - 1);
    const first = this.#wanted.whole ? Number.MAX_SAFE_INTEGER : WINDOW_ROWS;
    for (let rows = first; high >= this.#range.low; rows = Math.min(rows * 2, WINDOW_ROWS_MAX)) {
      const low = Math.max(this.#range.low, high - rows + 1);
      yield { low, high };
      if (performance.now() > this.#deadline) throw new InterlockError('PROJECTION_SLOW', 'the search took too long');
      high = low - 1;
    }
  }

  /** The rows that a time can be in, by their blocks. */
  #bounds(): { low: number; high: number } {
    const { table, since, until } = this.#wanted;
    const one = (sql: string, ...values: number[]): number | null => this.#database.prepare(sql).get(...values)?.['found'] as number | null;
    const last = one(`SELECT max(id) AS found FROM ${table}`) ?? 0;
    const first = since === null ? 0 : one(`SELECT min(block) AS found FROM ${table}_block WHERE last >= ?`, since);
    const end = until === null ? Math.floor(last / BLOCK_ROWS) : one(`SELECT max(block) AS found FROM ${table}_block WHERE first < ?`, until);
    if (first === null || end === null) return { low: 1, high: 0 };
    return { low: Math.max(1, first * BLOCK_ROWS), high: Math.min(last, end * BLOCK_ROWS + BLOCK_ROWS - 1) };
  }
}
