/** Time, as everything receives it; nobody reads a clock beside this. */
export interface Clock {
  /** Wall clock, microseconds since the epoch (an integer below 2^53). */
  wallUs(): number;
  /** Monotonic clock, microseconds since an arbitrary start; never goes back. */
  monotonicUs(): number;
}

/** Read once: the getter costs more than the clock. */
const ORIGIN_MS = performance.timeOrigin;

export const systemClock: Clock = {
  wallUs: () => wallUs(performance.now()),
  monotonicUs: () => Math.round(performance.now() * 1000),
};

/** `performance` counts from the process' start and does not follow a corrected wall clock; Date does, to the millisecond. */
function wallUs(sinceStartMs: number): number {
  const ms = ORIGIN_MS + sinceStartMs;
  const behindMs = Date.now() - ms;
  return Math.round((Math.abs(behindMs) < 2 ? ms : ms + behindMs) * 1000);
}

/** RFC 3339 with microseconds, UTC. */
export function timestamp(wallUs: number): string {
  const ms = Math.floor(wallUs / 1000);
  return `${new Date(ms).toISOString().slice(0, -1)}${String(wallUs % 1000).padStart(3, '0')}Z`;
}

const SECOND_US = 1_000_000;
let second = -1;
let secondText = '';

/** The same for times close together, which the path of every statement has: the date of a second is written once. */
export function quickTimestamp(wallUs: number): string {
  const now = Math.floor(wallUs / SECOND_US);
  if (now !== second) {
    second = now;
    secondText = timestamp(now * SECOND_US).slice(0, -'000000Z'.length);
  }
  // seven digits with a leading one keep the zeros
  return `${secondText}${String(SECOND_US + (wallUs - now * SECOND_US)).slice(1)}Z`;
}
