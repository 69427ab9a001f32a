/**
 * A time by which something must have happened, told anew with every message: then it is one number. The timer behind it is set only where the
 * new time is nearer than the one that it waits for; one that comes too early waits for the rest.
 */
export class Deadline {
  readonly #late: () => void;
  #dueMs = Number.POSITIVE_INFINITY;
  /** When the timer fires. */
  #setMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  constructor(late: () => void) {
    this.#late = late;
  }

  /** `late` is called once, `ms` from now, unless something else is said before. */
  within(ms: number): void {
    const nowMs = performance.now();
    this.#dueMs = nowMs + ms;
    if (this.#dueMs < this.#setMs) this.#set(ms, nowMs);
  }

  /** It happened. */
  met(): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
  }

  /** No timer is left. */
  end(): void {
    this.met();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#setMs = Number.POSITIVE_INFINITY;
  }

  #set(ms: number, nowMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#setMs = nowMs + ms;
    this.#timer = setTimeout(this.#fired, ms);
  }

  readonly #fired = (): void => {
    this.#timer = null;
    this.#setMs = Number.POSITIVE_INFINITY;
    if (this.#dueMs === Number.POSITIVE_INFINITY) return;
    const nowMs = performance.now();
    // node counts in whole milliseconds, and may come a part of one too early
    if (this.#dueMs - nowMs >= 1) return this.#set(this.#dueMs - nowMs, nowMs);
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#late();
  };
}
