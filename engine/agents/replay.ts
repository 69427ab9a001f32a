/** Assertions that were used: none is accepted twice (RFC 7523 §3, `jti`). */
import { LIMITS } from './limits.ts';

export class UsedAssertions {
  /** By who said it and what it is called; until when it would be accepted. Oldest first. */
  readonly #used = new Map<string, number>();
  readonly #max: number;

  constructor(max: number = LIMITS.usedAssertions) {
    this.#max = max;
  }

  /**
   * `used`: it was here before. `full`: nothing can be remembered just now, so nothing may be accepted.
   * @param untilMs wall clock: nothing that old is accepted anyway
   */
  use(key: string, untilMs: number, nowMs: number): 'fresh' | 'used' | 'full' {
    const before = this.#used.get(key);
    if (before !== undefined && before >= nowMs) return 'used';
    if (this.#used.size >= this.#max) this.#forget(nowMs);
    if (this.#used.size >= this.#max) return 'full';
    this.#used.set(key, untilMs);
    return 'fresh';
  }

  #forget(nowMs: number): void {
    for (const [key, untilMs] of this.#used) if (untilMs < nowMs) this.#used.delete(key);
  }
}
