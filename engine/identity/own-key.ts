/** A key of this process' own to sign tokens with, in a folder that nobody else reads. */
import { lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { calculateJwkThumbprint, type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import { makePrivateFile } from '#client/private-file';
import { InterlockError } from '#schemas/errors';

export const OWN_KEY_ALGORITHM = 'EdDSA';
const KEY_FILE = 'issuer.jwk';

export interface OwnKey {
  readonly kid: string;
  readonly key: CryptoKey;
  /** The public half. */
  readonly jwk: JWK;
}

/**
 * Makes the key on first use; any number of processes may hold the same directory.
 * @throws InterlockError STATE_MODE when others can read the directory or the key.
 */
export async function openOwnKey(dir: string): Promise<OwnKey> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  checkMode(dir, 0o700);
  const path = join(dir, KEY_FILE);
  if (!exists(path)) await makeKey(path);
  checkMode(path, 0o600);
  const secret = JSON.parse(readFileSync(path, 'utf8')) as JWK;
  const { d: _, ...open } = secret;
  const kid = await calculateJwkThumbprint(open);
  const key = (await importJWK(secret, OWN_KEY_ALGORITHM)) as CryptoKey;
  return { kid, key, jwk: { ...open, kid, alg: OWN_KEY_ALGORITHM, use: 'sig' } };
}

async function makeKey(path: string): Promise<void> {
  const { privateKey } = await generateKeyPair(OWN_KEY_ALGORITHM, { extractable: true });
  makePrivateFile(path, JSON.stringify(await exportJWK(privateKey)));
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function checkMode(path: string, mode: number): void {
  const { mode: found, uid } = statSync(path);
  const lax = (found & 0o777 & ~mode) !== 0;
  const owner = process.geteuid?.();
  if (!lax && (uid === owner || owner === 0)) return;
  const what = lax ? `has mode ${(found & 0o777).toString(8).padStart(4, '0')}` : `belongs to user ${uid}`;
  throw new InterlockError('STATE_MODE', `${path} ${what}; allowed: mode ${mode.toString(8).padStart(4, '0')}, owned by the gateway’s user`);
}
