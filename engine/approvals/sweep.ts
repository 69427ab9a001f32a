/** What time does to requests, once a second. Every use looks at the clocks itself: nothing runs because a sweep was late. */
import type { Core } from './core.ts';
import { isPast } from './deadline.ts';
import { isLive } from './fold.ts';

const SWEEP_MS = 1_000;

export class Sweep {
  readonly #core: Core;
  readonly #timer: NodeJS.Timeout;

  constructor(core: Core) {
    this.#core = core;
    core.rules.look();
    this.#timer = setInterval(() => void this.#run(), SWEEP_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #run(): Promise<void> {
    const core = this.#core;
    const { journal, log } = core.options;
    if (journal.fault) return;
    core.denials.forgetPast();
    core.rules.look();
    const past = [...core.store.all()].filter(({ record, deadline }) => isLive(record) && isPast(core.clock, deadline));
    try {
      for (const entry of past) await core.expireIfPast(entry);
    } catch (error) {
      log.error({ err: error }, 'an approval could not be expired');
    }
  }
}
