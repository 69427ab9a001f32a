/** The few node types of libpg_query's JSON that masking looks at by name. Zero values are left out; `{"X": {…}}` wraps where the type may vary. */
import type { Fields } from '../parser.ts';

export interface Alias {
  readonly aliasname: string;
  readonly colnames?: readonly unknown[];
}

export interface RangeVar {
  readonly catalogname?: string;
  readonly schemaname?: string;
  readonly relname: string;
  /** absent: ONLY */
  readonly inh?: true;
  readonly relpersistence: string;
  readonly alias?: Alias;
  readonly location?: number;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The one key and the fields of a wrapped node. */
export function unwrap(value: unknown): readonly [string, Fields] | null {
  if (!isFields(value)) return null;
  const keys = Object.keys(value);
  const [key] = keys;
  if (keys.length !== 1 || key === undefined) return null;
  const fields = value[key];
  return isFields(fields) && key.charCodeAt(0) >= 65 && key.charCodeAt(0) <= 90 ? [key, fields] : null;
}

/** A field that holds text; absent is empty. */
export function textOf(fields: Fields | undefined, key: string): string {
  const value = fields?.[key];
  return typeof value === 'string' ? value : '';
}

/** The text of a String node. */
export function stringOf(value: unknown): string | null {
  const node = unwrap(value);
  return node?.[0] === 'String' ? textOf(node[1], 'sval') : null;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Any RangeVar has both; no other node does. */
export function isRangeVar(value: unknown): value is RangeVar & Fields {
  return isFields(value) && typeof value['relname'] === 'string' && typeof value['relpersistence'] === 'string';
}

/** `a.b.c` of a ColumnRef, `*` for a star. */
export function columnParts(fields: Fields): readonly ColumnPart[] {
  return list(fields['fields']).map((field) => stringOf(field) ?? STAR);
}
export const STAR = Symbol('*');
export type ColumnPart = string | typeof STAR;
