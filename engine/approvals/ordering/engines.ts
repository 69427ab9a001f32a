/**
 * Who else writes, and whether something of theirs may be missing. A stream may lose what it had acknowledged, and what an engine did last stands then
 * in that engine's own journal alone. So after every interruption each says what it wrote last, and a grant from before the interruption is used only
 * when all who may have used it have been heard (ADR 0018).
 */
import { randomBytes } from 'node:crypto';
import { LOG_LIMITS } from './limits.ts';

/** The last change of an engine that is durable in its own journal; null: none. */
export type Claim = { readonly log: string; readonly seq: number; readonly change: string } | null;

/** What another engine says now. */
export interface Word {
  readonly claim: Claim;
  /** What this engine asked last, if it had heard that; an older word may be one that somebody kept. */
  readonly heard: string | null;
  readonly leftOut: LeftOut;
}

/** Which messages an engine left out of the order (ADR 0031). */
export interface LeftOut {
  /** What stands before was not read. */
  readonly from: number;
  /** The newest, oldest first; there may be older ones where there are `LOG_LIMITS.leftOutMax`. */
  readonly seqs: readonly number[];
}

interface Other {
  /** When anything of it was seen last. */
  seenMs: number;
  /** What it said since the interruption; undefined: nothing. */
  word: Word | undefined;
  /** Names what it asked last: who repeats it has heard it since. */
  ask: string | null;
}

/** What is to be compared with what others say. */
export interface Mine {
  readonly nowMs: number;
  /** Of the grant. */
  readonly position: number;
  readonly leftOut: LeftOut;
  /** Whether this engine has seen a change. */
  readonly knows: (change: string) => boolean;
}

export class Engines {
  readonly #me: string;
  readonly #others = new Map<string, Other>();
  #ask = newAsk();

  constructor(me: string) {
    this.#me = me;
  }

  /** A message of it stands in the stream. */
  wrote(engine: string, timeMs: number): void {
    if (engine === this.#me) return;
    const other = this.#other(engine);
    other.seenMs = Math.max(other.seenMs, timeMs);
  }

  /** It ended, and its last message says so: nothing of it can be missing. */
  left(engine: string): void {
    this.#others.delete(engine);
  }

  /** What this engine asks, and what it has heard that others ask. */
  get asks(): { readonly own: string; readonly others: Readonly<Record<string, string>> } {
    return { own: this.#ask, others: Object.fromEntries([...this.#others].flatMap(([engine, { ask }]) => (ask === null ? [] : [[engine, ask]]))) };
  }

  /** @returns whether it asks something that it did not ask before */
  asked(engine: string, ask: string): boolean {
    if (engine === this.#me) return false;
    const other = this.#other(engine);
    const isNew = other.ask !== ask;
    other.ask = ask;
    return isNew;
  }

  /** Its own words, now. */
  said(engine: string, word: Word, nowMs: number): void {
    if (engine === this.#me) return;
    const other = this.#other(engine);
    other.seenMs = nowMs;
    if (word.heard === this.#ask) other.word = word;
  }

  /** From now on everybody is to be heard anew. */
  interrupted(): void {
    this.#ask = newAsk();
    for (const other of this.#others.values()) other.word = undefined;
  }

  whyIncomplete(mine: Mine): string | null {
    const { nowMs, knows } = mine;
    for (const [engine, { seenMs, word }] of this.#others) {
      if (nowMs - seenMs > LOG_LIMITS.absentMs) continue;
      if (word === undefined) return `the connection was lost, or a message left out, and engine ${engine} has not been heard since`;
      if (word.claim !== null && !knows(word.claim.change)) return `engine ${engine} has done something that is not seen here`;
      const seq = keptThere(mine, word.leftOut);
      if (seq !== null) return `message ${seq} was left out here, and not by engine ${engine}: it may have been a use`;
    }
    return null;
  }

  /** Heard lately. */
  list(): readonly { readonly engine: string; readonly seenMs: number }[] {
    return [...this.#others].map(([engine, { seenMs }]) => ({ engine, seenMs }));
  }

  #other(engine: string): Other {
    const known = this.#others.get(engine);
    if (known) return known;
    const other: Other = { seenMs: 0, word: undefined, ask: null };
    this.#others.set(engine, other);
    if (this.#others.size > LOG_LIMITS.enginesMax) {
      // the one that was not seen for longest
      const [oldest] = [...this.#others].toSorted(([, a], [, b]) => a.seenMs - b.seenMs)[0] as [string, Other];
      this.#others.delete(oldest);
    }
    return other;
  }
}

/** Behind the grant, left out by this engine and not by the other: what it saw there may have been something else. null: there is none. */
function keptThere({ position, leftOut }: Mine, other: LeftOut): number | null {
  const { seqs } = leftOut;
  if (seqs.length >= LOG_LIMITS.leftOutMax && (seqs[0] as number) > position) return seqs[0] as number;
  const there = new Set(other.seqs);
  return seqs.find((seq) => seq > position && seq >= other.from && !there.has(seq)) ?? null;
}

function newAsk(): string {
  return randomBytes(12).toString('base64url');
}
