/** Asks the reader's thread one query at a time, and replaces it when one takes too long: SQLite cannot be interrupted from outside. */
import type { Worker } from 'node:worker_threads';
import { InterlockError } from '#schemas/errors';
import { openThread, type Answer, type Question, type QueryName } from './threads.ts';

const QUEUE_MAX = 100;
/** Past its time a query ends by itself; so much later the thread is given up. */
const GRACE_MS = 2_000;

interface Job {
  readonly name: QueryName;
  readonly query: unknown;
  readonly done: PromiseWithResolvers<unknown>;
}

export class Reader {
  readonly #file: string;
  readonly #msMax: number;
  readonly #onBroken: (why: string) => void;
  readonly #queue: Job[] = [];
  #worker: Worker | null = null;
  #running: { readonly job: Job; readonly id: number; readonly timer: NodeJS.Timeout } | null = null;
  #ids = 0;
  #closed = false;

  /** @param onBroken the file could not be read */
  constructor(file: string, msMax: number, onBroken: (why: string) => void) {
    this.#file = file;
    this.#msMax = msMax;
    this.#onBroken = onBroken;
  }

  /** Rejects with PROJECTION_SLOW, PROJECTION_UNAVAILABLE, API_BUSY, or what is wrong with the query. */
  ask(name: QueryName, query: unknown): Promise<unknown> {
    if (this.#closed) return Promise.reject(unavailable());
    if (this.#queue.length >= QUEUE_MAX) return Promise.reject(new InterlockError('API_BUSY', `more than ${QUEUE_MAX} searches wait`));
    const done = Promise.withResolvers<unknown>();
    this.#queue.push({ name, query, done });
    this.#next();
    return done.promise;
  }

  /** The file goes: nothing may hold it. Those that wait are told so. */
  release(): void {
    for (const { done } of this.#queue.splice(0)) done.reject(unavailable());
    this.#worker?.postMessage({ kind: 'release' } satisfies Question);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.release();
    const worker = this.#worker;
    this.#worker = null;
    this.#finish(unavailable());
    await worker?.terminate();
  }

  #next(): void {
    if (this.#running !== null) return;
    const job = this.#queue.shift();
    if (job === undefined) return;
    const worker = (this.#worker ??= this.#open());
    const id = ++this.#ids;
    this.#running = { job, id, timer: setTimeout(() => this.#late(), this.#msMax + GRACE_MS) };
    worker.ref();
    worker.postMessage({ kind: 'query', id, name: job.name, query: job.query, msMax: this.#msMax } satisfies Question);
  }

  #open(): Worker {
    const worker = openThread('reader', { file: this.#file });
    worker.on('message', (answer: Answer) => this.#answered(worker, answer));
    worker.on('error', () => this.#lost(worker));
    worker.on('exit', () => this.#lost(worker));
    return worker;
  }

  #answered(worker: Worker, answer: Answer): void {
    if (worker !== this.#worker || this.#running?.id !== answer.id) return;
    worker.unref();
    if ('answer' in answer) this.#finish(null, answer.answer);
    else if ('error' in answer) this.#finish(new InterlockError(answer.error.code, answer.error.message));
    else {
      this.#finish(unavailable());
      this.#onBroken(answer.broken);
    }
    this.#next();
  }

  #late(): void {
    const worker = this.#worker;
    this.#worker = null;
    this.#finish(new InterlockError('PROJECTION_SLOW', 'the search took too long'));
    void worker?.terminate();
    this.#next();
  }

  #lost(worker: Worker): void {
    if (worker !== this.#worker) return;
    this.#worker = null;
    this.#finish(unavailable());
    if (!this.#closed) this.#next();
  }

  #finish(error: InterlockError | null, answer?: unknown): void {
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    clearTimeout(running.timer);
    if (error === null) running.job.done.resolve(answer);
    else running.job.done.reject(error);
  }
}

function unavailable(): InterlockError {
  return new InterlockError('PROJECTION_UNAVAILABLE', 'the projection cannot be read');
}
