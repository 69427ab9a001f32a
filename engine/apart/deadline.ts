/** How long one statement waits for the engine, all its attempts together. */
import type { Clock } from '#client/clock';
import { InterlockError } from '#schemas/errors';

export class Deadline {
  readonly #clock: Clock;
  #untilUs: number;

  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#untilUs = clock.monotonicUs() + ms * 1000;
  }

  get leftMs(): number {
    return (this.#untilUs - this.#clock.monotonicUs()) / 1000;
  }

  /** Rejects ENGINE_UNAVAILABLE when it takes longer. */
  async within<T>(promise: Promise<T>): Promise<T> {
    return within(promise, this.leftMs);
  }

  /** What this takes, up to `ms`, does not count. Rejects ENGINE_UNAVAILABLE when it takes longer. */
  async besides(promise: Promise<unknown>, ms: number): Promise<void> {
    const startedUs = this.#clock.monotonicUs();
    await within(promise, ms);
    this.#untilUs += this.#clock.monotonicUs() - startedUs;
  }
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new InterlockError('ENGINE_UNAVAILABLE', 'the engine did not answer in time')), Math.max(0, ms));
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
