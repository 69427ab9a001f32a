/** Contents → a signed bundle: a manifest with every file's path, length and digest, signatures over the manifest, then the files. */
import { hash, sign } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { BUNDLE_FORMAT, type BundleManifest, type BundleSignatures } from '#schemas/bundle';
import { CONTRACT_VERSION } from '#schemas/common';
import { InterlockError } from '#schemas/errors';
import { timestamp } from '#client/clock';
import { writeArchive } from './archive.ts';
import type { SigningKey } from './keys.ts';
import { BUNDLE_BYTES_MAX, KEYS_MAX, UNPACKED_BYTES_MAX } from './limits.ts';

export const MANIFEST = 'manifest.json';
export const SIGNATURES = 'manifest.sig';

export interface BundleContents {
  /** Of the policies. */
  readonly revision: string;
  readonly build: string;
  /** By path, in the order in which they are to stand. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface SignOptions {
  /** Monotonic: greater than that of every other revision that was ever signed for the same enforcers. */
  readonly number: number;
  /** Wall clock, microseconds. */
  readonly madeAtUs: number;
  readonly expiresUs: number;
  readonly maxAgeMs?: number;
  /** More than one while keys are changed. */
  readonly keys: readonly SigningKey[];
}

export interface SignedBundle {
  readonly bytes: Uint8Array;
  readonly manifest: BundleManifest;
}

/** @throws InterlockError BUNDLE_MALFORMED for a path that no bundle may have; BUNDLE_TOO_LARGE */
export function signBundle({ revision, build, files }: BundleContents, options: SignOptions): SignedBundle {
  const { number, madeAtUs, expiresUs, maxAgeMs, keys } = options;
  if (keys.length === 0 || keys.length > KEYS_MAX) throw new InterlockError('BUNDLE_UNSIGNED', `a bundle is signed by 1 to ${KEYS_MAX} keys`);
  const manifest: BundleManifest = {
    format: BUNDLE_FORMAT,
    contract: CONTRACT_VERSION,
    number,
    revision,
    build,
    made_at: timestamp(madeAtUs),
    expires: timestamp(expiresUs),
    ...(maxAgeMs !== undefined && { max_age_ms: maxAgeMs }),
    files: [...files].map(([path, content]) => ({ path, length: content.length, sha256: hash('sha256', content, 'hex') })),
  };
  const text = Buffer.from(JSON.stringify(manifest));
  const signatures: BundleSignatures = {
    signatures: keys.map(({ id, key }) => ({ key_id: id, ed25519: sign(null, signedBytes(text), key).toString('base64') })),
  };
  const archive = writeArchive([
    { path: MANIFEST, content: text },
    { path: SIGNATURES, content: Buffer.from(JSON.stringify(signatures)) },
    ...[...files].map(([path, content]) => ({ path, content })),
  ]);
  if (archive.length > UNPACKED_BYTES_MAX) throw new InterlockError('BUNDLE_TOO_LARGE', `the bundle is longer than ${UNPACKED_BYTES_MAX} bytes`);
  const bytes = gzipSync(archive);
  if (bytes.length > BUNDLE_BYTES_MAX)
    throw new InterlockError('BUNDLE_TOO_LARGE', `the bundle is longer than ${BUNDLE_BYTES_MAX} bytes, compressed`);
  return { bytes, manifest };
}

/** No signature that such a key makes for another purpose is one of a bundle. */
export function signedBytes(manifest: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${BUNDLE_FORMAT}\n`), manifest]);
}
