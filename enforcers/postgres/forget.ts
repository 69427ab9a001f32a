/** DEALLOCATE and CLOSE name what the protocol prepared; at the target it has a private name (P9). The facts have said that it is one of the two. */
import type { PrivateNames } from './namespace.ts';

export interface Forget {
  readonly of: 'prepared' | 'portal';
  /** null: ALL. */
  readonly name: string | null;
}

/** One command, one name, no comments: anything else is not supported. */
const FORM = /^\s*(?:(deallocate)(?:\s+prepare)?|close)\s+("(?:[^"\0]|"")+"|[a-z_][a-z0-9_$]*)\s*;?\s*$/i;

export function readForget(text: Uint8Array): Forget | null {
  const match = FORM.exec(Buffer.from(text).toString());
  if (match === null) return null;
  const spelled = match[2] as string;
  const of = match[1] === undefined ? 'portal' : 'prepared';
  if (spelled.startsWith('"')) return { of, name: spelled.slice(1, -1).replaceAll('""', '"') };
  const name = spelled.toLowerCase();
  return { of, name: name === 'all' ? null : name };
}

export function forgetText(what: Forget, names: PrivateNames): Uint8Array {
  const quoted = `"${names.of(what.name ?? '').replaceAll('"', '""')}"`;
  return Buffer.from(`${what.of === 'prepared' ? 'DEALLOCATE' : 'CLOSE'} ${quoted}`);
}
