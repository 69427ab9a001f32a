/** The key file of a process: made once, readable by its owner alone; what is handed on of it is the public half. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { makePrivateFile } from '#client/private-file';
import { InterlockError } from '#schemas/errors';
import { createIdentity, readIdentity } from './identity.ts';

/**
 * The public key of the seed in `path`; made, with the seed, when there is none.
 * @throws InterlockError STATE_MODE when others can read it; CREDENTIAL_UNAVAILABLE when it holds no seed
 */
export function ownIdentity(path: string): { readonly publicKey: string; readonly created: boolean } {
  const created = !existsSync(path);
  if (created) makePrivateFile(path, `${createIdentity().seed}\n`);
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) throw new InterlockError('STATE_MODE', `${path} has mode 0${mode.toString(8)}; it must be 0600`);
  return { publicKey: readIdentity(readFileSync(path, 'utf8')).publicKey, created };
}
