/** What runs OPA: the program (`opa-native.ts`), or the same compiled to WASI (`opa-wasi.ts`), which a published package carries so that nobody needs Go or a download. */

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
