/** Errors on the wire: code, message and hint of ours as JSON. Whatever else was thrown stays here. */
import { ERRORS, type ErrorCode, InterlockError } from '#schemas/errors';
import type { PeerKind } from './parts.ts';

const CHARS_MAX = 4_000;

export function encodeTrouble({ code, message, hint }: InterlockError): Buffer {
  const cut = (text: string): string => text.slice(0, CHARS_MAX);
  return Buffer.from(JSON.stringify({ code, message: cut(message), ...(hint === undefined ? {} : { hint: cut(hint) }) }));
}

/** Never throws: what cannot be read is INTERNAL. */
export function decodeTrouble(bytes: Uint8Array): InterlockError {
  try {
    const { code, message, hint } = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>;
    if (typeof code === 'string' && Object.hasOwn(ERRORS, code) && typeof message === 'string') {
      const options = typeof hint === 'string' ? { hint: hint.slice(0, CHARS_MAX) } : {};
      return new InterlockError(code as ErrorCode, message.slice(0, CHARS_MAX), options);
    }
  } catch {
    // told below
  }
  return new InterlockError('INTERNAL', 'the other end failed in a way that cannot be read');
}

/** That the other end cannot be had. */
export function unavailable(peer: PeerKind, message: string, cause?: unknown): InterlockError {
  return new InterlockError(peer === 'engine' ? 'ENGINE_UNAVAILABLE' : 'ENFORCER_UNAVAILABLE', message, cause === undefined ? {} : { cause });
}

/** Of an unknown throw: ours as it is, else its words for our own log and ours for everybody. */
export function troubleOf(error: unknown, otherwise: (error: unknown) => InterlockError): InterlockError {
  return error instanceof InterlockError ? error : otherwise(error);
}
