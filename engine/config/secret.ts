import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { InterlockError } from '#schemas/errors';
import type { SecretSource } from './config.ts';

const BYTES_MAX = 64 * 1024;
const EXEC_MS_MAX = 10_000;
const run = promisify(execFile);

/**
 * Reads a secret from where its reference points; one newline at the end is dropped. Tell the log of it (`hide`) before using it.
 * @throws InterlockError CREDENTIAL_UNAVAILABLE, naming the reference and never the value.
 */
export async function readSecret(source: SecretSource): Promise<string> {
  const value = (await read(source)).replace(/\r?\n$/, '');
  if (value === '') throw unavailable(source, 'is empty');
  if (value.includes('\0')) throw unavailable(source, 'contains NUL');
  return value;
}

/** `file /run/secrets/shop`, `environment variable SHOP_URL`, `program /usr/bin/pass`. */
export function describeSecret(source: SecretSource): string {
  switch (source.kind) {
    case 'file':
      return `file ${source.path}`;
    case 'env':
      return `environment variable ${source.name}`;
    case 'exec':
      return `program ${source.argv[0] ?? ''}`; // its arguments may be telling
    case 'vault':
      return `vault ${source.mount}/${source.path}#${source.field}`;
  }
}

async function read(source: SecretSource): Promise<string> {
  switch (source.kind) {
    case 'file':
      return await readFileBounded(source);
    case 'env': {
      const value = process.env[source.name];
      if (value === undefined) throw unavailable(source, 'is not set');
      return value;
    }
    case 'exec':
      return await runProgram(source);
    case 'vault':
      throw unavailable(source, 'is read for targets only');
  }
}

async function readFileBounded(source: SecretSource & { kind: 'file' }): Promise<string> {
  try {
    await using handle = await open(source.path, 'r');
    const bytes = Buffer.alloc(BYTES_MAX + 1);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    if (bytesRead > BYTES_MAX) throw unavailable(source, 'is longer than 64 KiB');
    return bytes.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (error instanceof InterlockError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    throw unavailable(source, code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? 'unknown'})`);
  }
}

/** Without a shell. What it wrote is in the error that execFile throws: no `cause`. */
async function runProgram(source: SecretSource & { kind: 'exec' }): Promise<string> {
  const [program = '', ...args] = source.argv;
  try {
    return (await run(program, args, { timeout: EXEC_MS_MAX, maxBuffer: BYTES_MAX, windowsHide: true })).stdout;
  } catch (error) {
    const { code, killed } = error as { code?: string | number; killed?: boolean };
    const how =
      killed === true ? 'did not end within 10 s' : typeof code === 'number' ? `ended with ${code}` : `cannot be started (${code ?? 'unknown'})`;
    throw unavailable(source, how);
  }
}

function unavailable(source: SecretSource, why: string): InterlockError {
  return new InterlockError('CREDENTIAL_UNAVAILABLE', `${describeSecret(source)} ${why}`);
}
