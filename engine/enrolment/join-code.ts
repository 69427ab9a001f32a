/**
 * What an operator carries from the engine to an enforcer: `ilj1.NAME.SECRET.AUTHORITY`. SECRET is 192 random bits, of which the engine keeps the
 * hash; AUTHORITY the SHA-256 of the installation's CA certificate, by which the enforcer knows the engine before it sends anything.
 */
import { createHash, randomBytes } from 'node:crypto';
import { InterlockError } from '#schemas/errors';
import { isName } from './certificate-names.ts';
import { LIMITS } from './limits.ts';

export interface JoinCode {
  readonly name: string;
  /** 24 bytes. */
  readonly secret: Buffer;
  /** SHA-256 of the authority's DER. */
  readonly authority: Buffer;
}

const PREFIX = 'ilj1';
const SECRET_BYTES = 24;
const FORM = /^ilj1\.([a-z0-9_-]{1,63})\.([A-Za-z0-9_-]{32})\.([A-Za-z0-9_-]{43})$/;

export function makeCode(name: string, authority: Buffer): { readonly text: string; readonly hash: string } {
  const secret = randomBytes(SECRET_BYTES);
  return { text: [PREFIX, name, secret.toString('base64url'), authority.toString('base64url')].join('.'), hash: hashOf(secret) };
}

/** Enough bits that no salt and no slow hash is needed. */
export function hashOf(secret: Uint8Array): string {
  return `sha256:${createHash('sha256').update('interlock join code\n').update(secret).digest('hex')}`;
}

/** @throws InterlockError USAGE: it is none; never with its text */
export function readCode(text: string): JoinCode {
  const found = text.length > LIMITS.codeChars ? null : FORM.exec(text.trim());
  const [, name = '', secret = '', authority = ''] = found ?? [];
  if (!isName(name))
    throw new InterlockError('USAGE', 'this is no join code, or not a whole one', {
      hint: 'It has four parts with dots between them, the first is `ilj1`.',
    });
  return { name, secret: Buffer.from(secret, 'base64url'), authority: Buffer.from(authority, 'base64url') };
}
