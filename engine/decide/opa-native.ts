/** The OPA program of this machine. */
import { execFile } from 'node:child_process';
import { InterlockError } from '#schemas/errors';
import { OPA_MS_MAX, type OpaAnswer, type OpaProgram, OUTPUT_BYTES_MAX } from './opa-program.ts';

export class NativeOpa implements OpaProgram {
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
