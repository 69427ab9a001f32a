/**
 * The archive of a bundle: a tar of regular files, and of nothing else (`ustar.ts`). It is never unpacked to a disk.
 *
 * What the writer would not write the reader does not take: a header is compared with the one that it must be.
 */
import { InterlockError } from '#schemas/errors';
import { FILES_MAX, PATH_BYTES_MAX } from './limits.ts';
import { BLOCK_BYTES, NAME_BYTES, PREFIX_BYTES, tarPadding, ustarHeader } from './ustar.ts';

export interface ArchiveEntry {
  readonly path: string;
  readonly content: Uint8Array;
}

/** @throws InterlockError BUNDLE_MALFORMED for a path that no archive may have, BUNDLE_TOO_LARGE */
export function writeArchive(entries: readonly ArchiveEntry[]): Buffer {
  if (entries.length > FILES_MAX) throw new InterlockError('BUNDLE_TOO_LARGE', `the bundle has more than ${FILES_MAX} files`);
  const parts = entries.flatMap(({ path, content }) => [
    header(checkedPath(path), content.length),
    content,
    Buffer.alloc(tarPadding(content.length)),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]);
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
    const start = at + BLOCK_BYTES;
    const end = start + length;
    at = end + tarPadding(length);
    if (at > bytes.length) throw malformed(`it ends inside ${path}`);
    if (!isZero(bytes.subarray(end, at))) throw malformed(`something stands behind ${path}`);
    entries.push({ path, content: bytes.subarray(start, end) });
  }
  if (!isZero(block(bytes, at + BLOCK_BYTES)) || bytes.length !== at + 2 * BLOCK_BYTES) throw malformed('something stands behind its end');
  return entries;
}

function block(bytes: Buffer, at: number): Buffer {
  if (at + BLOCK_BYTES > bytes.length) throw malformed('it ends before its end mark');
  return bytes.subarray(at, at + BLOCK_BYTES);
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
  const written = ustarHeader({ path, size: length, mode: 0o644, changedS: 0 });
  if (written === null) throw malformed(`the path ${shown(path)} is too long`);
  return written;
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

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function malformed(what: string): InterlockError {
  return new InterlockError('BUNDLE_MALFORMED', `the bundle is malformed: ${what}`);
}
