/** Trouble at the start is told with the file, the line and the key that it comes from. */
import { readFileSync } from 'node:fs';
import { InterlockError } from '#schemas/errors';
import { whereIs, type LoadedConfig, type ServerTlsFiles } from './config/config.ts';

/** Puts file, line and key in front of what a part said when it did not start. */
export function located(config: LoadedConfig, path: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof InterlockError)) throw error;
    throw new InterlockError(error.code, `${whereIs(config, path)}: ${error.message}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  };
}

export function pem(files: ServerTlsFiles | null): { cert: string; key: string; ca?: string } | null {
  if (files === null) return null;
  const ca = files.caFile === null ? {} : { ca: readFileSync(files.caFile, 'utf8') };
  return { cert: readFileSync(files.certFile, 'utf8'), key: readFileSync(files.keyFile, 'utf8'), ...ca };
}
