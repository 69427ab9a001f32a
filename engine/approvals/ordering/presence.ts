/**
 * What an engine says of itself to the others, now and again: its name, its last change, what it left out, and what it asks. Who is asked something new answers
 * at once, so a word that answers the newest question is not an old one that somebody kept. What is none is nothing.
 */
import type { Claim, LeftOut } from './engines.ts';
import { LOG_LIMITS } from './limits.ts';

export interface Presence {
  readonly engine: string;
  readonly claim: Claim;
  readonly leftOut: LeftOut;
  readonly ask: string;
  /** By engine: what it asked last. */
  readonly heard: Readonly<Record<string, string>>;
}

const NAME_CHARS_MAX = 256;

export function encodePresence({ engine, claim, leftOut, ask, heard }: Presence): Uint8Array {
  return Buffer.from(JSON.stringify({ v: 1, engine, claim, left_out: leftOut, ask, heard }));
}

/** @param me of whom it is of interest what was heard */
export function decodePresence(body: Uint8Array, me: string): (Omit<Presence, 'heard'> & { readonly heard: string | null }) | null {
  try {
    const { v, engine, claim, left_out: left, ask, heard } = JSON.parse(Buffer.from(body).toString('utf8')) as Record<string, unknown>;
    if (v !== 1 || !isName(engine) || !isName(ask) || !isLeftOut(left)) return null;
    const mine = typeof heard === 'object' && heard !== null && Object.hasOwn(heard, me) ? (heard as Record<string, unknown>)[me] : null;
    const said = { engine, ask, heard: typeof mine === 'string' ? mine : null, leftOut: left };
    if (claim === null) return { ...said, claim };
    const { log, seq, change } = claim as Record<string, unknown>;
    if (typeof log !== 'string' || typeof seq !== 'number' || typeof change !== 'string') return null;
    return { ...said, claim: { log, seq, change } };
  } catch {
    return null;
  }
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= NAME_CHARS_MAX;
}

function isLeftOut(value: unknown): value is LeftOut {
  if (typeof value !== 'object' || value === null) return false;
  const { from, seqs } = value as Record<string, unknown>;
  return isSeq(from) && Array.isArray(seqs) && seqs.length <= LOG_LIMITS.leftOutMax && seqs.every(isSeq);
}

function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
