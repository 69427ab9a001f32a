/** Numbers, times and lengths as people read them. */
import type { Timestamp } from '#schemas/common';

const NUMBER = new Intl.NumberFormat('en');
const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });
const DAY_AND_TIME = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hour12: false });
const WHOLE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long' });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
const DAY = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'short' });

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY_MS = 24 * HOUR;

export const formatNumber = (value: number): string => NUMBER.format(value);
export const formatClock = (time: Timestamp): string => CLOCK.format(new Date(time));
export const formatWhole = (time: Timestamp): string => WHOLE.format(new Date(time));
export const formatDay = (time: Date): string => DAY.format(time);
export const formatDayAndTime = (time: Timestamp): string => DAY_AND_TIME.format(new Date(time));

/** `1 row`, `1,200 rows` */
export function count(many: number, one: string, more: string = `${one}s`): string {
  return `${formatNumber(many)} ${many === 1 ? one : more}`;
}

/** `3 min ago`, `in 2 hr`; days ago it is the date. */
export function formatRelative(time: Timestamp, nowMs: number): string {
  const apart = new Date(time).getTime() - nowMs;
  const size = Math.abs(apart);
  if (size < 10 * SECOND) return apart <= 0 || size < 3 * SECOND ? 'just now' : RELATIVE.format(Math.round(apart / SECOND), 'second');
  if (size < MINUTE) return RELATIVE.format(Math.round(apart / SECOND), 'second');
  if (size < HOUR) return RELATIVE.format(Math.round(apart / MINUTE), 'minute');
  if (size < DAY_MS) return RELATIVE.format(Math.round(apart / HOUR), 'hour');
  return DAY_AND_TIME.format(new Date(time));
}

export function formatMicros(us: number): string {
  if (us < 1000) return `${us} µs`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)} ms`;
  return formatSeconds(us / 1_000_000);
}

/** `12 s`, `5 min`, `2 h`, `3 days` */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${Number.isInteger(seconds) ? seconds : seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Number((seconds / 3600).toFixed(1))} h`;
  return `${Number((seconds / 86_400).toFixed(1))} days`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return count(bytes, 'byte');
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
