/** Whoever waits for something to be told: until it is, until it is late, or until nothing is told any more. */
import { InterlockError } from '#schemas/errors';

interface One {
  readonly met: () => boolean;
  readonly resolve: () => void;
}

export class Waiting {
  readonly #all = new Set<One>();
  /** Rejects with the next trouble. */
  #failed = failing();

  /** Something was told. */
  look(): void {
    for (const one of this.#all) if (one.met()) one.resolve();
  }

  fail(error: Error): void {
    this.#failed.reject(error);
    this.#failed = failing();
  }

  /** @param until `performance.now()` @throws InterlockError APPROVAL_UNAVAILABLE */
  async until(met: () => boolean, until: number): Promise<void> {
    if (met()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const one = { met, resolve };
    this.#all.add(one);
    try {
      await this.#within(promise, until);
    } finally {
      this.#all.delete(one);
    }
  }

  async #within(promise: Promise<void>, until: number): Promise<void> {
    const late = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => late.resolve('late'), Math.max(0, until - performance.now()));
    const outcome = await Promise.race([promise, late.promise, this.#failed.promise]).finally(() => clearTimeout(timer));
    if (outcome === 'late') throw unavailable('what is written does not come back in time');
  }
}

export function unavailable(why: string, cause?: unknown): InterlockError {
  return new InterlockError(
    'APPROVAL_UNAVAILABLE',
    `the approval could not be ordered among the engines: ${why}`,
    cause === undefined ? {} : { cause },
  );
}

function failing(): PromiseWithResolvers<never> {
  const failing = Promise.withResolvers<never>();
  failing.promise.catch(() => {}); // mostly nobody waits
  return failing;
}
