/** Deadlines of connections (SECURITY H12): moved with every message, and kept to the millisecond. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Deadline } from '#enforcers/http/deadline';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

test('what is late is told once; what happened in time is not', () => {
  const late = vi.fn();
  const deadline = new Deadline(late);
  deadline.within(100);
  vi.advanceTimersByTime(60);
  deadline.within(100);
  vi.advanceTimersByTime(99);
  expect(late).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(late).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1000);
  expect(late).toHaveBeenCalledTimes(1);
  deadline.within(100);
  deadline.met();
  vi.advanceTimersByTime(1000);
  expect(late).toHaveBeenCalledTimes(1);
});

test('a nearer time counts at once, also behind a far one that was met', () => {
  const late = vi.fn();
  const deadline = new Deadline(late);
  deadline.within(75_000);
  deadline.within(10);
  vi.advanceTimersByTime(10);
  expect(late).toHaveBeenCalledTimes(1);
  deadline.within(75_000);
  deadline.met();
  deadline.within(20);
  vi.advanceTimersByTime(20);
  expect(late).toHaveBeenCalledTimes(2);
});

test('the same time again and again costs one timer, and none is left at the end', () => {
  const deadline = new Deadline(() => {});
  for (let message = 0; message < 1000; message++) {
    deadline.within(60_000);
    deadline.met();
  }
  expect(vi.getTimerCount()).toBe(1);
  deadline.end();
  expect(vi.getTimerCount()).toBe(0);
});
