/** Bodies of the API: JSON that everybody reads alike. */
import { JSON_BOUNDS, type JsonBounds, parseStrictJson } from '#client/strict-json';
import { InterlockError } from '#schemas/errors';

const BODY: JsonBounds = { ...JSON_BOUNDS, keys: 'same', numbers: 'any' };

/** @throws InterlockError USAGE */
export function readJsonBody(bytes: Uint8Array, bounds: Partial<JsonBounds> = {}): unknown {
  const read = parseStrictJson(bytes, { ...BODY, ...bounds });
  if (read.ok) return read.value;
  throw new InterlockError('USAGE', `the body cannot be used: ${read.detail}`);
}
