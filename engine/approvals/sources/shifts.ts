/** What a calendar says of a span of time: who is on call when. */

export interface Shift {
  readonly startMs: number;
  /** Not included. */
  readonly endMs: number;
  /** E-mail addresses of those who take part, or the title where nobody does. */
  readonly names: readonly string[];
}

export interface CalendarQuestion {
  readonly text: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** For times without a zone and for whole days; null: what the calendar says (X-WR-TIMEZONE), else UTC. */
  readonly timeZone: string | null;
}

export type CalendarAnswer = { readonly shifts: readonly Shift[] } | { readonly failure: string };

/** Every bound of reading a calendar, with its unit. */
export const CALENDAR_LIMITS = {
  bytesMax: 2 * 1024 * 1024,
  eventsMax: 10_000,
  /** Occurrences looked at, of all rules together: most lie in the past. */
  occurrencesMax: 200_000,
  shiftsMax: 10_000,
  namesPerShiftMax: 64,
  /** Of reading it, in a thread of its own that is then ended. */
  deadlineMs: 3_000,
  heapMiB: 96,
} as const;
