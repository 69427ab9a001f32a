/** Whether statements need the processors that the projection would take: the gateway's thread is busy, and there is none to spare. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** The gateway's thread, the target's or the kernel's work for it, and one of its own: with more, nobody waits for the projection. */
const PROCESSORS_SCARCE = 3;
/** Of a processor that the gateway's thread uses: the projection gives way above the first, and no longer below the second. */
const BUSY = 0.4;
const BUSY_NO_MORE = 0.2;
/** Of the newest look in the average. */
const WEIGHT = 0.2;

export interface PressureOptions {
  readonly processors?: number;
  /** Time that the watched thread had a processor, or waited for one, and time that went by, in microseconds. */
  readonly usedUs?: () => number;
  readonly nowUs?: () => number;
}

export class Pressure {
  readonly #scarce: boolean;
  readonly #usedUs: () => number;
  readonly #nowUs: () => number;
  #last: { readonly usedUs: number; readonly nowUs: number };
  #average = 0;
  #busy = false;

  /** Watches the thread that makes it. */
  constructor({ processors = availableParallelism(), usedUs = threadUs, nowUs = () => performance.now() * 1000 }: PressureOptions = {}) {
    this.#scarce = processors < PROCESSORS_SCARCE;
    this.#usedUs = usedUs;
    this.#nowUs = nowUs;
    this.#last = { usedUs: usedUs(), nowUs: nowUs() };
  }

  /** Looked at a few times a second; true: give way. */
  look(): boolean {
    const [usedUs, nowUs] = [this.#usedUs(), this.#nowUs()];
    const share = (usedUs - this.#last.usedUs) / Math.max(1, nowUs - this.#last.nowUs);
    this.#last = { usedUs, nowUs };
    this.#average += WEIGHT * (share - this.#average);
    this.#busy = this.#average > (this.#busy ? BUSY_NO_MORE : BUSY);
    return this.#scarce && this.#busy;
  }
}

/**
 * Its event loop's own idea of being idle does not hold under a profiler. A thread that others keep from the processor uses little of it, and is
 * the busier for that: Linux tells how long it had one and how long it waited, in nanoseconds.
 */
function threadUs(): number {
  try {
    const [ranNs, waitedNs] = readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ');
    const us = (Number(ranNs) + Number(waitedNs)) / 1000;
    if (Number.isFinite(us)) return us;
  } catch {
    // not Linux, or not told: what it used is what is known
  }
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
