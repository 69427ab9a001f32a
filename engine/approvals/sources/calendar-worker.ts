/** Reads one calendar, answers, and is ended. */
import { parentPort, workerData } from 'node:worker_threads';
import { shiftsOf } from './calendar.ts';
import type { CalendarAnswer, CalendarQuestion } from './shifts.ts';

parentPort?.postMessage(answer(workerData as CalendarQuestion));

function answer(question: CalendarQuestion): CalendarAnswer {
  try {
    return { shifts: shiftsOf(question) };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}
