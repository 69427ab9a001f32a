/** What a body or a query may hold: named fields, each of one form, nothing else. */
import { InterlockError } from '#schemas/errors';
import { LIMITS } from './limits.ts';

export interface Field<T> {
  /** For the error: `text of at most 4000 characters`. */
  readonly says: string;
  readonly optional: boolean;
  /** undefined: it does not fit. */
  readonly read: (value: unknown) => T | undefined;
}
type Fields = Readonly<Record<string, Field<unknown>>>;
export type Read<F extends Fields> = { readonly [K in keyof F as F[K] extends Optional<unknown> ? never : K]: Value<F[K]> } & {
  readonly [K in keyof F as F[K] extends Optional<unknown> ? K : never]?: Value<F[K]>;
};
type Value<F> = F extends Field<infer T> ? T : never;
interface Optional<T> extends Field<T> {
  readonly optional: true;
}
interface Needed<T> extends Field<T> {
  readonly optional: false;
}

/** @throws InterlockError USAGE */
export function readBody<const F extends Fields>(body: unknown, fields: F): Read<F> {
  const given: unknown = body ?? {};
  const form = `{${Object.entries(fields)
    .map(([name, field]) => `"${name}"${field.optional ? '?' : ''}: ${field.says}`)
    .join(', ')}}`;
  const wrong = (): InterlockError => new InterlockError('USAGE', `the body must be ${form}`);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw wrong();
  if (Object.keys(given).some((name) => !Object.hasOwn(fields, name))) throw wrong();
  return read(given as Record<string, unknown>, fields, wrong);
}

/** Each name at most once. @throws InterlockError USAGE */
export function readQuery<const F extends Fields>(query: URLSearchParams, fields: F): Read<F> {
  const given: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    const values = query.getAll(name);
    if (values.length > 1) throw new InterlockError('USAGE', `\`${name}\` stands in the query more than once`);
    // what is empty was left empty in a form
    if (values[0] !== undefined && values[0] !== '') given[name] = values[0];
  }
  return read(given, fields, (name) => new InterlockError('USAGE', `\`${name}\` must be ${fields[name]?.says ?? ''}`));
}

function read<const F extends Fields>(given: Readonly<Record<string, unknown>>, fields: F, wrong: (name: string) => InterlockError): Read<F> {
  const values: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined && field.optional) continue;
    const read = field.read(value);
    if (read === undefined) throw wrong(name);
    values[name] = read;
  }
  return values as Read<F>;
}

export function optional<T>(field: Field<T>): Optional<T> {
  return { ...field, optional: true };
}

export function text(charsMax: number): Needed<string> {
  return {
    says: `text of 1 to ${charsMax} characters`,
    optional: false,
    read: (value) => (typeof value === 'string' && value.trim() !== '' && value.length <= charsMax ? value : undefined),
  };
}

export function oneOf<const V extends string>(...values: readonly V[]): Needed<V> {
  return {
    says: values.map((value) => `"${value}"`).join(' or '),
    optional: false,
    read: (value) => values.find((one) => one === value),
  };
}

export function matching(pattern: RegExp, says: string): Needed<string> {
  return { says, optional: false, read: (value) => (typeof value === 'string' && pattern.test(value) ? value : undefined) };
}

/** A whole number, as a query spells it. */
export function number(min: number, max: number): Needed<number> {
  const read = (value: unknown): number | undefined => {
    const found = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    return found >= min && found <= max ? found : undefined;
  };
  return { says: `a whole number from ${min} to ${max}`, optional: false, read };
}

/** A time as people and programs write it → the contract's own form: microseconds, UTC, so that times compare as text. */
export const instant: Needed<string> = {
  says: 'a time such as 2026-11-23T10:00:00Z',
  optional: false,
  read: (value) => {
    if (typeof value !== 'string' || value.length > 40) return undefined;
    const at = Date.parse(value);
    if (Number.isNaN(at)) return undefined;
    const fraction = /\.(\d{1,6})/.exec(value)?.[1] ?? '';
    return `${new Date(at).toISOString().slice(0, 19)}.${fraction.padEnd(6, '0')}Z`;
  },
};

export const words: Needed<string> = text(LIMITS.queryChars);
export const limit: Needed<number> = number(1, LIMITS.pageMax);
