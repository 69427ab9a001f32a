/** What stands in a masked value's place: the same as PostgreSQL's masks yield, by the kind of the value. */
import type { Mask } from '#schemas/decision';
import { MASK_METHODS } from '#schemas/decision';

export type JsonKind = 'string' | 'number' | 'boolean' | 'null' | 'object' | 'array';

/** How long a kept end may be, and how long it is where nothing is said; as `engine/facts/postgres/mask` has it. */
const KEEP_MAX = 32;
const KEEP_DEFAULT = 4;

/** null: this enforcer can fulfil it. */
export function objectionTo(mask: Mask): string | null {
  if (mask.using !== 'null' && mask.using !== 'redact' && mask.using !== 'partial') return `mask method \`${mask.using}\``;
  if (mask.using === 'partial' && keepOf(mask) > KEEP_MAX) return `mask method \`partial\` with keep ${keepOf(mask)}`;
  return null;
}

export function stricter(a: Mask, b: Mask): Mask {
  const order = MASK_METHODS.indexOf(a.using) - MASK_METHODS.indexOf(b.using);
  if (order !== 0) return order < 0 ? a : b;
  return keepOf(a) <= keepOf(b) ? a : b;
}

export function replacement(mask: Mask, kind: JsonKind): Buffer {
  return mask.using === 'null' ? REDACTED.null : REDACTED[kind];
}

/** At most half of a text is kept, so that short ones do not appear whole. */
export function partly(mask: Mask, text: string): Buffer {
  const keep = keepOf(mask);
  // of a long text its end is enough: a character has at most two units
  const characters = Array.from(text.length > 4 * KEEP_MAX ? text.slice(-4 * KEEP_MAX) : text);
  if (keep === 0 || characters.length < Math.max(1, 2 * keep)) return REDACTED.string;
  return Buffer.from(JSON.stringify(`***${characters.slice(-keep).join('')}`), 'utf8');
}

/** How many bytes of `length` plain ones `partly` keeps. */
export function keptOf(mask: Mask, length: number): number {
  const keep = keepOf(mask);
  return length < Math.max(1, 2 * keep) ? 0 : keep;
}

function keepOf(mask: Mask): number {
  return mask.keep ?? KEEP_DEFAULT;
}

const REDACTED: Readonly<Record<JsonKind, Buffer>> = {
  string: Buffer.from('"***"'),
  number: Buffer.from('0'),
  boolean: Buffer.from('false'),
  null: Buffer.from('null'),
  object: Buffer.from('{}'),
  array: Buffer.from('[]'),
};
