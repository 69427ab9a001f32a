/** What runs OPA: the program, or the same compiled to WASI, which a published package carries so that nobody needs Go or a download. */
import { execFile } from 'node:child_process';
import { InterlockError } from '#schemas/errors';
import { WasiOpa } from './opa-wasi.ts';

export const OPA_MS_MAX = 60_000;
export const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

export interface OpaAnswer {
  /** It ended with 0. */
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export interface OpaProgram extends AsyncDisposable {
  /** Runs one command of OPA with the folder as its working directory; it sees no other. @throws InterlockError POLICY_BUILD when it did not end by itself */
  run(dir: string, args: readonly string[]): Promise<OpaAnswer>;
}

/** @param path of a program for this machine, or of a module for WASI: `*.wasm.gz` */
export function opaProgram(path: string): OpaProgram {
  return path.endsWith('.wasm.gz') ? new WasiOpa(path) : new NativeOpa(path);
}

class NativeOpa implements OpaProgram {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  run(dir: string, args: readonly string[]): Promise<OpaAnswer> {
    return new Promise((resolve, reject) => {
      const options = { cwd: dir, timeout: OPA_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX, env: { HOME: dir, PATH: '' } };
      execFile(this.#path, [...args], options, (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number')
          reject(new InterlockError('POLICY_BUILD', `OPA did not run: ${error.message}`, { cause: error }));
        else resolve({ ok: error === null, stdout, stderr });
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
