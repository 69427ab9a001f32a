/** A worker thread that answers one text at a time and is killed when it takes too long; a spare stands ready. */
import { Worker } from 'node:worker_threads';
import type { Catalog } from '#schemas/catalog';
import type { SqlFacts } from '#schemas/sql-facts';
import { type TextContext, unparsed } from './facts.ts';

export interface WorkerBounds {
  /** From the moment the worker has the text to its answer. */
  readonly deadlineMs: number;
  readonly heapMiB: number;
  /** Texts that wait, and their bytes together. */
  readonly queueMax: number;
  readonly queueBytesMax: number;
}

/** To the worker. A catalog is sent once; null: none. */
export type Question =
  | { readonly kind: 'catalog'; readonly id: number; readonly catalog: Catalog }
  | {
      readonly kind: 'read';
      readonly id: number;
      readonly text: Uint8Array;
      readonly context: Omit<TextContext, 'catalog'>;
      readonly catalog: number | null;
    };
/** From it. `facts` null: no parser for it. */
export type Answer = { readonly kind: 'ready' } | { readonly kind: 'facts'; readonly id: number; readonly facts: SqlFacts };

interface Job {
  readonly text: Uint8Array;
  readonly context: TextContext;
  readonly done: (facts: SqlFacts) => void;
}

interface Thread {
  readonly worker: Worker;
  /** The catalog it has. */
  catalog: Catalog | null;
  ready: boolean;
}

export class BoundedWorker {
  readonly #majors: readonly number[];
  readonly #bounds: WorkerBounds;
  readonly #queue: Job[] = [];
  #queueBytes = 0;
  #thread: Thread | null = null;
  #spare: Thread | null = null;
  #running: { readonly job: Job; readonly id: number; readonly timer: NodeJS.Timeout } | null = null;
  #ids = 0;
  #closed = false;

  constructor(majors: readonly number[], bounds: WorkerBounds) {
    this.#majors = majors;
    this.#bounds = bounds;
  }

  /** Always resolves. */
  read(text: Uint8Array, context: TextContext): Promise<SqlFacts> {
    const { queueMax, queueBytesMax } = this.#bounds;
    if (this.#closed) return Promise.resolve(refused(context, 'the reader is closed'));
    if (this.#queue.length >= queueMax || this.#queueBytes + text.length > queueBytesMax) {
      return Promise.resolve(refused(context, 'too many long texts wait for the parser'));
    }
    this.start();
    return new Promise((done) => {
      this.#queue.push({ text, context, done });
      this.#queueBytes += text.length;
      this.#next();
    });
  }

  /** Opens the thread and its spare, if they are not there; the first text would, too. */
  start(): void {
    if (this.#closed) return;
    this.#thread ??= this.#open();
    this.#spare ??= this.#open();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.#queue.splice(0)) job.done(refused(job.context, 'the reader is closed'));
    const threads = [this.#thread, this.#spare];
    this.#thread = null;
    this.#spare = null;
    this.#finish(null);
    await Promise.all(threads.map(async (thread) => thread?.worker.terminate()));
  }

  #open(): Thread {
    // the package has this file as .js
    const entry = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
    const worker = new Worker(entry, {
      workerData: { majors: this.#majors },
      resourceLimits: { maxOldGenerationSizeMb: this.#bounds.heapMiB, maxYoungGenerationSizeMb: 32, stackSizeMb: 8 },
    });
    const thread: Thread = { worker, catalog: null, ready: false };
    worker.unref();
    worker.on('message', (answer: Answer) => this.#answered(thread, answer));
    worker.on('error', () => this.#lost(thread));
    worker.on('exit', () => this.#lost(thread));
    return thread;
  }

  #next(): void {
    const thread = this.#thread;
    if (this.#running !== null || thread === null || !thread.ready) return;
    const job = this.#queue.shift();
    if (job === undefined) return;
    this.#queueBytes -= job.text.length;
    const { catalog, ...context } = job.context;
    this.#ids += 1;
    const id = this.#ids;
    if (catalog !== null && catalog !== thread.catalog) {
      thread.catalog = catalog;
      thread.worker.postMessage({ kind: 'catalog', id, catalog } satisfies Question);
    }
    // the enforcer may reuse its buffer
    const text = Uint8Array.from(job.text);
    const question: Question = { kind: 'read', id, text, context, catalog: catalog === null ? null : id };
    this.#running = { job, id, timer: setTimeout(() => this.#late(thread), this.#bounds.deadlineMs) };
    thread.worker.ref();
    thread.worker.postMessage(question, [text.buffer]);
  }

  #answered(thread: Thread, answer: Answer): void {
    if (answer.kind === 'ready') thread.ready = true;
    else if (this.#running?.id === answer.id && thread === this.#thread) {
      thread.worker.unref();
      this.#finish(answer.facts);
    }
    this.#next();
  }

  #late(thread: Thread): void {
    this.#lost(thread);
    void thread.worker.terminate();
  }

  /** It was too slow, too large, or failed: the text is to blame. */
  #lost(thread: Thread): void {
    if (this.#closed) return;
    if (thread === this.#spare) this.#spare = null;
    if (thread !== this.#thread) return;
    this.#thread = this.#spare ?? this.#open();
    this.#spare = this.#thread === this.#spare ? this.#open() : this.#spare;
    this.#finish(null);
    this.#next();
  }

  #finish(facts: SqlFacts | null): void {
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    clearTimeout(running.timer);
    running.job.done(facts ?? refused(running.job.context, `parsing took longer than ${this.#bounds.deadlineMs} ms, or grew larger than its heap`));
  }
}

function refused(context: TextContext, detail: string): SqlFacts {
  return unparsed(context.major, { code: 'budget', detail });
}
