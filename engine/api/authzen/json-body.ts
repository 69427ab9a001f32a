/** A body that everybody reads alike: no key twice, no depth that recursion would not stand, no number that reading would change (I-JSON, RFC 7493). */
import { InterlockError } from '#schemas/errors';
import { parseStrictJson } from '../json.ts';
import { AUTHZEN_LIMITS } from './limits.ts';

/** @throws InterlockError USAGE */
export function readJson(bytes: Uint8Array): unknown {
  checkDepth(bytes);
  const value = parseStrictJson(bytes);
  checkNumbers(new TextDecoder().decode(bytes));
  return value;
}

/** Brackets outside strings, before anything recurses into them. */
function checkDepth(bytes: Uint8Array): void {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inText) {
      if (byte === 0x5c) at += 1;
      else if (byte === 0x22) inText = false;
    } else if (byte === 0x22) inText = true;
    else if (byte === 0x7b || byte === 0x5b) depth += 1;
    else if (byte === 0x7d || byte === 0x5d) depth -= 1;
    if (depth > AUTHZEN_LIMITS.depth) throw new InterlockError('USAGE', `the body is nested deeper than ${AUTHZEN_LIMITS.depth}`);
  }
}

/** The text is known to be JSON: what is approved is the number that was sent, not its neighbour. */
function checkNumbers(text: string): void {
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g)) {
    if (token.startsWith('"')) continue;
    const value = Number(token);
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
      throw new InterlockError('USAGE', `the number ${token.slice(0, 40)} is too large to be read exactly: send it as a text`);
  }
}
