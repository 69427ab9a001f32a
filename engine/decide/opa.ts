/** Runs OPA on a snapshot of the policies: check, parse, build, test. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { InterlockError } from '#schemas/errors';
import { SUPPORTED_BUILTINS } from './builtins.ts';
import { NativeOpa } from './opa-native.ts';
import { type OpaAnswer, type OpaProgram, OUTPUT_BYTES_MAX } from './opa-program.ts';
import { WasiOpa } from './opa-wasi.ts';
import { TemporaryFolder } from './temporary-folder.ts';

export interface OpaProblem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** A folder of its own with the snapshot; `await using` removes it. */
export class OpaWorkspace {
  readonly #program: OpaProgram;
  readonly #folder = new TemporaryFolder('interlock-policies-');

  private constructor(program: OpaProgram) {
    this.#program = program;
  }

  /** @param program path of OPA: a program of this machine, or a module for WASI, `*.wasm.gz` */
  static async open(program: string, files: ReadonlyMap<string, string>): Promise<OpaWorkspace> {
    const workspace = new OpaWorkspace(openProgram(program));
    for (const [name, text] of files) await workspace.write(name, text);
    return workspace;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }

  async write(name: string, text: string): Promise<void> {
    const path = join(this.#folder.path, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { mode: 0o600 });
  }

  /** What the WASM and the host lack is left out, so that its use is an error with file and line. @returns every builtin that OPA knows */
  async writeCapabilities(name: string): Promise<ReadonlySet<string>> {
    const known = JSON.parse((await this.run(['capabilities', '--current'])).stdout) as { builtins: { name: string }[] };
    const builtins = known.builtins.filter((builtin) => SUPPORTED_BUILTINS.has(builtin.name));
    const wasm_abi_versions = [1, 2, 3].map((minor_version) => ({ version: 1, minor_version }));
    await this.write(name, JSON.stringify({ ...known, builtins, wasm_abi_versions }));
    return new Set(known.builtins.map((builtin) => builtin.name));
  }

  /** @returns what `opa check` finds wrong */
  async check(files: readonly string[], options: readonly string[]): Promise<OpaProblem[]> {
    const answer = await this.run(['check', '--format', 'json', '--max-errors', '50', ...options, '--', ...files]);
    return answer.ok ? [] : problemsOf(answer);
  }

  /** @throws InterlockError POLICY_BUILD */
  async build(target: 'wasm' | 'plan', member: string, files: readonly string[], options: readonly string[]): Promise<Uint8Array> {
    const archive = `${target}.tar.gz`;
    const answer = await this.run(['build', '--target', target, '--output', archive, ...options, '--', ...files]);
    if (!answer.ok) throw new InterlockError('POLICY_BUILD', answer.stderr.trim());
    const bytes = untar(gunzipSync(await readFile(join(this.#folder.path, archive)), { maxOutputLength: OUTPUT_BYTES_MAX }), member);
    if (!bytes) throw new InterlockError('POLICY_BUILD', `OPA built no ${member}`);
    return bytes;
  }

  run(args: readonly string[]): Promise<OpaAnswer> {
    return this.#program.run(this.#folder.path, args);
  }
}

function openProgram(path: string): OpaProgram {
  return path.endsWith('.wasm.gz') ? new WasiOpa(path) : new NativeOpa(path);
}

interface OpaError {
  readonly message: string;
  readonly location?: { readonly file: string; readonly row: number };
  readonly details?: { readonly oneOf?: readonly string[] };
}

function problemsOf({ stdout, stderr }: OpaAnswer): OpaProblem[] {
  let errors: readonly OpaError[] = [];
  try {
    errors = (JSON.parse(stdout.trim() === '' ? stderr : stdout) as { errors?: OpaError[] }).errors ?? [];
  } catch {
    // not JSON: its words are all we have
  }
  if (errors.length === 0) return [{ file: '', line: 0, message: (stderr || stdout).trim() }];
  return errors.map(({ message, location, details }) => ({
    file: location?.file ?? '',
    line: location?.row ?? 0,
    message: details?.oneOf ? `${message}; there is: ${details.oneOf.join(', ')}` : message,
  }));
}

/** One member of a tar archive (ustar: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html). */
function untar(archive: Uint8Array, name: string): Uint8Array | null {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  for (let at = 0; at + 512 <= bytes.length; ) {
    const member = bytes.toString('latin1', at, at + 100).split('\0')[0];
    const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 136), 8);
    if (!(size >= 0)) return null;
    if (member === name) return bytes.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return null;
}
