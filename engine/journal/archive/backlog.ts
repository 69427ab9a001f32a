/** How far the journal is ahead of the archive: records, bytes, and the age of the oldest record that the archive has not acknowledged. */
import type { Position } from '#client/journal';
import { LIMITS } from './limits.ts';

/** Marks are `LIMITS.ageEveryMs` apart: enough for so long, then every second one goes. */
const MARKS_MAX = 4096;

export class Backlog {
  /** What was durable when, oldest first: the first one past what is acknowledged tells the age. */
  #marks: { readonly position: Position; readonly us: number }[] = [];
  #acked: Position = -1;

  get acked(): Position {
    return this.#acked;
  }

  /** What is durable now. @param sinceUs monotonic */
  durable(position: Position, sinceUs: number): void {
    const last = this.#marks.at(-1);
    if (position <= (last?.position ?? this.#acked)) return;
    if (last !== undefined && sinceUs - last.us < LIMITS.ageEveryMs * 1000) {
      // told as old as its neighbour: never younger than it is
      this.#marks[this.#marks.length - 1] = { position, us: last.us };
      return;
    }
    this.#marks.push({ position, us: sinceUs });
    if (this.#marks.length > MARKS_MAX) this.#marks = this.#marks.filter((_, index) => index % 2 === 0 || index === this.#marks.length - 1);
  }

  acknowledged(position: Position): void {
    this.#acked = position;
    let gone = 0;
    while (gone < this.#marks.length && (this.#marks[gone] as { position: Position }).position <= position) gone++;
    if (gone > 0) this.#marks.splice(0, gone);
  }

  /** The oldest record that was found there at the start is so old already. */
  foundSince(us: number): void {
    const first = this.#marks[0];
    if (first !== undefined && us < first.us) this.#marks[0] = { position: first.position, us };
  }

  ageUs(nowUs: number): number {
    const first = this.#marks[0];
    return first === undefined ? 0 : Math.max(0, nowUs - first.us);
  }
}
