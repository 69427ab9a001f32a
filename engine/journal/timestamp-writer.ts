/** Microseconds since the epoch → RFC 3339, as `timestamp` of engine/client/clock.ts; remembers the last day and the last second, so that hardly any costs a Date. */
import { timestamp } from '#client/clock';

export class TimestampWriter {
  #day = -1;
  /** `2026-11-23T` */
  #date = '';
  #second = -1;
  /** `2026-11-23T10:00:00.` */
  #prefix = '';

  text(us: number): string {
    const second = Math.floor(us / 1_000_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#prefix = this.#prefixOf(second);
    }
    return `${this.#prefix}${String(us - second * 1_000_000).padStart(6, '0')}Z`;
  }

  #prefixOf(second: number): string {
    const day = Math.floor(second / DAY_S);
    if (day !== this.#day) {
      this.#day = day;
      this.#date = timestamp(day * DAY_S * 1_000_000).slice(0, 'YYYY-MM-DDT'.length);
    }
    const inDay = second - day * DAY_S;
    return `${this.#date}${two(Math.floor(inDay / 3600))}:${two(Math.floor(inDay / 60) % 60)}:${two(inDay % 60)}.`;
  }
}

const DAY_S = 86_400;

function two(number: number): string {
  return number < 10 ? `0${number}` : String(number);
}
