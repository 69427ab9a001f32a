/** What the rows need of the payloads: texts with their words, facts with what they touch. */
import type { PayloadRef } from '#schemas/event';
import { type Facts, isSql } from '#schemas/facts';
import { SALT_BYTES } from '../format.ts';
import type { Frame } from '../frame-stream.ts';
import { touchTerms, wordsOf } from './terms.ts';

/** At most so much of a text is ever shown, and kept. */
export const TEXT_CHARS_MAX = 2_000;
const TOUCHED_SHOWN_MAX = 50;

export interface KnownText {
  /** As much as is shown; one character more where there is more. */
  readonly text: string;
  /** All of its words. */
  readonly words: string;
}

export interface KnownFacts {
  /** `["DELETE public.payments"]`; null: nothing. */
  readonly touched: string | null;
  readonly terms: string;
  /** Of all its statements; null: of none. */
  readonly shape: string | null;
}

const NO_FACTS: KnownFacts = { touched: null, terms: '', shape: null };

/** Where payloads are looked for that stood before an earlier record. */
export type Elsewhere = (digest: string) => Promise<Uint8Array | null>;

export class Payloads {
  readonly #elsewhere: Elsewhere;
  /** Frames stand before the record that defines them; those of the record that comes, null for what was removed. By digest, latin1. */
  readonly #frames = new Map<string, Buffer | null>();
  readonly #texts = new Remembered<KnownText | null>((known) => (known === null ? 0 : known.text.length + known.words.length));
  readonly #facts = new Remembered<KnownFacts>(({ terms }) => terms.length);
  /** The same text comes with many salts. */
  readonly #same = new Remembered<KnownText>(({ text, words }) => text.length + words.length);

  constructor(elsewhere: Elsewhere) {
    this.#elsewhere = elsewhere;
  }

  frame({ hash, kind, body }: Frame): void {
    this.#frames.set(hash, kind === 'payload' ? Buffer.from(body.subarray(SALT_BYTES)) : null);
  }

  /** The record that they stood before was read. */
  forget(): void {
    this.#frames.clear();
  }

  /** null: it is not kept in clear, or was removed. */
  async text(ref: PayloadRef): Promise<KnownText | null> {
    if (ref.form !== 'clear') return null;
    const known = this.#texts.get(ref.digest);
    if (known !== undefined) return known;
    const bytes = await this.#bytes(ref);
    const text = bytes === null ? null : this.#textOf(bytes.toString('utf8'));
    this.#texts.set(ref.digest, text);
    return text;
  }

  #textOf(whole: string): KnownText {
    const same = this.#same.get(whole);
    if (same !== undefined) return same;
    const text = knownText(whole);
    this.#same.set(whole, text);
    return text;
  }

  async facts(ref: PayloadRef): Promise<KnownFacts> {
    if (ref.form !== 'clear') return NO_FACTS;
    const known = this.#facts.get(ref.digest);
    if (known !== undefined) return known;
    const bytes = await this.#bytes(ref);
    const facts = bytes === null ? NO_FACTS : knownFacts(JSON.parse(bytes.toString('utf8')) as Facts);
    this.#facts.set(ref.digest, facts);
    return facts;
  }

  /** Nearly always beside the record; long after it, it is looked for. */
  async #bytes({ digest }: PayloadRef): Promise<Buffer | null> {
    const here = this.#frames.get(Buffer.from(digest.slice('sha256:'.length), 'hex').toString('latin1'));
    if (here !== undefined) return here;
    const found = await this.#elsewhere(digest);
    return found === null ? null : Buffer.from(found);
  }
}

function knownText(whole: string): KnownText {
  return { text: whole.slice(0, TEXT_CHARS_MAX + 1), words: [...wordsOf(whole)].join(' ') };
}

function knownFacts(facts: Facts): KnownFacts {
  const touched = new Set<string>();
  const terms = new Set<string>();
  for (const { verb, object } of facts.effects) {
    const { qualified, name } = object;
    const line = `${verb.toUpperCase()} ${qualified}`;
    if (touched.has(line)) continue;
    touched.add(line);
    for (const term of touchTerms({ verb, qualified, name })) terms.add(term);
  }
  const shapes = (isSql(facts) ? facts.statements : []).filter(({ parent }) => parent === null).map(({ shape }) => shape);
  return {
    touched: touched.size === 0 ? null : JSON.stringify(shortened([...touched])),
    terms: [...terms].join(' '),
    shape: shapes.length === 0 ? null : shapes.join(' '),
  };
}

function shortened(lines: readonly string[]): readonly string[] {
  if (lines.length <= TOUCHED_SHOWN_MAX) return lines;
  return [...lines.slice(0, TOUCHED_SHOWN_MAX), `and ${lines.length - TOUCHED_SHOWN_MAX} more`];
}

const ENTRIES_MAX = 20_000;
const CHARS_MAX = 4 << 20;

/** At least what was asked for last: two generations, of which the older is let go when the younger is full. */
class Remembered<V> {
  readonly #weight: (value: V) => number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  #chars = 0;

  constructor(weight: (value: V) => number) {
    this.#weight = weight;
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    this.#chars += key.length + this.#weight(value);
    if (this.#young.size >= ENTRIES_MAX || this.#chars > CHARS_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#chars = 0;
    }
    this.#young.set(key, value);
  }
}
