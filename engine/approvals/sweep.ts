/** What time does to requests, once a second. Every use looks at the clocks itself: nothing runs because a sweep was late. */
import type { Core } from './core.ts';
import { isPast } from './deadline.ts';
import { StageTimers } from './escalation.ts';
import { isLive } from './fold.ts';
import type { ApprovalRecord } from './record.ts';
import type { Entry } from './store.ts';

const SWEEP_MS = 1_000;

export class Sweep {
  readonly #core: Core;
  readonly #stages: StageTimers;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | null = null;

  constructor(core: Core, seenUs: number) {
    this.#core = core;
    this.#stages = new StageTimers(core.clock, seenUs);
    core.rules.look();
    // from this moment on the monotonic clock counts for the stage that is now asked: a wall clock that is set before the next sweep says nothing
    core.listeners.add(({ approvalId }) => this.#begin(core.store.get(approvalId)));
    this.#timer = setInterval(() => void this.run(), SWEEP_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** One at a time; never rejects. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => (this.#running = null));
    return this.#running;
  }

  async #run(): Promise<void> {
    const { options, denials, rules, store } = this.#core;
    if (options.journal.fault) return;
    try {
      denials.forgetPast();
      rules.look();
      for (const entry of store.all()) if (isLive(entry.record)) await this.#look(entry);
    } catch (error) {
      options.log.error({ err: error }, 'what is due could not be done to an approval; it is tried again');
    }
  }

  #begin(entry: Entry | undefined): void {
    if (entry && isTimed(entry.record)) this.#stages.due(entry, entry.record, this.#core.world(entry.record));
  }

  async #look(entry: Entry): Promise<void> {
    const core = this.#core;
    if (isPast(core.clock, entry.deadline)) return core.settle(entry, 'expired');
    if (!isTimed(entry.record) || this.#stages.due(entry, entry.record, core.world(entry.record)).length === 0) return;
    await core.prepare(entry);
    const { serial } = core.store;
    await serial.run(entry.record.approvalId, () => core.store.change(entry, (record) => this.#stages.due(entry, record, core.world(record))));
  }
}

/** Most stages know no time: they cost nothing here. */
function isTimed({ state, requirement }: ApprovalRecord): boolean {
  return state === 'open' && requirement.stages.some(({ escalate = [], deny_after_s }) => escalate.length > 0 || deny_after_s !== undefined);
}
