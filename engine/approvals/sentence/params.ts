import type { Payload } from '#client/journal';
import { literal } from './words.ts';

/** Told without quotes. */
const NUMBERS = new Set(['int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'numeric', 'bool']);
const PARAMS_MAX = 1_000;

/** The enforcer writes parameters as a JSON list of `Param` (or of texts and nulls): `$1` → `42`, `'new'`, `null`. */
export function paramWords(params: Payload | null): ReadonlyMap<string, string> {
  const list = params === null ? null : parsed(Buffer.from(params.bytes).toString());
  if (!Array.isArray(list)) return new Map();
  return new Map(list.slice(0, PARAMS_MAX).map((param, index) => [`$${index + 1}`, said(param)]));
}

function said(param: unknown): string {
  if (param === null) return 'null';
  if (typeof param === 'string') return literal(param);
  if (typeof param !== 'object' || !('value' in param)) return 'not known';
  const { value } = param;
  if (value === null) return 'null';
  if (typeof value !== 'string') return 'not known';
  if ('encoding' in param && param.encoding === 'base64') return `binary ${literal(Buffer.from(value, 'base64').toString('hex'))}`;
  const isNumber = 'type' in param && typeof param.type === 'string' && NUMBERS.has(param.type) && /^-?[\w.+]{1,40}$/.test(value);
  return isNumber ? value : literal(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // shown as bytes by the view
  }
}
