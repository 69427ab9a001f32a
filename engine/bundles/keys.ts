/** Keys of bundles: Ed25519; private ones as PKCS #8, mode 0600, public ones as SPKI beside them (`.pub`). */
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { makePrivateFile } from '#client/private-file';
import { InterlockError } from '#schemas/errors';

export interface SigningKey {
  readonly id: string;
  readonly key: KeyObject;
  /** What enforcers are given: SPKI, PEM. */
  readonly publicKeyPem: string;
}

/** One that a bundle may be signed with. */
export interface TrustedKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** Made at the first use. @throws InterlockError STATE_MODE when others can read it; CONFIG_INVALID when it is no Ed25519 key */
export function loadOrMakeSigningKey(path: string): SigningKey {
  if (!existsSync(path)) makeSigningKey(path);
  return loadSigningKey(path);
}

/** @throws InterlockError CONFIG_INVALID when there is a file already, or it cannot be written */
export function makeSigningKey(path: string): SigningKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    if (!makePrivateFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' })))
      throw Object.assign(new Error('there is one'), { code: 'EEXIST' });
    const made = signingKey(privateKey);
    writeFileSync(`${path}.pub`, made.publicKeyPem, { mode: 0o644, flush: true });
    return made;
  } catch (error) {
    throw unusable(path, `cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
}

/** @throws InterlockError STATE_MODE, CONFIG_INVALID */
export function loadSigningKey(path: string): SigningKey {
  const mode = modeOf(path);
  if ((mode & ~0o600) !== 0)
    throw new InterlockError('STATE_MODE', `${path}: mode is 0${mode.toString(8)}; allowed: 0600 or stricter`, { hint: `chmod 0600 ${path}` });
  return signingKey(parsed(path, readText(path), createPrivateKey));
}

/** @throws InterlockError CONFIG_INVALID */
export function loadTrustedKey(path: string): TrustedKey {
  return trustedKey(readText(path), path);
}

/** @param pem SPKI @param name what errors call it @throws InterlockError CONFIG_INVALID */
export function trustedKey(pem: string, name: string): TrustedKey {
  // createPublicKey would take a private one, too: whoever hands that over by mistake should hear of it
  if (pem.includes('PRIVATE KEY')) throw unusable(name, 'holds a private key; enforcers are given the public one');
  const key = parsed(name, pem, createPublicKey);
  return { id: keyId(key), key };
}

function signingKey(key: KeyObject): SigningKey {
  const publicKey = createPublicKey(key);
  return { id: keyId(publicKey), key, publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

/** The first eight bytes of the SHA-256 of the public key (SPKI, DER), in hexadecimal digits. */
function keyId(publicKey: KeyObject): string {
  return hash('sha256', publicKey.export({ type: 'spki', format: 'der' }), 'hex').slice(0, 16);
}

function parsed(name: string, pem: string, read: (pem: string) => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read(pem);
  } catch {
    throw unusable(name, 'holds no key that can be read'); // no cause: it could repeat what it read
  }
  if (key.asymmetricKeyType !== 'ed25519') throw unusable(name, `holds a key of kind ${key.asymmetricKeyType ?? 'unknown'}; allowed: ed25519`);
  return key;
}

function modeOf(path: string): number {
  try {
    return statSync(path).mode & 0o777;
  } catch (error) {
    throw unusable(path, `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw unusable(path, `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
}

function unusable(name: string, why: string): InterlockError {
  return new InterlockError('CONFIG_INVALID', `${name}: ${why}`);
}
