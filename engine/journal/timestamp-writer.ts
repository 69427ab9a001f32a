/** Microseconds since the epoch → RFC 3339, as `timestamp` of engine/client/clock.ts; remembers the last second, so that most cost no Date. */
import { timestamp } from '#client/clock';

export class TimestampWriter {
  #second = -1;
  /** `2026-11-23T10:00:00.` */
  #prefix = '';

  text(us: number): string {
    const second = Math.floor(us / 1_000_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#prefix = timestamp(second * 1_000_000).slice(0, -7);
    }
    return `${this.#prefix}${String(us - second * 1_000_000).padStart(6, '0')}Z`;
  }
}
