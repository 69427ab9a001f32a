/** An end that both clocks must agree has not come: set back the wall clock, and the monotonic one still ends it (SECURITY A6). */
import type { Clock } from '#client/clock';

export interface Deadline {
  readonly wallUs: number;
  readonly monotonicUs: number;
}

export function deadlineIn(clock: Clock, ms: number): Deadline {
  return { wallUs: clock.wallUs() + ms * 1000, monotonicUs: clock.monotonicUs() + ms * 1000 };
}

/**
 * After a restart there is no monotonic clock to go by. What is left is what the wall clock says, at most the whole length, counted from the
 * last thing that the journal has seen if the wall clock stands before it.
 */
export function deadlineAfterRestart(clock: Clock, end: string, lengthMs: number, seenUs: number): Deadline {
  const endUs = parseUs(end);
  const leftUs = Math.min(endUs - Math.max(clock.wallUs(), seenUs), lengthMs * 1000);
  return { wallUs: endUs, monotonicUs: clock.monotonicUs() + leftUs };
}

export function isPast(clock: Clock, deadline: Deadline): boolean {
  // Asked this way round, an end that is no time has come.
  return !(clock.wallUs() < deadline.wallUs && clock.monotonicUs() < deadline.monotonicUs);
}

/** Microseconds since the epoch; to the millisecond. */
export function parseUs(timestamp: string): number {
  return Date.parse(timestamp) * 1000;
}
