/** Windows in a time zone, across midnight and the changing of the clocks. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isOpen, nextOpening } from '#engine/approvals/schedule';
import type { Schedule } from '#schemas/decision';

type Window = Schedule['windows'][number];
type Day = Window['days'][number];
const WEEK: Day[] = ['mon', 'tue', 'wed', 'thu', 'fri'];
const zurich = (...windows: Window[]): Schedule => ({ time_zone: 'Europe/Zurich', windows });
const at = (time: string): number => Date.parse(time);
const next = (schedules: readonly Schedule[], from: string): string | null => {
  const ms = nextOpening(schedules, at(from));
  return ms === null ? null : new Date(ms).toISOString();
};

describe('office hours', () => {
  const office = [zurich({ days: WEEK, from: '09:00', to: '17:30' })];

  test.each([
    ['Monday, a minute early', '2026-11-23T07:59:59Z', false],
    ['Monday, on time', '2026-11-23T08:00:00Z', true],
    ['the last second', '2026-11-23T16:29:59Z', true],
    ['the end is outside', '2026-11-23T16:30:00Z', false],
    ['Sunday', '2026-11-22T10:00:00Z', false],
    ['summer time', '2026-07-06T07:00:00Z', true],
    ['summer time, early', '2026-07-06T06:59:00Z', false],
  ])('%s', (_when, time, open) => expect(isOpen(office, at(time))).toBe(open));

  test.each([
    ['the same morning', '2026-11-23T05:12:34Z', '2026-11-23T08:00:00.000Z'],
    ['the next day', '2026-11-23T16:30:00Z', '2026-11-24T08:00:00.000Z'],
    ['after the weekend', '2026-11-20T17:00:00Z', '2026-11-23T08:00:00.000Z'],
    ['after the clocks were put forward', '2026-03-27T17:00:00Z', '2026-03-30T07:00:00.000Z'],
  ])('opens next: %s', (_when, from, opening) => expect(next(office, from)).toBe(opening));
});

describe('across midnight', () => {
  const night = [zurich({ days: ['fri'], from: '22:00', to: '04:00' })];

  test.each([
    ['Friday evening', '2026-11-20T21:00:00Z', true],
    ['its small hours on Saturday', '2026-11-21T02:59:00Z', true],
    ['Saturday at four', '2026-11-21T03:00:00Z', false],
    ['Friday’s small hours are Thursday’s night', '2026-11-20T01:00:00Z', false],
    ['Saturday evening', '2026-11-21T21:00:00Z', false],
  ])('%s', (_when, time, open) => expect(isOpen(night, at(time))).toBe(open));

  test('from a time to the same time is a whole day', () => {
    const day = [zurich({ days: ['sat'], from: '06:00', to: '06:00' })];
    expect([at('2026-11-21T05:00:00Z'), at('2026-11-22T04:59:00Z'), at('2026-11-22T05:00:00Z')].map((ms) => isOpen(day, ms))).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('until midnight', () => {
    const late = [zurich({ days: ['mon'], from: '20:00', to: '24:00' })];
    expect([isOpen(late, at('2026-11-23T22:59:59Z')), isOpen(late, at('2026-11-23T23:00:00Z'))]).toEqual([true, false]);
  });
});

describe('when the clocks are changed', () => {
  const nightly = [zurich({ days: ['sun'], from: '02:00', to: '03:00' })];

  test('an hour that spring skips is in no window', () => {
    expect(isOpen(nightly, at('2026-03-29T00:59:00Z'))).toBe(false);
    expect(isOpen(nightly, at('2026-03-29T01:00:00Z'))).toBe(false);
    expect(next(nightly, '2026-03-28T12:00:00Z')).toBe('2026-04-05T00:00:00.000Z');
  });

  test('an hour that autumn shows twice is in its window twice', () => {
    expect(['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z', '2026-10-25T02:00:00Z'].map((time) => isOpen(nightly, at(time)))).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('a window whose beginning is skipped opens when the clocks are past it', () => {
    expect(next([zurich({ days: ['sun'], from: '02:30', to: '05:00' })], '2026-03-29T00:00:00Z')).toBe('2026-03-29T01:00:00.000Z');
  });
});

describe('several schedules', () => {
  const tokyo: Schedule = { time_zone: 'Asia/Tokyo', windows: [{ days: WEEK, from: '09:00', to: '18:00' }] };

  test('all of them must be open', () => {
    const both = [zurich({ days: WEEK, from: '08:00', to: '17:00' }), tokyo];
    expect(isOpen(both, at('2026-11-23T07:30:00Z'))).toBe(true);
    expect(isOpen(both, at('2026-11-23T09:30:00Z'))).toBe(false);
    expect(next(both, '2026-11-23T09:30:00Z')).toBe('2026-11-24T07:00:00.000Z');
  });

  test('that never meet have no next opening', () =>
    expect(next([zurich({ days: ['mon'], from: '20:00', to: '21:00' }), tokyo], '2026-11-23T00:00:00Z')).toBeNull());
});

test('a time zone that nobody knows is an error, never open', () => {
  expect(() => isOpen([{ time_zone: 'Middle/Earth', windows: [{ days: WEEK, from: '00:00', to: '24:00' }] }], 0)).toThrow(RangeError);
});

/** The slow and simple truth: every minute. */
function nextByMinutes(schedules: readonly Schedule[], fromMs: number): number | null {
  const startMs = Math.floor(fromMs / 60_000) * 60_000;
  for (let ms = startMs + 60_000; ms < startMs + 9 * 86_400_000; ms += 60_000) if (isOpen(schedules, ms)) return ms;
  return null;
}

test('the next opening is the first open minute', () => {
  const two = (n: number): string => String(n).padStart(2, '0');
  const time = fc.record({ h: fc.nat(23), m: fc.nat(59) }).map(({ h, m }) => `${two(h)}:${two(m)}`);
  const window = fc.record({ days: fc.subarray<Day>([...WEEK, 'sat', 'sun'], { minLength: 1 }), from: time, to: time });
  const schedule = fc.record({
    time_zone: fc.constantFrom('Europe/Zurich', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Chatham', 'UTC'),
    windows: fc.array(window, { minLength: 1, maxLength: 2 }),
  });
  // around the changing of the clocks, north and south
  const from = fc
    .constantFrom('2026-03-28', '2026-10-24', '2026-04-04', '2026-10-03', '2026-11-23')
    .chain((day) => fc.nat(1440).map((m) => at(day) + m * 60_000 + 1));
  fc.assert(
    fc.property(fc.array(schedule, { minLength: 1, maxLength: 2 }), from, (schedules, fromMs) => {
      fc.pre(!isOpen(schedules, fromMs));
      const slow = nextByMinutes(schedules, fromMs);
      if (slow !== null) expect(nextOpening(schedules, fromMs)).toBe(slow);
    }),
    { numRuns: 60 },
  );
});
