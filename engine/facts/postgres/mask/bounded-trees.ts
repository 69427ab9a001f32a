import { Worker } from 'node:worker_threads';
import { ParseFailure, type ParseTree } from '../parser.ts';

export interface TreeBounds {
  /** From the moment the worker has the text to its answer; opening a worker is not counted. */
  readonly deadlineMs: number;
  readonly heapMiB: number;
  /** Texts that wait. */
  readonly queueMax: number;
}

export const TREE_BOUNDS: TreeBounds = { deadlineMs: 250, heapMiB: 256, queueMax: 32 };

export interface TreeQuestion {
  readonly id: number;
  readonly major: number;
  readonly text: Uint8Array;
}
export type TreeAnswer = { readonly id: number; readonly tree: string } | { readonly id: number; readonly failure: string };

interface Job {
  readonly question: TreeQuestion;
  readonly done: (tree: ParseTree) => void;
  readonly failed: (error: ParseFailure) => void;
}

/** Parses long texts in a thread that is killed when one takes too long (P21): one at a time, in order. */
export class BoundedTrees {
  readonly #majors: readonly number[];
  readonly #bounds: TreeBounds;
  readonly #queue: Job[] = [];
  #worker: Worker | null = null;
  #running: { readonly job: Job; timer: NodeJS.Timeout | null } | null = null;
  #online = false;
  #ids = 0;

  constructor(majors: readonly number[], bounds: Partial<TreeBounds> = {}) {
    this.#majors = majors;
    this.#bounds = { ...TREE_BOUNDS, ...bounds };
  }

  /** Rejects ParseFailure, nothing else. */
  parse(major: number, text: Uint8Array): Promise<ParseTree> {
    if (this.#queue.length >= this.#bounds.queueMax) return Promise.reject(new ParseFailure('budget', 'too many long texts wait for the parser'));
    this.#ids += 1;
    // a copy: the caller may reuse its buffer
    const question: TreeQuestion = { id: this.#ids, major, text: Uint8Array.from(text) };
    return new Promise((done, failed) => {
      this.#queue.push({ question, done, failed });
      this.#next();
    });
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    for (const job of this.#queue.splice(0)) job.failed(new ParseFailure('unavailable', 'the parser is closed'));
    this.#fail('the parser is closed');
    await worker?.terminate();
  }

  #next(): void {
    if (this.#running !== null) return;
    const job = this.#queue.shift();
    if (job === undefined) return;
    this.#worker ??= this.#open();
    this.#running = { job, timer: this.#online ? this.#deadline() : null };
    this.#worker.ref();
    this.#worker.postMessage(job.question);
  }

  #open(): Worker {
    // the package has this file as .js
    const entry = new URL(import.meta.url.endsWith('.ts') ? './tree-worker.ts' : './tree-worker.js', import.meta.url);
    const worker = new Worker(entry, {
      workerData: { majors: this.#majors },
      resourceLimits: { maxOldGenerationSizeMb: this.#bounds.heapMiB, maxYoungGenerationSizeMb: 32, stackSizeMb: 8 },
    });
    this.#online = false;
    worker.on('message', (answer: TreeAnswer | 'ready') => (answer === 'ready' ? this.#ready(worker) : this.#answered(worker, answer)));
    worker.on('error', () => this.#lost(worker));
    worker.on('exit', () => this.#lost(worker));
    return worker;
  }

  #ready(worker: Worker): void {
    if (worker !== this.#worker) return;
    this.#online = true;
    if (this.#running !== null) this.#running.timer ??= this.#deadline();
  }

  #deadline(): NodeJS.Timeout {
    return setTimeout(() => {
      const worker = this.#worker;
      this.#worker = null;
      void worker?.terminate();
      this.#fail(`parsing took longer than ${this.#bounds.deadlineMs} ms`);
    }, this.#bounds.deadlineMs);
  }

  #answered(worker: Worker, answer: TreeAnswer): void {
    const running = this.#running;
    if (worker !== this.#worker || running?.job.question.id !== answer.id) return;
    if ('failure' in answer) return this.#fail(answer.failure);
    const tree = parsed(answer.tree);
    if (tree === null) return this.#fail('the syntax tree is too deep');
    this.#finish(({ done }) => done(tree));
  }

  /** It failed, or grew beyond its heap: the text is to blame. */
  #lost(worker: Worker): void {
    if (worker !== this.#worker) return;
    this.#worker = null;
    this.#fail('the parser ran out of its bounds');
  }

  #fail(message: string): void {
    this.#finish(({ failed }) => failed(new ParseFailure('budget', message)));
  }

  #finish(tell: (job: Job) => void): void {
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    if (running.timer !== null) clearTimeout(running.timer);
    this.#worker?.unref();
    tell(running.job);
    this.#next();
  }
}

function parsed(tree: string): ParseTree | null {
  try {
    return JSON.parse(tree) as ParseTree;
  } catch {
    return null; // the caller refuses
  }
}
