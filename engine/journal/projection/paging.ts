/** Pages in the order of rows: cursors, limits, times; and how many there are. */
import { InterlockError } from '#schemas/errors';

export const PAGE_MAX = 200;
/** So many are counted at most. */
export const COUNTED_MAX = 10_000;

export interface Page<T> {
  items: T[];
  next: string | null;
  total: number;
}

/** Which list a cursor is of: another list's is none. */
export type Listing = 'sessions' | 'search' | 'timeline';

/** Says no more than a row's number: what may be read is decided anew with each page. */
export function cursorOf(listing: Listing, id: number): string {
  return Buffer.from(`${listing} ${id}`).toString('base64url');
}

/** @throws InterlockError USAGE */
export function readCursor(listing: Listing, cursor: string | undefined): number | null {
  if (cursor === undefined) return null;
  const [, of, id] = /^([a-z]+) ([1-9][0-9]{0,14})$/.exec(Buffer.from(cursor.slice(0, 100), 'base64url').toString('latin1')) ?? [];
  if (of !== listing || id === undefined) throw new InterlockError('USAGE', '`cursor` must be the `next` of a page of this list');
  return Number(id);
}

/** @throws InterlockError USAGE */
export function checkLimit(limit: number): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_MAX) throw new InterlockError('USAGE', `\`limit\` must be 1 to ${PAGE_MAX}`);
  return limit;
}

const INSTANT = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?)?$/i;

/** RFC 3339 → microseconds since the epoch; a day is its beginning, without a zone it is UTC. @throws InterlockError USAGE */
export function readInstant(name: string, text: string): number {
  const [, day, clock = '00:00', fraction = '', zone = 'Z'] = INSTANT.exec(text) ?? [];
  const ms = day === undefined ? Number.NaN : Date.parse(`${day}T${clock.length === 5 ? `${clock}:00` : clock}${zone.toUpperCase()}`);
  if (Number.isNaN(ms)) throw new InterlockError('USAGE', `\`${name}\` must be a time such as 2026-11-23T10:00:00Z`);
  return ms * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}
