import { gzipSync } from 'node:zlib';
import type { BuiltPolicies } from '../decide/bundle.ts';

const BLOCK = 512;

/**
 * policy.wasm, data.json and .manifest as an OPA bundle (https://www.openpolicyagent.org/docs/management-bundles): a gzipped tar, the
 * same bytes for the same policies.
 */
export function bundleArchive({ revision, wasm, data, packages }: Pick<BuiltPolicies, 'revision' | 'wasm' | 'data' | 'packages'>): Uint8Array {
  const manifest = { revision, roots: [''], metadata: { packages: packages.map(({ name }) => name) } };
  const files = [entry('.manifest', Buffer.from(JSON.stringify(manifest))), entry('data.json', Buffer.from(data)), entry('policy.wasm', wasm)];
  return gzipSync(Buffer.concat([...files, Buffer.alloc(2 * BLOCK)]));
}

/** ustar (POSIX.1-1988): name 100, mode 8, uid 8, gid 8, size 12, mtime 12, checksum 8, type 1, link name 100, magic 6, version 2, …; zero-padded to 512. */
function entry(name: string, content: Uint8Array): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  header.write(`/${name}`, 0, 'latin1');
  header.write(octal(0o644, 7) + octal(0, 7) + octal(0, 7) + octal(content.length, 11) + octal(0, 11), 100, 'latin1');
  header.write(`        0`, 148, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([header, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);
}
