/** A bundle is looked at in this order, and nothing of it is used before the end: size, form, signature, manifest, files, time (SECURITY E5). */
import { hash, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Compile } from 'typebox/compile';
import { BundleManifest, BundleSignatures } from '#schemas/bundle';
import { type ErrorCode, InterlockError } from '#schemas/errors';
import { type ArchiveEntry, readArchive } from './archive.ts';
import type { TrustedKey } from './keys.ts';
import { BUNDLE_BYTES_MAX, MADE_AHEAD_MS_MAX, MANIFEST_BYTES_MAX, SIGNATURES_BYTES_MAX, UNPACKED_BYTES_MAX } from './limits.ts';
import { MANIFEST, SIGNATURES, signedBytes } from './sign.ts';

/** Only `verifyBundle` makes one. */
export interface VerifiedBundle {
  readonly manifest: BundleManifest;
  /** By path; without manifest and signatures. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Of the key that it was verified with. */
  readonly keyId: string;
  /** Wall clock, microseconds. */
  readonly expiresUs: number;
}

export interface VerifyOptions {
  readonly trusted: readonly TrustedKey[];
  /** Wall clock, microseconds. */
  readonly nowUs: number;
}

const manifestCheck: { Check(value: unknown): boolean } = Compile(BundleManifest);
const signaturesCheck: { Check(value: unknown): boolean } = Compile(BundleSignatures);
const unzip = promisify<Uint8Array, { maxOutputLength: number; info: true }, { buffer: Buffer; engine: { bytesWritten: number } }>(gunzip as never);

/**
 * @throws InterlockError BUNDLE_TOO_LARGE, BUNDLE_MALFORMED, BUNDLE_UNSIGNED, BUNDLE_KEY, BUNDLE_TAMPERED, BUNDLE_EXPIRED. Whether it is
 * older than one that was seen before is judged where that is remembered: `BundleReceiver`.
 */
export async function verifyBundle(bytes: Uint8Array, { trusted, nowUs }: VerifyOptions): Promise<VerifiedBundle> {
  const [manifestEntry, signatures, ...entries] = readArchive(await unpacked(bytes));
  if (manifestEntry?.path !== MANIFEST) throw malformed(`its first file is not ${MANIFEST}`);
  if (signatures?.path !== SIGNATURES) throw refused('BUNDLE_UNSIGNED', `the bundle is not signed: ${SIGNATURES} does not stand behind ${MANIFEST}`);
  const keyId = signer(manifestEntry.content, signatures.content, trusted);
  const manifest = readManifest(manifestEntry.content);
  const files = filesOf(manifest, entries);
  return { manifest, files, keyId, expiresUs: checkTime(manifest, nowUs) };
}

async function unpacked(bytes: Uint8Array): Promise<Buffer> {
  if (bytes.length > BUNDLE_BYTES_MAX) throw refused('BUNDLE_TOO_LARGE', `the bundle is longer than ${BUNDLE_BYTES_MAX} bytes, compressed`);
  let unzipped: { buffer: Buffer; engine: { bytesWritten: number } };
  try {
    unzipped = await unzip(bytes, { maxOutputLength: UNPACKED_BYTES_MAX, info: true });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw refused('BUNDLE_TOO_LARGE', `the bundle is longer than ${UNPACKED_BYTES_MAX} bytes`);
    throw malformed(code === 'Z_BUF_ERROR' ? 'it is cut short' : 'it is not compressed as it should be');
  }
  if (unzipped.engine.bytesWritten !== bytes.length) throw malformed('something stands behind its end');
  return unzipped.buffer;
}

/** A key that is not known says nothing; one that is known and does not fit says that somebody changed something. */
function signer(manifest: Uint8Array, block: Uint8Array, trusted: readonly TrustedKey[]): string {
  if (manifest.length > MANIFEST_BYTES_MAX) throw refused('BUNDLE_TOO_LARGE', `its manifest is longer than ${MANIFEST_BYTES_MAX} bytes`);
  if (block.length > SIGNATURES_BYTES_MAX) throw refused('BUNDLE_TOO_LARGE', `its signatures are longer than ${SIGNATURES_BYTES_MAX} bytes`);
  const { signatures } = document<BundleSignatures>(SIGNATURES, block, signaturesCheck);
  if (signatures.length === 0) throw refused('BUNDLE_UNSIGNED', 'the bundle is not signed: its list of signatures is empty');
  const known = signatures.flatMap(({ key_id, ed25519 }) => {
    const key = trusted.find(({ id }) => id === key_id);
    return key === undefined ? [] : [{ key, signature: Buffer.from(ed25519, 'base64') }];
  });
  const [first] = known;
  if (first === undefined)
    throw refused('BUNDLE_KEY', `the bundle is signed by ${signatures.map(({ key_id }) => key_id).join(', ')}; trusted: ${named(trusted)}`);
  const signed = signedBytes(manifest);
  for (const { key, signature } of known)
    if (!verify(null, signed, key.key, signature)) throw refused('BUNDLE_TAMPERED', `its manifest is not what key ${key.id} signed`);
  return first.key.id;
}

function readManifest(content: Uint8Array): BundleManifest {
  return document<BundleManifest>(MANIFEST, content, manifestCheck);
}

/** The very files of the manifest, in its order: none more, none less. */
function filesOf({ files }: BundleManifest, entries: readonly ArchiveEntry[]): ReadonlyMap<string, Uint8Array> {
  const listed = new Set(files.map(({ path }) => path));
  if (listed.size !== files.length) throw malformed('its manifest names a file twice');
  const extra = entries.find(({ path }) => !listed.has(path));
  if (extra !== undefined) throw malformed(`${extra.path} is not in its manifest`);
  files.forEach(({ path, length, sha256 }, index) => {
    const entry = entries[index];
    if (entry === undefined || !entries.some((other) => other.path === path)) throw malformed(`${path} is missing`);
    if (entry.path !== path) throw malformed(`${entry.path} stands where ${path} should`);
    if (entry.content.length !== length) throw refused('BUNDLE_TAMPERED', `${path} is ${entry.content.length} bytes long; signed: ${length}`);
    if (hash('sha256', entry.content, 'hex') !== sha256) throw refused('BUNDLE_TAMPERED', `${path} is not what was signed`);
  });
  return new Map(entries.map(({ path, content }) => [path, content]));
}

/** @returns when it expires, microseconds */
function checkTime({ made_at, expires }: BundleManifest, nowUs: number): number {
  const expiresUs = Date.parse(expires) * 1000;
  if (!(nowUs < expiresUs)) throw refused('BUNDLE_EXPIRED', `the bundle expired at ${expires}`);
  if (!(Date.parse(made_at) <= nowUs / 1000 + MADE_AHEAD_MS_MAX)) throw refused('BUNDLE_EXPIRED', `the bundle was made at ${made_at}, in the future`);
  return expiresUs;
}

function document<T>(name: string, content: Uint8Array, check: { Check(value: unknown): boolean }): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch {
    throw malformed(`${name} is not JSON`);
  }
  if (!check.Check(value)) throw malformed(`${name} is not of its form`);
  return value as T;
}

function named(keys: readonly TrustedKey[]): string {
  return keys.length === 0 ? 'none' : keys.map(({ id }) => id).join(', ');
}

function malformed(what: string): InterlockError {
  return refused('BUNDLE_MALFORMED', `the bundle is malformed: ${what}`);
}

function refused(code: ErrorCode, message: string): InterlockError {
  return new InterlockError(code, message);
}
