/**
 * When an approval may be used: days and times of day as the clocks of one time zone show them. A time that a clock skips in spring is in no
 * window; one that it shows twice in autumn is in its window both times.
 */
import { boundedMemo } from '#client/bounded-memo';
import type { Schedule } from '#schemas/decision';

/** Whether the instant is inside all of them. @throws RangeError for a time zone that nobody knows */
export function isOpen(schedules: readonly Schedule[], atMs: number): boolean {
  return schedules.every((schedule) => isInside(schedule, atMs));
}

/** No pattern of weeks repeats later than this, summer time included. */
const SEARCHED_DAYS = 15;
const MINUTE_MS = 60_000;
/** Clocks are set at multiples of it, in UTC. */
const STEP_MINUTES = 15;

/** The next instant inside all of them, to the minute; null: not within two weeks. */
export function nextOpening(schedules: readonly Schedule[], fromMs: number): number | null {
  const endMs = fromMs + SEARCHED_DAYS * 1440 * MINUTE_MS;
  let atMs = Math.floor(fromMs / MINUTE_MS) * MINUTE_MS;
  while (atMs < endMs) {
    atMs += minutesToLookAhead(schedules, atMs) * MINUTE_MS;
    if (isOpen(schedules, atMs)) return atMs;
  }
  return null;
}

function isInside({ time_zone, windows }: Schedule, atMs: number): boolean {
  const { day, minute } = localTime(time_zone, atMs);
  const yesterday = (day + 6) % 7;
  return windows.some(({ days, from, to }) => {
    const [start, end] = [minutesOf(from), minutesOf(to)];
    const on = (one: number): boolean => days.includes(DAYS[one] as (typeof DAYS)[number]);
    if (end > start) return on(day) && minute >= start && minute < end;
    return (on(day) && minute >= start) || (on(yesterday) && minute < end);
  });
}

/** To the next minute at which anything can open: a window's beginning, or a quarter of an hour, where clocks may be set. */
function minutesToLookAhead(schedules: readonly Schedule[], atMs: number): number {
  let ahead = STEP_MINUTES - (Math.floor(atMs / MINUTE_MS) % STEP_MINUTES);
  for (const { time_zone, windows } of schedules) {
    const { minute } = localTime(time_zone, atMs);
    for (const { from } of windows) {
      const until = (minutesOf(from) - minute + 1440) % 1440;
      if (until > 0) ahead = Math.min(ahead, until);
    }
  }
  return ahead;
}

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const WEEKDAYS: Readonly<Record<string, number>> = { Mon: 0, Tue: 1, Wed: 2, Thu: 3, Fri: 4, Sat: 5, Sun: 6 };
const FORMATS_MAX = 100;
const formatOf = boundedMemo(
  FORMATS_MAX,
  (timeZone) => new Intl.DateTimeFormat('en-US', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
);

function localTime(timeZone: string, atMs: number): { readonly day: number; readonly minute: number } {
  let weekday = '';
  let hour = Number.NaN;
  let minute = Number.NaN;
  for (const { type, value } of formatOf(timeZone).formatToParts(atMs)) {
    if (type === 'weekday') weekday = value;
    else if (type === 'hour') hour = Number(value);
    else if (type === 'minute') minute = Number(value);
  }
  // An unknown day or minute is in no window.
  return { day: WEEKDAYS[weekday] ?? Number.NaN, minute: hour * 60 + minute };
}

/** `HH:MM` */
function minutesOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));
}
