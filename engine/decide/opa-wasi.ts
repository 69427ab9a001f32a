/** OPA compiled to WASI, in a worker thread of its own: one for a snapshot of the policies, gone with it, and killed when it takes too long. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { InterlockError } from '#schemas/errors';
import { OPA_MS_MAX, type OpaAnswer, type OpaProgram, OUTPUT_BYTES_MAX } from './opa-program.ts';

export interface WasiBounds {
  /** For one command. */
  readonly deadlineMs: number;
  /** Of the module's memory. A build of the shipped policies takes 34 MiB. */
  readonly memoryMiB: number;
  readonly outputBytes: number;
}

const WASI_BOUNDS: WasiBounds = { deadlineMs: OPA_MS_MAX, memoryMiB: 1_024, outputBytes: OUTPUT_BYTES_MAX };

/** To the worker, one at a time. */
export interface WasiCommand {
  readonly dir: string;
  readonly args: readonly string[];
}
/** From it. `failed`: it could not be run at all, or broke down. */
export type WasiAnswer = { readonly code: number; readonly stdout: string; readonly stderr: string } | { readonly failed: string };

export class WasiOpa implements OpaProgram {
  readonly #path: string;
  readonly #bounds: WasiBounds;
  #worker: Worker | null = null;
  #last: Promise<unknown> = Promise.resolve();

  /** @param path of the gzipped module */
  constructor(path: string, bounds: WasiBounds = WASI_BOUNDS) {
    this.#path = path;
    this.#bounds = bounds;
  }

  run(dir: string, args: readonly string[]): Promise<OpaAnswer> {
    const answer = this.#last.then(() => this.#runNext({ dir, args }));
    this.#last = answer.catch(() => {}); // whoever asked is told
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }

  async #runNext(command: WasiCommand): Promise<OpaAnswer> {
    const worker = (this.#worker ??= this.#open());
    const { deadlineMs } = this.#bounds;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), deadlineMs);
    try {
      worker.postMessage(command);
      // `once` rejects for what the worker throws, too: more heap than it may have
      const ended = once(worker, 'exit', { signal: late.signal }).then((): WasiAnswer => ({ failed: 'its thread ended' }));
      const answer = await Promise.race([once(worker, 'message', { signal: late.signal }).then(([told]) => told as WasiAnswer), ended]);
      if ('failed' in answer) throw new Error(answer.failed);
      return { ok: answer.code === 0, stdout: answer.stdout, stderr: answer.stderr };
    } catch (error) {
      await this[Symbol.asyncDispose](); // the next command gets a fresh one
      const reason = late.signal.aborted ? `it took longer than ${deadlineMs / 1000} s` : (error as Error).message;
      throw new InterlockError('POLICY_BUILD', `OPA did not run: ${reason}`, { cause: error });
    } finally {
      clearTimeout(timer);
      late.abort(); // lets go of the other listener
    }
  }

  #open(): Worker {
    // the package has this file as .js
    const entry = new URL(import.meta.url.endsWith('.ts') ? './opa-wasi-worker.ts' : './opa-wasi-worker.js', import.meta.url);
    return new Worker(entry, {
      workerData: { path: this.#path, bounds: this.#bounds },
      execArgv: ['--disable-warning=ExperimentalWarning'], // node:wasi says that of itself
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 256, stackSizeMb: 8 },
    });
  }
}
