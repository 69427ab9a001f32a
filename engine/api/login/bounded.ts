/** A map that forgets: each entry lives so long, and the oldest goes when there are too many. */
import type { Clock } from '#client/clock';

export class Bounded<V> {
  readonly #entries = new Map<string, { readonly value: V; readonly endsUs: number }>();
  readonly #clock: Clock;
  readonly #max: number;
  readonly #lifeUs: number;

  constructor(clock: Clock, max: number, lifeMs: number) {
    this.#clock = clock;
    this.#max = max;
    this.#lifeUs = lifeMs * 1000;
  }

  put(key: string, value: V): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.#max) for (const oldest of this.#entries.keys()) if (this.#entries.delete(oldest)) break;
    this.#entries.set(key, { value, endsUs: this.#clock.monotonicUs() + this.#lifeUs });
  }

  get(key: string): V | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    if (this.#clock.monotonicUs() < entry.endsUs) return entry.value;
    this.#entries.delete(key);
    return null;
  }

  /** Once. */
  take(key: string): V | null {
    const value = this.get(key);
    this.#entries.delete(key);
    return value;
  }
}
