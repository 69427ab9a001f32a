/** Token buckets by name: so many at once, and so many a second after that. */
import type { Clock } from '#client/clock';

export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
  /** Names that are kept; the one that was not used for longest is forgotten. */
  readonly tracked: number;
}

export class Buckets {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { readonly left: number; readonly atUs: number }>();

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
  }

  /** False: too many. */
  take(name: string): boolean {
    const { burst, perSecond, tracked } = this.#rate;
    const atUs = this.#clock.monotonicUs();
    const before = this.#buckets.get(name) ?? { left: burst, atUs };
    const left = Math.min(burst, before.left + ((atUs - before.atUs) / 1_000_000) * perSecond);
    this.#buckets.delete(name);
    if (this.#buckets.size >= tracked) for (const oldest of this.#buckets.keys()) if (this.#buckets.delete(oldest)) break;
    this.#buckets.set(name, { left: left < 1 ? left : left - 1, atUs });
    return left >= 1;
  }
}
