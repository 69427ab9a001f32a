/** Data documents: YAML or JSON objects that are merged into Rego's `data`. */
import { LineCounter, parseDocument } from 'yaml';
import { InterlockError } from '#schemas/errors';

type Data = Readonly<Record<string, unknown>>;

/** Rules live there; data of the same name would hide or be hidden. */
const RESERVED = ['policies', 'interlock', 'approvers'];
const DEPTH_MAX = 64;

/** @throws InterlockError POLICY_BUILD with file and line */
export function readDocument(path: string, text: string): Data {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: '1.2' });
  const [error] = document.errors;
  if (error) throw new InterlockError('POLICY_BUILD', `${path}:${lines.linePos(error.pos[0]).line}: ${error.message.split('\n')[0] ?? ''}`);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new InterlockError('POLICY_BUILD', `${path}: ${(cause as Error).message}`, { cause });
  }
  if (value === null || value === undefined) return {};
  if (!isObject(value)) throw new InterlockError('POLICY_BUILD', `${path}: a data document is an object at its top; found ${typeName(value)}`);
  check(path, value, '', 0);
  for (const key of RESERVED) {
    if (Object.hasOwn(value, key)) throw new InterlockError('POLICY_BUILD', `${path}: data must not have the key "${key}": rules live there`);
  }
  return value;
}

/** Objects merge; where both have another value at the same place, the later document wins (`override`) or it is a mistake (`refuse`). */
export function mergeData(base: Data, over: Data, path: string, clash: 'override' | 'refuse', at: string = ''): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    const here = at === '' ? key : `${at}.${key}`;
    if (!Object.hasOwn(merged, key)) merged[key] = value;
    else if (isObject(before) && isObject(value)) merged[key] = mergeData(before, value, path, clash, here);
    else if (clash === 'override') merged[key] = value;
    else if (JSON.stringify(before) !== JSON.stringify(value)) {
      throw new InterlockError('POLICY_BUILD', `${path}: data.${here} is already set to another value by another document`);
    }
  }
  return merged;
}

/** JSON is all that policies see: no dates, no maps, nothing that copying could turn into a prototype. */
function check(path: string, value: unknown, at: string, depth: number): void {
  if (depth > DEPTH_MAX) throw new InterlockError('POLICY_BUILD', `${path}: data${at} is nested deeper than ${DEPTH_MAX}`);
  if (typeof value === 'string' && !value.isWellFormed()) throw new InterlockError('POLICY_BUILD', `${path}: data${at} is not well-formed text`);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new InterlockError('POLICY_BUILD', `${path}: data${at} is not a JSON number`);
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new InterlockError('POLICY_BUILD', `${path}: data${at} is beyond 2^53: write it as a string`);
  }
  if (Array.isArray(value)) for (const [index, item] of value.entries()) check(path, item, `${at}[${index}]`, depth + 1);
  else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      if (key === '__proto__') throw new InterlockError('POLICY_BUILD', `${path}: data${at} has the key "__proto__"`);
      check(path, item, `${at}.${key}`, depth + 1);
    }
  } else if (value !== null && !['string', 'number', 'boolean'].includes(typeof value)) {
    throw new InterlockError('POLICY_BUILD', `${path}: data${at} is ${typeName(value)}, which JSON does not have`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && Object.getPrototypeOf(value) === Object.prototype;
}

function typeName(value: unknown): string {
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}
