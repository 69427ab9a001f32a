/** SCRAM-SHA-256 as the client of a target that is not trusted (RFC 5802, RFC 7677; SECURITY P5). No channel binding yet. */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { LIMITS } from '#enforcers/common/limits';

const derive = promisify(pbkdf2);
const NONCE_BYTES = 18;
const NONCE_CHARS_MAX = 256;
const SALT_BYTES_MAX = 256;
const KEY_BYTES = 32;

export interface Scram {
  readonly first: string;
  /** server-first → client-final. */
  answer(serverFirst: string): Promise<string>;
  /** server-final: throws unless the server knows the password too. */
  verify(serverFinal: string): void;
}

/** @throws Error with a message that names what the server did wrong, and never the password. */
export function scramClient(password: string): Scram {
  const nonce = randomBytes(NONCE_BYTES).toString('base64');
  const bare = `n=,r=${nonce}`;
  let signature: Buffer | null = null;
  return {
    first: `n,,${bare}`,
    async answer(serverFirst) {
      const { serverNonce, salt, iterations } = readFirst(serverFirst, nonce);
      const salted = await derive(password.normalize('NFKC'), salt, iterations, KEY_BYTES, 'sha256');
      const clientKey = hmac(salted, 'Client Key');
      const stored = createHash('sha256').update(clientKey).digest();
      const unproved = `c=biws,r=${serverNonce}`;
      const transcript = `${bare},${serverFirst},${unproved}`;
      const proof = xor(clientKey, hmac(stored, transcript));
      signature = hmac(hmac(salted, 'Server Key'), transcript);
      return `${unproved},p=${proof.toString('base64')}`;
    },
    verify(serverFinal) {
      const value = attribute(serverFinal, 'v');
      const given = value === null ? Buffer.alloc(0) : Buffer.from(value, 'base64');
      if (signature === null || given.length !== signature.length || !timingSafeEqual(given, signature)) {
        throw new Error('the target did not prove that it knows the password (SCRAM)');
      }
    },
  };
}

function readFirst(text: string, nonce: string): { serverNonce: string; salt: Buffer; iterations: number } {
  if (text.length > LIMITS.scramMessageBytes) throw new Error('the target sent an oversized SCRAM message');
  const serverNonce = attribute(text, 'r');
  const salt = attribute(text, 's');
  const count = attribute(text, 'i');
  if (serverNonce === null || salt === null || count === null) throw new Error('the target sent a malformed SCRAM message');
  if (!serverNonce.startsWith(nonce) || serverNonce.length === nonce.length || serverNonce.length > NONCE_CHARS_MAX) {
    throw new Error('the target sent a SCRAM nonce that does not continue ours');
  }
  const iterations = /^[1-9][0-9]{0,9}$/.test(count) ? Number(count) : 0;
  if (iterations < 1 || iterations > LIMITS.scramIterations) throw new Error(`the target asked for ${count} SCRAM iterations`);
  const bytes = Buffer.from(salt, 'base64');
  if (bytes.length === 0 || bytes.length > SALT_BYTES_MAX) throw new Error('the target sent a SCRAM salt of a strange length');
  return { serverNonce, salt: bytes, iterations };
}

function attribute(text: string, letter: string): string | null {
  for (const part of text.split(',')) if (part.startsWith(`${letter}=`)) return part.slice(2);
  return null;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function xor(a: Buffer, b: Buffer): Buffer {
  const out = Buffer.allocUnsafe(a.length);
  for (let at = 0; at < a.length; at++) out[at] = (a[at] as number) ^ (b[at] as number);
  return out;
}
