/** What an engine says of itself to the others, now and again: its name, and its last change. A hint: what is none is nothing. */
import type { Claim } from './engines.ts';

export interface Presence {
  readonly engine: string;
  readonly claim: Claim;
  /** Asks everybody to say the same. */
  readonly who: boolean;
}

const NAME_CHARS_MAX = 256;

export function encodePresence({ engine, claim, who }: Presence): Uint8Array {
  return Buffer.from(JSON.stringify({ v: 1, engine, claim, ...(who && { who }) }));
}

export function decodePresence(body: Uint8Array): Presence | null {
  try {
    const { v, engine, claim, who } = JSON.parse(Buffer.from(body).toString('utf8')) as Record<string, unknown>;
    if (v !== 1 || typeof engine !== 'string' || engine.length > NAME_CHARS_MAX) return null;
    if (claim === null) return { engine, claim, who: who === true };
    const { log, seq, change } = claim as Record<string, unknown>;
    if (typeof log !== 'string' || typeof seq !== 'number' || typeof change !== 'string') return null;
    return { engine, claim: { log, seq, change }, who: who === true };
  } catch {
    return null;
  }
}
