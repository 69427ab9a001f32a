/**
 * The header of a regular file in a tar archive (ustar, POSIX.1-1988: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html), 512 bytes:
 * name 100, mode 8, uid 8, gid 8, size 12, mtime 12, checksum 8, type 1, link name 100, magic 6, version 2, user 32, group 32, device 16, prefix 155,
 * zeros 12. Behind it the content, padded with zeros to 512; behind the last file two blocks of zeros.
 */
export const BLOCK_BYTES = 512;
export const NAME_BYTES = 100;
export const PREFIX_BYTES = 155;

export interface TarFile {
  readonly path: string;
  readonly size: number;
  readonly mode: number;
  /** Since the epoch, s. */
  readonly changedS: number;
}

/** null: the path is too long to be written. */
export function ustarHeader({ path, size, mode, changedS }: TarFile): Buffer | null {
  const cut = splitPath(path);
  if (cut === null) return null;
  const bytes = Buffer.alloc(BLOCK_BYTES);
  bytes.write(cut.name, 0, 'utf8');
  bytes.write(octal(mode, 7) + octal(0, 7) + octal(0, 7) + octal(size, 11) + octal(changedS, 11), 100, 'latin1');
  bytes.write('        0', 148, 'latin1');
  bytes.write('ustar\x0000', 257, 'latin1');
  bytes.write(cut.prefix, 345, 'utf8');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** Zeros behind a content of so many bytes. */
export function tarPadding(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
}

function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, '0')}\0`;
}

/** A long path is cut at the first `/` that leaves a name short enough. */
function splitPath(path: string): { readonly prefix: string; readonly name: string } | null {
  const bytes = Buffer.from(path);
  if (bytes.length <= NAME_BYTES) return { prefix: '', name: path };
  const cut = bytes.indexOf('/', bytes.length - NAME_BYTES - 1);
  if (cut < 1 || cut > PREFIX_BYTES) return null;
  return { prefix: bytes.toString('utf8', 0, cut), name: bytes.toString('utf8', cut + 1) };
}
