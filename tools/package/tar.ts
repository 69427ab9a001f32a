/** A gzipped tar that is the same for the same files, whoever packs it and when. */
import { constants, gzipSync } from 'node:zlib';

export interface PackedFile {
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

const BLOCK = 512;
const NAME_BYTES_MAX = 100;
const PREFIX_BYTES_MAX = 155;
/** npm's own date for every file of a package: 1985-10-26T08:15:00Z. */
const SECONDS = 499_162_500;
/** Byte 9 of gzip's header names the system that packed; 255 is “unknown” (RFC 1952 §2.3.1). */
const SYSTEM_BYTE = 9;
const SYSTEM_UNKNOWN = 255;

/** @param files by path inside the archive @throws Error for a path that ustar cannot hold */
export function tarball(files: ReadonlyMap<string, PackedFile>): Buffer {
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = sorted.flatMap(([path, { bytes, executable }]) => [header(path, bytes.length, executable), bytes, padding(bytes.length)]);
  const packed = gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]), { level: constants.Z_BEST_COMPRESSION });
  packed[SYSTEM_BYTE] = SYSTEM_UNKNOWN;
  return packed;
}

/**
 * ustar (https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html): name 100, mode 8, uid 8, gid 8, size 12, mtime 12,
 * checksum 8, type 1, link name 100, magic 6, version 2, user 32, group 32, device 16, prefix 155; zero-padded to 512.
 */
function header(path: string, size: number, executable: boolean): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  const { name, prefix } = split(path);
  block.write(name, 0, 'utf8');
  block.write(octal(executable ? 0o755 : 0o644, 7) + octal(0, 7) + octal(0, 7) + octal(size, 11) + octal(SECONDS, 11), 100, 'latin1');
  block.write('        0', 148, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(prefix, 345, 'utf8');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** A long path is cut at a slash. */
function split(path: string): { readonly name: string; readonly prefix: string } {
  if (Buffer.byteLength(path) <= NAME_BYTES_MAX) return { name: path, prefix: '' };
  for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
    const prefix = path.slice(0, slash);
    const name = path.slice(slash + 1);
    if (Buffer.byteLength(prefix) <= PREFIX_BYTES_MAX && Buffer.byteLength(name) <= NAME_BYTES_MAX) return { name, prefix };
  }
  throw new Error(`${path}: too long for a tar archive`);
}

function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}
