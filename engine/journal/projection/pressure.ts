/** Whether statements need the processors that the projection would take: the gateway's thread is busy, and there is none to spare. */
import { availableParallelism } from 'node:os';
import { performance, type EventLoopUtilization } from 'node:perf_hooks';

/** The gateway's thread, the target's or the kernel's work for it, and one of its own: with more, nobody waits for the projection. */
const PROCESSORS_SCARCE = 3;
/** Share of its time that the gateway's thread works; it gives way above the first, and no longer below the second. */
const BUSY = 0.5;
const BUSY_NO_MORE = 0.25;
/** Of the newest look in the average. */
const WEIGHT = 0.2;

export class Pressure {
  readonly #scarce: boolean;
  readonly #utilization: () => EventLoopUtilization;
  #last: EventLoopUtilization;
  #average = 0;
  #busy = false;

  /** Measures the thread that makes it. */
  constructor(options: { readonly processors?: number; readonly utilization?: () => EventLoopUtilization } = {}) {
    this.#scarce = (options.processors ?? availableParallelism()) < PROCESSORS_SCARCE;
    this.#utilization = options.utilization ?? (() => performance.eventLoopUtilization());
    this.#last = this.#utilization();
  }

  /** Looked at a few times a second; true: give way. */
  look(): boolean {
    const now = this.#utilization();
    const active = now.active - this.#last.active;
    const idle = now.idle - this.#last.idle;
    this.#last = now;
    if (active + idle > 0) this.#average += WEIGHT * (active / (active + idle) - this.#average);
    this.#busy = this.#average > (this.#busy ? BUSY_NO_MORE : BUSY);
    return this.#scarce && this.#busy;
  }
}
