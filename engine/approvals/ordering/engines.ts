/**
 * Who else writes, and whether something of theirs may be missing. A stream may lose what it had acknowledged, and what an engine did last stands then
 * in that engine's own journal alone. So after every interruption each says what it wrote last, and a grant from before the interruption is used only
 * when all who may have used it have been heard (ADR 0018).
 */
import { LOG_LIMITS } from './limits.ts';

/** The last change of an engine that is durable in its own journal; null: none. */
export type Claim = { readonly log: string; readonly seq: number; readonly change: string } | null;

interface Other {
  /** When anything of it was seen last. */
  seenMs: number;
  /** What it said since the interruption; undefined: nothing. */
  claim: Claim | undefined;
}

export class Engines {
  readonly #me: string;
  readonly #others = new Map<string, Other>();

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

  /** Its own words, now. */
  said(engine: string, claim: Claim, nowMs: number): void {
    if (engine === this.#me) return;
    const other = this.#other(engine);
    other.seenMs = nowMs;
    other.claim = claim;
  }

  /** From now on everybody is to be heard anew. */
  interrupted(): void {
    for (const other of this.#others.values()) other.claim = undefined;
  }

  /** @param knows whether this engine has seen a change */
  whyIncomplete(nowMs: number, knows: (change: string) => boolean): string | null {
    for (const [engine, { seenMs, claim }] of this.#others) {
      if (nowMs - seenMs > LOG_LIMITS.absentMs) continue;
      if (claim === undefined) return `the connection was lost, and engine ${engine} has not been heard since`;
      if (claim !== null && !knows(claim.change)) return `engine ${engine} has done something that is not seen here`;
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
    const other = { seenMs: 0, claim: undefined };
    this.#others.set(engine, other);
    if (this.#others.size > LOG_LIMITS.enginesMax) {
      // the one that was not seen for longest
      const [oldest] = [...this.#others].toSorted(([, a], [, b]) => a.seenMs - b.seenMs)[0] as [string, Other];
      this.#others.delete(oldest);
    }
    return other;
  }
}
