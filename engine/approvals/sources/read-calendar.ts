/** Reads a calendar in a thread of its own, bounded in time and memory: what somebody else writes must not stop the gateway. */
import { Worker } from 'node:worker_threads';
import { CALENDAR_LIMITS, type CalendarAnswer, type CalendarQuestion, type Shift } from './shifts.ts';

/** Rejects with what is wrong with it. */
export function readCalendar(question: CalendarQuestion, deadlineMs: number = CALENDAR_LIMITS.deadlineMs): Promise<readonly Shift[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly Shift[]>();
  // the package has this file as .js
  const entry = new URL(import.meta.url.endsWith('.ts') ? './calendar-worker.ts' : './calendar-worker.js', import.meta.url);
  const resourceLimits = { maxOldGenerationSizeMb: CALENDAR_LIMITS.heapMiB, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 };
  const worker = new Worker(entry, { workerData: question, resourceLimits });
  worker.unref();
  // counted from when it runs: a machine under load is no fault of the calendar's
  let timer: NodeJS.Timeout | undefined;
  worker.on('online', () => (timer = setTimeout(() => reject(new Error(`reading it took longer than ${deadlineMs} ms`)), deadlineMs)));
  worker.on('message', (answer: CalendarAnswer) => ('failure' in answer ? reject(new Error(answer.failure)) : resolve(answer.shifts)));
  worker.on('error', (error) => reject(new Error('reading it went out of its bounds', { cause: error })));
  worker.on('exit', () => reject(new Error('reading it ended without an answer')));
  return promise.finally(() => {
    clearTimeout(timer);
    void worker.terminate();
  });
}
