/**
 * What a client carries for us and must not read or change: `requestState` and the names of tasks. AES-256-GCM; bound to its purpose, target and
 * principal by the additional data, so that nobody else's and nothing else's opens.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makePrivateFile } from '#client/private-file';
import { InterlockError } from '#schemas/errors';
import { MCP_LIMITS } from './limits.ts';

export interface Sealer {
  seal(purpose: string, subject: string, value: object): string;
  /** null: not one of ours for this purpose and principal. */
  open(purpose: string, subject: string, text: string): unknown;
}

const VERSION = 1;
const NONCE = 12;
const TAG = 16;

/** Makes the key on first use (0600). @throws InterlockError CONFIG_INVALID */
export function openSealer(stateDir: string, target: string): Sealer {
  const key = keyIn(join(stateDir, 'mcp'));
  const aad = (purpose: string, subject: string): Buffer => Buffer.from(JSON.stringify([VERSION, purpose, target, subject]), 'utf8');
  return {
    seal(purpose, subject, value) {
      const nonce = randomBytes(NONCE);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(aad(purpose, subject));
      const body = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
      return Buffer.concat([Buffer.of(VERSION), nonce, body, cipher.getAuthTag()]).toString('base64url');
    },
    open(purpose, subject, text) {
      if (text.length > MCP_LIMITS.stateChars || !/^[A-Za-z0-9_-]+$/.test(text)) return null;
      const bytes = Buffer.from(text, 'base64url');
      if (bytes.length <= 1 + NONCE + TAG || bytes[0] !== VERSION) return null;
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, 1 + NONCE)).setAAD(aad(purpose, subject));
        decipher.setAuthTag(bytes.subarray(-TAG));
        return JSON.parse(decipher.update(bytes.subarray(1 + NONCE, -TAG), undefined, 'utf8') + decipher.final('utf8'));
      } catch {
        return null; // changed, or somebody else's: whoever asks refuses
      }
    },
  };
}

function keyIn(dir: string): Buffer {
  const file = join(dir, 'seal.key');
  try {
    if (!existsSync(file)) makePrivateFile(file, randomBytes(32));
  } catch (error) {
    throw new InterlockError('CONFIG_INVALID', `${file} cannot be written`, { cause: error });
  }
  const key = readFileSync(file);
  if (key.length !== 32) throw new InterlockError('CONFIG_INVALID', `${file} is not a key of 32 bytes`);
  return key;
}
