/** How many rows a statement touched, against what it was approved for. */

/** Rows written by table, as the server counts them: what triggers and foreign keys did is in it. */
export type Counts = Readonly<Record<string, number>>;

/** Answer to TOUCHED_SQL. @throws SyntaxError when it is something else */
export function countsOf(answer: string | null | undefined): Counts {
  return JSON.parse(answer ?? '{}') as Counts;
}

/**
 * What is too much, in words; null: nothing is. Both count: what the commands say they wrote together, and what any one table took. An audit
 * trigger that writes a row for each row stays within the ceiling; a DELETE that takes a thousand children along does not.
 */
export function tooMany(ceiling: number, written: number, before: Counts, after: Counts): string | null {
  if (written > ceiling) return `it touched ${rows(written)}, and it was approved for at most ${ceiling.toLocaleString('en')}`;
  for (const [table, count] of Object.entries(after)) {
    const own = count - (before[table] ?? 0);
    if (own > ceiling) return `it touched ${rows(own)} of ${table}, and it was approved for at most ${ceiling.toLocaleString('en')}`;
  }
  return null;
}

function rows(count: number): string {
  return `${count.toLocaleString('en')} row${count === 1 ? '' : 's'}`;
}
