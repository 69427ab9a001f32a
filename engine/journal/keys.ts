/** The checkpoint key pair: Ed25519, PKCS #8 beside SPKI (`.pub`), made at first use. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makePrivateFile } from '#client/private-file';
import { InterlockError } from '#schemas/errors';

export interface CheckpointKey {
  readonly key: KeyObject;
  readonly publicKeyPem: string;
  /** `<path>.pub` */
  readonly publicKeyFile: string;
}

/** @throws InterlockError STATE_MODE when others can read the key or its directory; CONFIG_INVALID when the file holds no Ed25519 key. */
export function loadCheckpointKey(path: string): CheckpointKey {
  const publicKeyFile = `${path}.pub`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  requireMode(dirname(path), 0o700);
  if (!existsSync(path)) create(path);
  requireMode(path, 0o600);
  const key = read(path);
  const publicKeyPem = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
  if (!existsSync(publicKeyFile) || readFileSync(publicKeyFile, 'utf8') !== publicKeyPem)
    writeFileSync(publicKeyFile, publicKeyPem, { mode: 0o644, flush: true });
  return { key, publicKeyPem, publicKeyFile };
}

/** Durable before anything is signed with it: what a power cut leaves is signed by the key that it leaves. */
function create(path: string): void {
  const { privateKey } = generateKeyPairSync('ed25519');
  makePrivateFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

function read(path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(path));
  } catch (cause) {
    throw new InterlockError('CONFIG_INVALID', `${path} holds no private key`, { cause });
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new InterlockError('CONFIG_INVALID', `${path} holds ${key.asymmetricKeyType}, not ed25519`);
  return key;
}

function requireMode(path: string, mode: number): void {
  const found = statSync(path).mode & 0o777;
  if ((found & ~mode) !== 0) throw new InterlockError('STATE_MODE', `${path} has mode 0${found.toString(8)}; it must be 0${mode.toString(8)}`);
}
