/** SECURITY A6: the wall clock that was set is noticed, in one leap or in many small steps; the one that a time service slews is not. */
import { expect, test } from 'vitest';
import { watchClock } from '#client/clock-watch';
import { FakeClock } from '#test/support/fake-clock';

function watched(): { clock: FakeClock; jumps: number[]; second: (setMs?: number) => void; close: () => void } {
  const clock = new FakeClock();
  const jumps: number[] = [];
  const watch = watchClock(clock, { onJump: (ms) => void jumps.push(ms), everyMs: 3_600_000 });
  const second = (setMs = 0): void => {
    clock.pass(1_000);
    clock.set(setMs);
    watch.check();
  };
  return { clock, jumps, second, close: () => watch.close() };
}

test.each([5_000, -5_000, 86_400_000])('a leap of %d ms is told once', (ms) => {
  const { jumps, second, close } = watched();
  second();
  second(ms);
  second();
  expect(jumps).toEqual([ms]);
  close();
});

test('time that passes is no jump, however long', () => {
  const { clock, jumps, second, close } = watched();
  clock.pass(7 * 86_400_000);
  second();
  expect(jumps).toEqual([]);
  close();
});

test('a clock that is slewed by at most 500 ppm is followed', () => {
  const { jumps, second, close } = watched();
  for (let i = 0; i < 36_000; i++) second(i < 18_000 ? 0.5 : -0.5);
  expect(jumps).toEqual([]);
  close();
});

test.each([400, -400])('steps of %d ms add up', (ms) => {
  const { jumps, second, close } = watched();
  for (let i = 0; i < 10; i++) second(ms);
  expect(jumps.length).toBeGreaterThan(2);
  expect(Math.abs(jumps.reduce((sum, jump) => sum + jump, 0))).toBeGreaterThan(2_500);
  close();
});
