/** How the two threads are opened, and what is said to them and by them. */
import { Worker, type ResourceLimits } from 'node:worker_threads';
import type { ErrorCode } from '#schemas/errors';
import type { Anew } from './follower.ts';
import type { ProjectionChange } from './projection.ts';
import type { QUERIES } from './queries.ts';

/** To the writer. */
export type Order =
  | { readonly kind: 'up_to'; readonly position: number }
  /** Statements need the processors: the thread takes a small share of one only, until told otherwise. */
  | { readonly kind: 'give_way'; readonly to: boolean }
  | { readonly kind: 'rebuild' }
  /** Ends after its batch; the thread is not killed in the middle of a transaction. */
  | { readonly kind: 'close' };

/** From it. */
export type Report =
  | { readonly kind: 'opened'; readonly anew: Anew | null; readonly position: number }
  | {
      readonly kind: 'caught';
      readonly position: number;
      readonly records: number;
      readonly events: number;
      readonly done: boolean;
      readonly changes: readonly ProjectionChange[];
    }
  | { readonly kind: 'failed'; readonly message: string };

export type QueryName = keyof typeof QUERIES;

/** To the reader. `release`: let go of the file, it goes. */
export type Question =
  | { readonly kind: 'query'; readonly id: number; readonly name: QueryName; readonly query: unknown; readonly msMax: number }
  | { readonly kind: 'release' };

/** From it. */
export type Answer =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: { readonly code: ErrorCode; readonly message: string } }
  /** The file cannot be read. */
  | { readonly id: number; readonly broken: string };

/** Megabytes: rows come in pages, records in batches. */
const LIMITS: Readonly<Record<'writer' | 'reader', ResourceLimits>> = {
  writer: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 6 },
  reader: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 6 },
};

export function openThread(which: 'writer' | 'reader', workerData: unknown): Worker {
  // the package has this file as .js
  const entry = new URL(import.meta.url.endsWith('.ts') ? `./${which}-thread.ts` : `./${which}-thread.js`, import.meta.url);
  const worker = new Worker(entry, { workerData, resourceLimits: LIMITS[which] });
  worker.unref();
  return worker;
}
