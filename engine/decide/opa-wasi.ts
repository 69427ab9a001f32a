/**
 * OPA compiled to WASI, in a process of its own: one for a snapshot of the policies, gone with it and all that it took (270 MB at its peak), and
 * killed when it takes too long.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
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

/**
 * node:wasi says of itself that it is experimental. The module is ours: what is not run is not validated. Each of its functions runs a few times
 * at most: V8's optimising compiler would take longer than it saves, and 100 MB (ADR 0006 says the same of PostgreSQL's grammar).
 */
const EXEC_ARGV = [
  '--disable-warning=ExperimentalWarning',
  '--wasm-lazy-validation',
  '--no-wasm-tier-up',
  '--no-wasm-dynamic-tiering',
  '--max-old-space-size=256',
];

/** To the process, one at a time. */
export interface WasiCommand {
  readonly dir: string;
  readonly args: readonly string[];
}
/** From it. `failed`: it could not be run at all, or broke down. */
export type WasiAnswer = { readonly code: number; readonly stdout: string; readonly stderr: string } | { readonly failed: string };

export class WasiOpa implements OpaProgram {
  readonly #path: string;
  readonly #bounds: WasiBounds;
  #process: ChildProcess | null = null;
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
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async #runNext(command: WasiCommand): Promise<OpaAnswer> {
    const child = (this.#process ??= this.#open());
    const { deadlineMs } = this.#bounds;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), deadlineMs);
    try {
      const ended = once(child, 'exit', { signal: late.signal }).then((): WasiAnswer => ({ failed: 'its process ended' }));
      const told = once(child, 'message', { signal: late.signal }).then(([answer]) => answer as WasiAnswer);
      child.send(command);
      const answer = await Promise.race([told, ended]);
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

  #open(): ChildProcess {
    // the package has this file as .js
    const entry = new URL(import.meta.url.endsWith('.ts') ? './opa-wasi-process.ts' : './opa-wasi-process.js', import.meta.url);
    const child = fork(fileURLToPath(entry), [this.#path, JSON.stringify(this.#bounds)], {
      execArgv: EXEC_ARGV,
      env: {},
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    return child.on('error', () => {}); // whoever waits for it is told; nobody waiting is no crash
  }
}
