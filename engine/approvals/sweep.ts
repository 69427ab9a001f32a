/** What time does to requests, once a second. Every use looks at the clocks itself: nothing runs because a sweep was late. */
import { setImmediate } from 'node:timers/promises';
import type { Core } from './core.ts';
import { type Deadline, deadlineIn, isPast, parseUs } from './deadline.ts';
import { StageTimers, timesOf } from './escalation.ts';
import { isLive } from './fold.ts';
import type { ApprovalRecord } from './record.ts';
import type { Entry } from './store.ts';

const SWEEP_MS = 1_000;
/** Requests looked at before statements have their turn again. */
const SLICE = 500;
/** A stage that has longer than this to wait is not judged again for so long: ten thousand chains a second would be felt. */
const AHEAD_US = 5_000_000;

export class Sweep {
  readonly #core: Core;
  #stages: StageTimers;
  readonly #timer: NodeJS.Timeout;
  /** Until when, by both clocks, nothing can be due for a record as it stood. */
  readonly #quiet = new WeakMap<ApprovalRecord, Deadline>();
  #running: Promise<void> | null = null;

  constructor(core: Core) {
    this.#core = core;
    this.#stages = new StageTimers(core.clock);
    core.rules.look();
    // from this moment on the monotonic clock counts for the stage that is now asked: a wall clock that is set before the next sweep says nothing
    core.listeners.add(({ approvalId }) => this.#begin(core.store.get(approvalId), 0));
    this.#timer = setInterval(() => void this.run(), SWEEP_MS).unref();
  }

  /** The monotonic clock counts for all that is there, from now on: call it once what the journal tells is restored. @param seenUs its last time */
  begin(seenUs: number): void {
    this.#stages = new StageTimers(this.#core.clock);
    for (const entry of this.#core.store.all()) this.#begin(entry, seenUs);
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
    if (options.journal.fault ?? this.#core.ordered.trouble) return;
    try {
      denials.forgetPast();
      rules.look();
      let looked = 0;
      for (const entry of store.all()) {
        if (!isLive(entry.record)) continue;
        if (++looked % SLICE === 0) await setImmediate();
        await this.#look(entry);
      }
    } catch (error) {
      options.log.error({ err: error }, 'what is due could not be done to an approval; it is tried again');
    }
  }

  #begin(entry: Entry | undefined, seenUs: number): void {
    if (entry && isTimed(entry.record)) this.#stages.due(entry, entry.record, this.#core.world(entry.record), seenUs);
  }

  async #look(entry: Entry): Promise<void> {
    const core = this.#core;
    if (isPast(core.clock, entry.deadline)) return core.settle(entry, 'expired');
    if (!isTimed(entry.record) || this.#isQuiet(entry.record)) return;
    if (this.#stages.due(entry, entry.record, core.world(entry.record)).length === 0) return this.#quieten(entry.record);
    await core.prepare(entry);
    const { serial } = core.store;
    await serial.run(entry.record.approvalId, () => core.store.change(entry, (record) => this.#stages.due(entry, record, core.world(record))));
  }

  #isQuiet(record: ApprovalRecord): boolean {
    const until = this.#quiet.get(record);
    return until !== undefined && !isPast(this.#core.clock, until);
  }

  /** Nothing is due: not for a while, if the stage has longer than that. A wall clock that is set ends the quiet. */
  #quieten(record: ApprovalRecord): void {
    const { clock } = this.#core;
    const { current } = this.#core.chain(record);
    const { escalates_at, denies_at } = current ? timesOf(record, current) : {};
    const next = [escalates_at, denies_at].filter((time) => time !== undefined).map(parseUs);
    if (next.every((us) => us - clock.wallUs() > 2 * AHEAD_US)) this.#quiet.set(record, deadlineIn(clock, AHEAD_US / 1000));
  }
}

/** Most stages know no time: they cost nothing here. */
function isTimed({ state, requirement }: ApprovalRecord): boolean {
  return state === 'open' && requirement.stages.some(({ escalate = [], deny_after_s }) => escalate.length > 0 || deny_after_s !== undefined);
}
