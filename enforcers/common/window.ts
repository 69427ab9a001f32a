/** A sum over the last while, in slots: exact to one slot, and of one size however much is added. */
export class Window {
  readonly #slots: number[];
  readonly #slotUs: number;
  /** Number of the newest slot since the clock began. */
  #newest = Number.NEGATIVE_INFINITY;

  constructor(slots: number, slotUs: number) {
    this.#slots = Array.from({ length: slots }, () => 0);
    this.#slotUs = slotUs;
  }

  add(count: number, nowUs: number): void {
    const slot = this.#advance(nowUs);
    const at = slot % this.#slots.length;
    this.#slots[at] = (this.#slots[at] ?? 0) + count;
  }

  sum(nowUs: number): number {
    this.#advance(nowUs);
    return this.#slots.reduce((sum, count) => sum + count, 0);
  }

  #advance(nowUs: number): number {
    const slot = Math.floor(nowUs / this.#slotUs);
    const gone = Math.min(slot - this.#newest, this.#slots.length);
    for (let back = 0; back < gone; back++) this.#slots[(slot - back) % this.#slots.length] = 0;
    if (slot > this.#newest) this.#newest = slot;
    return this.#newest;
  }
}
