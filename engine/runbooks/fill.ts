/** A runbook with its values: what is asked of the target. Values are checked first, and bound; nothing is ever pasted into SQL. */
import { InterlockError } from '#schemas/errors';
import { holeIn, sqlPieces } from './holes.ts';
import type { Parameter, Runbook } from './runbook.ts';

export type Value = string | number | boolean;

export type Filled =
  | { readonly kind: 'sql'; readonly statement: string; readonly params: readonly string[]; readonly database: string | null }
  | {
      readonly kind: 'http';
      readonly method: string;
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string | null;
    };

/** @param given as it was written (texts) or as JSON. @throws InterlockError RUNBOOK_VALUE */
export function fill(runbook: Runbook, given: Readonly<Record<string, unknown>>): Filled {
  const { parameters = {}, statement, http, database = null } = runbook;
  const stranger = Object.keys(given).find((name) => !Object.hasOwn(parameters, name));
  if (stranger !== undefined)
    throw new InterlockError(
      'RUNBOOK_VALUE',
      `${runbook.name} has no parameter \`${stranger}\`; it has: ${Object.keys(parameters).join(', ') || 'none'}`,
    );
  const values = new Map(
    Object.entries(parameters).map(([name, parameter]) => [name, checked(name, parameter, Object.hasOwn(given, name) ? given[name] : undefined)]),
  );
  if (statement !== undefined) return { kind: 'sql', ...bound(statement, values), database };
  const { method = 'GET', path = '/', headers = {}, body } = http ?? {};
  const filled = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(leaf(value, values))] as const);
  const json = body === undefined ? null : JSON.stringify(leaf(body, values));
  const typed = json === null || filled.some(([name]) => name === 'content-type') ? [] : [['content-type', 'application/json'] as const];
  return { kind: 'http', method, path: pathOf(path, values), headers: Object.fromEntries([...filled, ...typed]), body: json };
}

type Values = ReadonlyMap<string, Value>;

/** The same parameter twice is one parameter of the protocol. */
function bound(statement: string, values: Values): { readonly statement: string; readonly params: readonly string[] } {
  const pieces = sqlPieces(statement);
  if (typeof pieces === 'string') throw new InterlockError('RUNBOOK_INVALID', pieces);
  const order = [...new Set(pieces.filter(({ hole }) => hole).map(({ text }) => text))];
  const text = pieces.map(({ text: piece, hole }) => (hole ? `$${order.indexOf(piece) + 1}` : piece)).join('');
  return { statement: text, params: order.map((name) => String(values.get(name))) };
}

/** Segments and values of the query are encoded: none can become two. */
function pathOf(path: string, values: Values): string {
  return path.replaceAll(/\{\{\s*([a-z][a-z0-9_]{0,62})\s*\}\}/g, (_hole, name: string) => {
    const value = String(values.get(name));
    if (value === '.' || value === '..' || value === '')
      throw new InterlockError('RUNBOOK_VALUE', `\`${name}\` cannot be a part of a path: '${value}'`);
    return encodeURIComponent(value).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  });
}

function leaf(value: unknown, values: Values): unknown {
  if (typeof value === 'string') {
    const name = holeIn(value);
    return name === null ? value : values.get(name);
  }
  if (Array.isArray(value)) return value.map((item: unknown) => leaf(item, values));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, leaf(item, values)]));
}

function checked(name: string, parameter: Parameter, given: unknown): Value {
  const value = given ?? parameter.default;
  if (value === undefined) throw new InterlockError('RUNBOOK_VALUE', `\`${name}\` is missing: ${described(parameter)}`);
  const read = READ[parameter.type](value);
  if (read === null || !fits(parameter, read)) {
    throw new InterlockError('RUNBOOK_VALUE', `\`${name}\` is ${JSON.stringify(value)?.slice(0, 80) ?? 'nothing'}; allowed: ${described(parameter)}`);
  }
  return read;
}

const READ: Readonly<Record<Parameter['type'], (value: unknown) => Value | null>> = {
  text: (value) => (typeof value === 'string' && !value.includes('\0') && value.isWellFormed() ? value : null),
  integer: (value) => number(value, /^[+-]?\d{1,15}$/, Number.isSafeInteger),
  number: (value) => number(value, /^[+-]?\d{1,15}(\.\d{1,15})?$/, Number.isFinite),
  boolean: (value) => (value === true || value === 'true' ? true : value === false || value === 'false' ? false : null),
  date: (value) => (typeof value === 'string' && isDate(value) ? value : null),
  uuid: (value) => (typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value) ? value.toLowerCase() : null),
};

function number(value: unknown, form: RegExp, fine: (value: number) => boolean): number | null {
  const read = typeof value === 'number' ? value : typeof value === 'string' && form.test(value) ? Number(value) : Number.NaN;
  return fine(read) ? read : null;
}

function isDate(value: string): boolean {
  const time = /^\d{4}-\d\d-\d\d$/.test(value) ? Date.parse(`${value}T00:00:00Z`) : Number.NaN;
  return Number.isFinite(time) && new Date(time).toISOString().startsWith(value);
}

function fits({ min = -Infinity, max = Infinity, one_of: choices }: Parameter, value: Value): boolean {
  if (choices !== undefined && !choices.some((choice) => choice === value)) return false;
  const size = typeof value === 'number' ? value : typeof value === 'string' ? Array.from(value).length : 0;
  return typeof value === 'boolean' || (size >= min && size <= max);
}

/** `an integer from 1 to 100` */
export function described({ type, min, max, one_of: choices, description }: Parameter): string {
  const range = [min === undefined ? '' : ` from ${min}`, max === undefined ? '' : ` to ${max}`].join('');
  const unit = type === 'text' && range !== '' ? ' characters' : '';
  const said = choices === undefined ? `${type}${range}${unit}` : `one of ${choices.join(', ')}`;
  return description === undefined ? said : `${said} (${description})`;
}
