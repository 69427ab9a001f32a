/** So many at once, and so many a second: what a peer may do without being answered. */
export class Bucket {
  readonly #size: number;
  readonly #perMs: number;
  readonly #nowMs: () => number;
  #left: number;
  #atMs: number;

  constructor(size: number, perSecond: number, nowMs: () => number) {
    this.#size = size;
    this.#perMs = perSecond / 1000;
    this.#nowMs = nowMs;
    this.#left = size;
    this.#atMs = nowMs();
  }

  /** false: there is none left. */
  take(): boolean {
    const nowMs = this.#nowMs();
    this.#left = Math.min(this.#size, this.#left + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
