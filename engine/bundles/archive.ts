/**
 * The archive of a bundle: a tar of regular files, and of nothing else (ustar, POSIX.1-1988:
 * https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html). It is never unpacked to a disk.
 *
 * header, 512 bytes: name 100, mode 8, uid 8, gid 8, size 12, mtime 12, checksum 8, type 1, link name 100, magic 6, version 2, user 32,
 * group 32, device 16, prefix 155, zeros 12; the content, padded with zeros to 512; … ; two blocks of zeros.
 *
 * What the writer would not write the reader does not take: a header is compared with the one that it must be.
 */
import { InterlockError } from '#schemas/errors';
import { FILES_MAX, PATH_BYTES_MAX } from './limits.ts';

export interface ArchiveEntry {
  readonly path: string;
  readonly content: Uint8Array;
}

const BLOCK = 512;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;

/** @throws InterlockError BUNDLE_MALFORMED for a path that no archive may have, BUNDLE_TOO_LARGE */
export function writeArchive(entries: readonly ArchiveEntry[]): Buffer {
  if (entries.length > FILES_MAX) throw new InterlockError('BUNDLE_TOO_LARGE', `the bundle has more than ${FILES_MAX} files`);
  const parts = entries.flatMap(({ path, content }) => [header(checkedPath(path), content.length), content, Buffer.alloc(padding(content.length))]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

/** Paths are distinct and harmless. The contents are views of `archive`. @throws InterlockError BUNDLE_MALFORMED, BUNDLE_TOO_LARGE */
export function readArchive(archive: Uint8Array): readonly ArchiveEntry[] {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  const entries: ArchiveEntry[] = [];
  const paths = new Set<string>();
  let at = 0;
  while (!isZero(block(bytes, at))) {
    if (entries.length >= FILES_MAX) throw new InterlockError('BUNDLE_TOO_LARGE', `the bundle has more than ${FILES_MAX} files`);
    const { path, length } = readHeader(block(bytes, at));
    if (paths.has(path)) throw malformed(`${path} is there twice`);
    paths.add(path);
    const start = at + BLOCK;
    const end = start + length;
    at = end + padding(length);
    if (at > bytes.length) throw malformed(`it ends inside ${path}`);
    if (!isZero(bytes.subarray(end, at))) throw malformed(`something stands behind ${path}`);
    entries.push({ path, content: bytes.subarray(start, end) });
  }
  if (!isZero(block(bytes, at + BLOCK)) || bytes.length !== at + 2 * BLOCK) throw malformed('something stands behind its end');
  return entries;
}

function block(bytes: Buffer, at: number): Buffer {
  if (at + BLOCK > bytes.length) throw malformed('it ends before its end mark');
  return bytes.subarray(at, at + BLOCK);
}

const TYPES: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a device',
  '4': 'a device',
  '5': 'a folder',
  '6': 'a pipe',
};

function readHeader(found: Buffer): { readonly path: string; readonly length: number } {
  const prefix = text(found, 345, PREFIX_BYTES);
  const path = checkedPath(prefix === '' ? text(found, 0, NAME_BYTES) : `${prefix}/${text(found, 0, NAME_BYTES)}`);
  const type = text(found, 156, 1);
  if (type !== '0') throw malformed(`${path} is ${TYPES[type] ?? 'not a regular file'}`);
  const digits = text(found, 124, 12);
  if (!/^[0-7]{11}$/.test(digits)) throw malformed(`${path} has no length`);
  const length = Number.parseInt(digits, 8);
  if (!header(path, length).equals(found)) throw malformed(`the header of ${path} is not as it is written`);
  return { path, length };
}

function header(path: string, length: number): Buffer {
  const { prefix, name } = splitPath(path);
  const bytes = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  bytes.write(name, 0, 'latin1');
  bytes.write(octal(0o644, 7) + octal(0, 7) + octal(0, 7) + octal(length, 11) + octal(0, 11), 100, 'latin1');
  bytes.write('        0', 148, 'latin1');
  bytes.write('ustar\x0000', 257, 'latin1');
  bytes.write(prefix, 345, 'latin1');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** A long path is cut at the last `/` that leaves both parts short enough. */
function splitPath(path: string): { readonly prefix: string; readonly name: string } {
  if (path.length <= NAME_BYTES) return { prefix: '', name: path };
  const cut = path.indexOf('/', path.length - NAME_BYTES - 1);
  if (cut < 1 || cut > PREFIX_BYTES) throw malformed(`the path ${shown(path)} is too long`);
  return { prefix: path.slice(0, cut), name: path.slice(cut + 1) };
}

/** Names of letters, digits, `.`, `_` and `-` that begin with none of `.` and `-`, with `/` between them: relative, and never upwards. */
const PATH = /^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/;

function checkedPath(path: string): string {
  if (PATH.test(path) && path.length <= PATH_BYTES_MAX) return path;
  throw malformed(`the path ${shown(path)} is not one that a bundle may have`);
}

function text(bytes: Buffer, at: number, length: number): string {
  const field = bytes.toString('latin1', at, at + length);
  const end = field.indexOf('\0');
  return end < 0 ? field : field.slice(0, end);
}

function shown(path: string): string {
  return JSON.stringify(path.slice(0, 100));
}

function padding(length: number): number {
  return (BLOCK - (length % BLOCK)) % BLOCK;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function malformed(what: string): InterlockError {
  return new InterlockError('BUNDLE_MALFORMED', `the bundle is malformed: ${what}`);
}
