/** Who waits for the archive, by position: strict statements, and a close. */
import type { Position } from '#client/journal';

interface Waiter {
  readonly position: Position;
  readonly resolve: (archived: boolean) => void;
  readonly timer: NodeJS.Timeout;
}

export class Waiters {
  /** In the order of their positions, mostly: later records are waited for later. */
  readonly #waiting = new Set<Waiter>();

  get any(): boolean {
    return this.#waiting.size > 0;
  }

  /** false: not within `ms`. */
  add(position: Position, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#end(waiter, false), ms);
      const waiter: Waiter = { position, resolve, timer };
      this.#waiting.add(waiter);
    });
  }

  /** Everything up to here is in the archive. */
  reached(position: Position): void {
    for (const waiter of this.#waiting) if (waiter.position <= position) this.#end(waiter, true);
  }

  /** Nothing more comes. */
  end(): void {
    for (const waiter of this.#waiting) this.#end(waiter, false);
  }

  #end(waiter: Waiter, archived: boolean): void {
    clearTimeout(waiter.timer);
    this.#waiting.delete(waiter);
    waiter.resolve(archived);
  }
}
