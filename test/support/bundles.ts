/** Signed bundles, as they are and spoilt: every way in which one is refused is made by hand here, byte by byte. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { makeSigningKey, type SigningKey, type TrustedKey, trustedKey } from '#engine/bundles/keys';
import { type BundleContents, type SignOptions, signBundle } from '#engine/bundles/sign';

const BLOCK = 512;
export const NOW_US: number = Date.parse('2026-11-23T10:00:00Z') * 1000;
export const HOUR_US = 3_600_000_000;

export async function keyFolder(): Promise<{ dir: string; key(name: string): SigningKey } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'interlock-keys-'));
  return { dir, key: (name) => makeSigningKey(join(dir, name)), [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

export function trusting(...keys: readonly SigningKey[]): TrustedKey[] {
  return keys.map(({ publicKeyPem }) => trustedKey(publicKeyPem, 'a key of the test'));
}

export function contents(files: Readonly<Record<string, string>> = { 'policy.wasm': 'wasm', 'data.json': '{}' }): BundleContents {
  const entries = Object.entries(files).map(([path, text]) => [path, Buffer.from(text)] as const);
  return { revision: `sha256:${'a'.repeat(64)}`, build: 'test', files: new Map(entries) };
}

export function signed(key: SigningKey, over: Partial<SignOptions> = {}, of: BundleContents = contents()): Uint8Array {
  return signBundle(of, { number: 7, madeAtUs: NOW_US, expiresUs: NOW_US + HOUR_US, keys: [key], ...over }).bytes;
}

/** One entry of the archive: header and padded content. */
export interface RawEntry {
  readonly header: Buffer;
  readonly content: Buffer;
}

export function entriesOf(bundle: Uint8Array): RawEntry[] {
  const tar = gunzipSync(bundle);
  const entries: RawEntry[] = [];
  for (let at = 0; tar[at] !== 0; ) {
    const length = Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8);
    const end = at + BLOCK + Math.ceil(length / BLOCK) * BLOCK;
    entries.push({ header: Buffer.from(tar.subarray(at, at + BLOCK)), content: Buffer.from(tar.subarray(at + BLOCK, at + BLOCK + length)) });
    at = end;
  }
  return entries;
}

export function archived(entries: readonly RawEntry[], end: Buffer = Buffer.alloc(2 * BLOCK)): Buffer {
  const parts = entries.flatMap(({ header, content }) => [header, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);
  return gzipSync(Buffer.concat([...parts, end]));
}

/** The same bundle with one entry, by its path, changed or dropped. */
export function edited(bundle: Uint8Array, path: string, edit: (entry: RawEntry) => RawEntry | readonly RawEntry[]): Buffer {
  return archived(entriesOf(bundle).flatMap((entry) => (nameOf(entry) === path ? edit(entry) : [entry])));
}

export function nameOf({ header }: RawEntry): string {
  return header.toString('latin1', 0, 100).split('\0')[0] ?? '';
}

/** A header as any tar would write it, with its checksum. */
export function entry(path: string, content: string, over: { readonly type?: string; readonly link?: string } = {}): RawEntry {
  const body = Buffer.from(content);
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  header.write(path, 0, 100, 'latin1');
  header.write(octal(0o644, 7) + octal(0, 7) + octal(0, 7) + octal(body.length, 11) + octal(0, 11), 100, 'latin1');
  header.write(over.type ?? '0', 156, 'latin1');
  header.write(over.link ?? '', 157, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  return { header: summed(header), content: body };
}

export function summed(header: Buffer): Buffer {
  header.write('        ', 148, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

export function strangerPem(): string {
  return generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
}
