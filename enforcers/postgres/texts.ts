import type { Payload } from '#client/journal';
import { LIMITS } from '#enforcers/common/limits';

/** One payload for one text of a session: the journal stores it once, and what is known of it is found by identity. */
export class Texts {
  readonly #known: Map<string, Payload> = new Map();

  /** A copy of the bytes, unless the same text is known. */
  of(buffer: Buffer, start: number, end: number): Payload {
    if (end - start > LIMITS.sharedTextBytes) return { bytes: Buffer.from(buffer.subarray(start, end)), media: 'text' };
    const key = buffer.toString('latin1', start, end);
    const known = this.#known.get(key);
    if (known) return known;
    const made: Payload = { bytes: Buffer.from(buffer.subarray(start, end)), media: 'text' };
    this.#known.set(key, made);
    if (this.#known.size > LIMITS.sharedTexts) this.#forgetOldest();
    return made;
  }

  #forgetOldest(): void {
    for (const key of this.#known.keys()) {
      this.#known.delete(key);
      return;
    }
  }
}
