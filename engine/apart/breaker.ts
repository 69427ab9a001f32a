/** After several deadlines in a row the engine is not waited for: everything is refused at once, and one question at a time finds out whether it is back (E6). */
export class Breaker {
  readonly #limits: { readonly lateInARow: number; readonly openMs: number };
  #late = 0;
  #openUntilUs = 0;
  #probing = false;

  constructor(limits: { readonly lateInARow: number; readonly openMs: number }) {
    this.#limits = limits;
  }

  /** Nothing was late lately: nothing need be asked. */
  get closed(): boolean {
    return this.#late === 0;
  }

  /** Whether this may be asked. */
  lets(nowUs: number): boolean {
    if (this.#late < this.#limits.lateInARow) return true;
    if (nowUs < this.#openUntilUs || this.#probing) return false;
    this.#probing = true;
    return true;
  }

  answered(): void {
    this.#late = 0;
    this.#probing = false;
  }

  late(nowUs: number): void {
    this.#late++;
    this.#probing = false;
    if (this.#late >= this.#limits.lateInARow) this.#openUntilUs = nowUs + this.#limits.openMs * 1000;
  }
}
