/** What the names of a statement mean at its target, as whoever decides about it must know, and as it must still be when it runs (SECURITY A2, A3). */
import type { DraftEstimate } from '#client/approvals';

export interface Survey {
  /** One line for each object: readable, complete, sorted. They are bound to the approval. */
  readonly objects: readonly string[];
  /** Only of a survey that is made to ask. */
  readonly estimate: DraftEstimate | null;
  /** What is locked while the statement runs, as the protocol spells both. */
  readonly locks: readonly Lock[];
}

export interface Lock {
  readonly object: string;
  readonly mode: string;
}

/** Nothing to look up: the names say all. */
export const NO_SURVEY: Survey = { objects: [], estimate: null, locks: [] };

/** In how many words a difference is said: the rest is counted. */
const NAMED_MAX = 2;

/** What is other than it was approved, in words; null: nothing. */
export function difference(approved: readonly string[], found: readonly string[]): string | null {
  const gone = approved.filter((line) => !found.includes(line));
  const came = found.filter((line) => !approved.includes(line));
  if (gone.length === 0 && came.length === 0) return null;
  if (gone.length === 0) return `not there when it was approved: ${listed(came)}`;
  if (came.length === 0) return `approved with ${listed(gone)}, which is not there now`;
  return `approved with ${listed(gone)}; now it is ${listed(came)}`;
}

function listed(lines: readonly string[]): string {
  const named = lines.slice(0, NAMED_MAX).join(', ');
  return lines.length <= NAMED_MAX ? named : `${named} and ${lines.length - NAMED_MAX} more`;
}
