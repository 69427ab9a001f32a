/** Bind parameters as they come in JSON: texts, numbers, booleans, nulls, or `{type, value}`. */
import { InterlockError } from '#schemas/errors';
import type { Param } from '#schemas/sql-facts';
import { AUTHZEN_LIMITS } from './limits.ts';

/** @throws InterlockError USAGE */
export function readParams(value: unknown): readonly Param[] {
  if (!Array.isArray(value) || value.length > AUTHZEN_LIMITS.params)
    throw new InterlockError('USAGE', `\`context.statement.params\` is not a list of at most ${AUTHZEN_LIMITS.params}`);
  return value.map((one: unknown, at) => param(one, at + 1));
}

/** In the text format, as drivers send them; `unknown` where no type is given. */
function param(given: unknown, index: number): Param {
  const {
    type = 'unknown',
    value = null,
    ...rest
  } = typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : { value: given };
  const plain = value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  if (!plain || typeof type !== 'string' || Object.keys(rest).length > 0)
    throw new InterlockError('USAGE', `parameter ${index} is not a text, number, boolean, null or {type, value}`);
  return { index, type, value: value === null ? null : String(value), encoding: 'text', flows_to_code: false };
}
