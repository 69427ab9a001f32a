/** The process that runs OPA's module: compiled once, a fresh instance for each command. It may be killed at any moment. */
import { closeSync, fstatSync, openSync, readFileSync, readSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { WASI } from 'node:wasi';
import { gunzipSync } from 'node:zlib';
import type { WasiAnswer, WasiBounds, WasiCommand } from './opa-wasi.ts';
import { Wasm, type WasmModule } from './wasm-api.ts';
import { withMemoryMax } from './wasm-memory.ts';

/** Where the module sees the folder; it sees no other. */
const WORK = '/work';
const MODULE_BYTES_MAX = 128 * 1024 * 1024;
const PAGES_PER_MIB = 16;

const [path = '', bounds] = [process.argv[2], JSON.parse(process.argv[3] ?? '{}') as WasiBounds];
let compiled: WasmModule | null = null;

process.on('message', (command: WasiCommand) => process.send?.(answer(command)));

function answer(command: WasiCommand): WasiAnswer {
  try {
    return run((compiled ??= compile()), command);
  } catch (error) {
    return { failed: (error as Error).message };
  }
}

function compile(): WasmModule {
  const wasm = gunzipSync(readFileSync(path), { maxOutputLength: MODULE_BYTES_MAX });
  return new Wasm.Module(withMemoryMax(wasm, bounds.memoryMiB * PAGES_PER_MIB));
}

function run(module: WasmModule, { dir, args }: WasiCommand): WasiAnswer {
  const stdout = openSink(join(dir, '.interlock-stdout'));
  const stderr = openSink(join(dir, '.interlock-stderr'));
  try {
    const wasi = new WASI({
      version: 'preview1',
      args: ['opa', ...args],
      // the collector works harder before the bound is reached
      env: { PWD: WORK, GOMEMLIMIT: `${Math.floor(bounds.memoryMiB * 0.8)}MiB` },
      preopens: { [WORK]: dir },
      stdout,
      stderr,
      returnOnExit: true,
    });
    const code = wasi.start(new Wasm.Instance(module, wasi.getImportObject() as object));
    return { code: code ?? 0, stdout: readSink(stdout), stderr: readSink(stderr) };
  } finally {
    closeSync(stdout);
    closeSync(stderr);
  }
}

/** A file without a name. */
function openSink(file: string): number {
  const descriptor = openSync(file, 'wx+', 0o600);
  unlinkSync(file);
  return descriptor;
}

function readSink(descriptor: number): string {
  const { size } = fstatSync(descriptor);
  if (size > bounds.outputBytes) throw new Error(`it wrote more than ${bounds.outputBytes} bytes`);
  const bytes = Buffer.alloc(size);
  let at = 0;
  while (at < size) {
    const read = readSync(descriptor, bytes, at, size - at, at);
    if (read === 0) break;
    at += read;
  }
  return bytes.toString('utf8', 0, at);
}
