/** Token buckets: so many requests at once, and so many a second after that. */
import type { Clock } from '#client/clock';
import { InterlockError } from '#schemas/errors';
import { RATES } from './limits.ts';

type Kind = 'read' | 'change' | 'login';

export class Rates {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { left: number; atUs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws InterlockError RATE_LIMITED */
  take(kind: Kind, whose: string): void {
    const { burst, perSecond } = RATES[kind];
    const key = `${kind} ${whose}`;
    const nowUs = this.#clock.monotonicUs();
    const bucket = this.#buckets.get(key) ?? { left: burst, atUs: nowUs };
    bucket.left = Math.min(burst, bucket.left + ((nowUs - bucket.atUs) / 1_000_000) * perSecond);
    bucket.atUs = nowUs;
    this.#buckets.delete(key);
    if (this.#buckets.size >= RATES.buckets) for (const oldest of this.#buckets.keys()) if (this.#buckets.delete(oldest)) break;
    this.#buckets.set(key, bucket);
    if (bucket.left < 1) throw new InterlockError('RATE_LIMITED', `too many requests: wait ${Math.ceil((1 - bucket.left) / perSecond)} s`);
    bucket.left -= 1;
  }
}
