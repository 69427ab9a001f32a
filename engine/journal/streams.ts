/** The last position of each stream, for compare-and-append. */
import type { Position } from '#client/journal';

/** Streams remembered. A forgotten one cannot be appended to any more: its caller expects a position, and none is known. */
const STREAMS_MAX = 1_000_000;

export class Streams {
  readonly #last = new Map<string, Position>();

  lastOf(stream: string): Position {
    return this.#last.get(stream) ?? -1;
  }

  placed(stream: string, position: Position): void {
    this.#last.delete(stream); // the oldest stands first
    this.#last.set(stream, position);
    if (this.#last.size > STREAMS_MAX) this.#last.delete(this.#last.keys().next().value as string);
  }
}
