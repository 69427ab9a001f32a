/**
 * One file for what must survive a machine.
 *
 *   interlock-state 1 LF
 *   header: one line of JSON, LF         {"form":"sealed","salt":…,"nonce":…} or {"form":"plain","sha256":…}
 *   body: the contents, sealed by AES-256-GCM under scrypt(passphrase, salt), or as they are
 *
 * The first two lines are authenticated with a sealed body. A plain one is only protected by its mode, and its sum finds damage, not an attacker.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { InterlockError } from '#schemas/errors';

const MAGIC = 'interlock-state 1\n';
/** RFC 7914; about 128 MiB and a third of a second. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 } as const;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const HEADER_CHARS_MAX = 1_024;
/** Shorter ones are guessed. */
export const PASSPHRASE_CHARS_MIN = 12;

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);

/** @param passphrase null: in clear */
export async function seal(contents: Uint8Array, passphrase: string | null): Promise<Buffer> {
  if (passphrase === null) return Buffer.concat([head({ form: 'plain', sha256: sum(contents) }), contents]);
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const header = head({ form: 'sealed', salt: salt.toString('base64'), nonce: nonce.toString('base64') });
  const cipher = createCipheriv('aes-256-gcm', await derive(passphrase, salt, KEY_BYTES, SCRYPT), nonce);
  cipher.setAAD(header);
  return Buffer.concat([header, cipher.update(contents), cipher.final(), cipher.getAuthTag()]);
}

/** @throws InterlockError STATE_EXPORT: no export, another version, damaged, changed, or another passphrase */
export async function unseal(file: Buffer, passphrase: string | null): Promise<Buffer> {
  if (!file.subarray(0, MAGIC.length).equals(Buffer.from(MAGIC))) {
    const version = /^interlock-state (\d{1,9})\n/.exec(file.subarray(0, 64).toString('latin1'))?.[1];
    throw bad(version === undefined ? 'is no export of a state' : `is of form ${version}; this version reads form 1`);
  }
  const end = file.subarray(0, MAGIC.length + HEADER_CHARS_MAX).indexOf('\n', MAGIC.length);
  if (end === -1) throw bad('is damaged: its header has no end');
  const header = file.subarray(0, end + 1);
  const body = file.subarray(end + 1);
  const fields = parsed(file.subarray(MAGIC.length, end).toString('utf8'));
  if (fields['form'] === 'plain') {
    if (fields['sha256'] !== sum(body)) throw bad('is damaged: its sum is another');
    return body;
  }
  if (fields['form'] !== 'sealed') throw bad('is damaged: its header cannot be read');
  if (passphrase === null) throw bad('is sealed: name the file of its passphrase with --passphrase-file');
  return await opened(header, body, passphrase, fields);
}

async function opened(header: Buffer, body: Buffer, passphrase: string, fields: Readonly<Record<string, unknown>>): Promise<Buffer> {
  const salt = Buffer.from(String(fields['salt']), 'base64');
  const nonce = Buffer.from(String(fields['nonce']), 'base64');
  if (salt.length !== 16 || nonce.length !== 12 || body.length < TAG_BYTES) throw bad('is damaged: its header cannot be read');
  const decipher = createDecipheriv('aes-256-gcm', await derive(passphrase, salt, KEY_BYTES, SCRYPT), nonce);
  decipher.setAAD(header);
  decipher.setAuthTag(body.subarray(body.length - TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(body.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch (error) {
    throw bad('was changed, or the passphrase is another', error);
  }
}

export function bad(what: string, cause?: unknown): InterlockError {
  return new InterlockError('STATE_EXPORT', `the export ${what}`, cause === undefined ? {} : { cause });
}

function head(fields: object): Buffer {
  return Buffer.from(`${MAGIC}${JSON.stringify(fields)}\n`);
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw bad('is damaged: its header cannot be read', error);
  }
}

function sum(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
