/**
 * Rows found by their terms, newest first. The index is read in windows of rows, the newest first, so that a scan that finds little can be
 * ended between two of them: SQLite itself cannot be interrupted from here.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { InterlockError } from '#schemas/errors';
import { COUNTED_MAX } from './paging.ts';
import { BLOCK_ROWS } from './tables.ts';

const WINDOW_ROWS = 16_384;
const WINDOW_ROWS_MAX = 262_144;

export interface Wanted {
  readonly table: 'statement' | 'session';
  /** An expression of FTS5; null: every row. */
  readonly match: string | null;
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

  /** At most `limit` of those below `before`. @throws InterlockError PROJECTION_SLOW */
  rows<Row>(columns: string, before: number | null, limit: number): readonly Row[] {
    const rows: Row[] = [];
    const sql = `SELECT ${columns} ${this.#from(true)} ORDER BY ${this.#id} DESC LIMIT ?`;
    const statement = this.#database.prepare(sql);
    for (const { low, high } of this.#windows(before)) {
      rows.push(...(statement.all(...this.#values(low, high), limit - rows.length) as Row[]));
      if (rows.length >= limit) break;
    }
    return rows;
  }

  /** How many there are of all, counted to 10,000. @throws InterlockError PROJECTION_SLOW */
  count(): number {
    let counted = 0;
    const statement = this.#database.prepare(`SELECT count(*) AS found FROM (SELECT 1 ${this.#from(false)} ORDER BY ${this.#id} DESC LIMIT ?)`);
    for (const { low, high } of this.#windows(null)) {
      counted += Number(statement.get(...this.#values(low, high), COUNTED_MAX - counted)?.['found']);
      if (counted >= COUNTED_MAX) break;
    }
    return counted;
  }

  get #id(): string {
    return this.#wanted.match === null ? 'row.id' : 'found.rowid';
  }

  /** @param whole the columns of the rows are wanted, not their number alone */
  #from(whole: boolean): string {
    const { table, match, where, since, until } = this.#wanted;
    const timed = [...(since === null ? [] : ['row.time >= ?']), ...(until === null ? [] : ['row.time < ?'])];
    const conditions = [...timed, ...where];
    const joins = [];
    if (match === null) joins.push(`FROM ${table} AS row`);
    else {
      joins.push(`FROM ${table}_terms AS found`);
      if (whole || conditions.length > 0) joins.push(`CROSS JOIN ${table} AS row ON row.id = found.rowid`);
    }
    if (table === 'statement' && (whole || where.length > 0)) joins.push('CROSS JOIN session ON session.id = row.session');
    const found = match === null ? [] : [`found.${table}_terms MATCH ?`];
    return `${joins.join(' ')} WHERE ${[...found, `${this.#id} BETWEEN ? AND ?`, ...conditions].join(' AND ')}`;
  }

  #values(low: number, high: number): SQLInputValue[] {
    const { match, values, since, until } = this.#wanted;
    return [...(match === null ? [] : [match]), low, high, ...(since === null ? [] : [since]), ...(until === null ? [] : [until]), ...values];
  }

  *#windows(before: number | null): Generator<{ readonly low: number; readonly high: number }> {
    let high = before === null ? this.#range.high : Math.min(this.#range.high, before - 1);
    for (let rows = WINDOW_ROWS; high >= this.#range.low; rows = Math.min(rows * 2, WINDOW_ROWS_MAX)) {
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
