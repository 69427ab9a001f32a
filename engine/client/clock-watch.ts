/** Notices that the wall clock was set: it no longer runs with the monotonic clock. What rests on time must then say so and start anew. */
import type { Clock } from './clock.ts';

export interface ClockWatch {
  /** Compares now; it also happens every `everyMs`. */
  check(): void;
  close(): void;
}

export interface ClockWatchOptions {
  /** Positive: the wall clock leapt ahead; negative: it was set back. */
  readonly onJump: (jumpMs: number) => void;
  readonly everyMs?: number;
  readonly toleranceMs?: number;
}

/** What a time service may slew a clock: 500 ppm. Anything beyond adds up until it is a jump, in however small steps. */
const SLEW = 500e-6;

export function watchClock(clock: Clock, options: ClockWatchOptions): ClockWatch {
  const { onJump, everyMs = 1_000, toleranceMs = 1_000 } = options;
  let offsetUs = clock.wallUs() - clock.monotonicUs();
  let lastUs = clock.monotonicUs();
  const check = (): void => {
    const nowUs = clock.monotonicUs();
    const slewUs = (nowUs - lastUs) * SLEW;
    lastUs = nowUs;
    const driftUs = clock.wallUs() - nowUs - offsetUs;
    if (Math.abs(driftUs) <= toleranceMs * 1000) {
      offsetUs += Math.max(-slewUs, Math.min(slewUs, driftUs));
      return;
    }
    offsetUs += driftUs;
    onJump(Math.round(driftUs / 1000));
  };
  const timer = setInterval(check, everyMs).unref();
  return { check, close: () => clearInterval(timer) };
}
