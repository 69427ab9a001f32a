/** Reads one description, answers, and is ended. */
import { parentPort, workerData } from 'node:worker_threads';
import { InterlockError } from '#schemas/errors';
import { type Description, readDescription } from './description.ts';
import type { DescriptionAnswer } from './description-thread.ts';

parentPort?.postMessage(answer(workerData as Description));

function answer(description: Description): DescriptionAnswer {
  try {
    return { catalog: readDescription(description) };
  } catch (error) {
    return { failure: error instanceof InterlockError ? error.message : 'a description cannot be read' };
  }
}
