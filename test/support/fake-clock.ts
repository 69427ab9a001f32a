/** A clock that a test moves: both together (time passes), or the wall clock alone (somebody set it). */
import type { Clock } from '#client/clock';

export class FakeClock implements Clock {
  #wallUs: number;
  #monotonicUs = 1_000_000;

  constructor(start = '2026-11-23T10:00:00Z') {
    this.#wallUs = Date.parse(start) * 1000;
  }

  wallUs(): number {
    return this.#wallUs;
  }
  monotonicUs(): number {
    return this.#monotonicUs;
  }
  pass(ms: number): void {
    this.#wallUs += ms * 1000;
    this.#monotonicUs += ms * 1000;
  }
  /** The wall clock is set, time does not pass. */
  set(ms: number): void {
    this.#wallUs += ms * 1000;
  }
}
