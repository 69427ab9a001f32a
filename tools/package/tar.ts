/** A gzipped tar that is the same for the same files, whoever packs it and when. */
import { constants, gzipSync } from 'node:zlib';
import { BLOCK_BYTES, tarPadding, ustarHeader } from '#engine/bundles/ustar';

export interface PackedFile {
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

/** npm's own date for every file of a package: 1985-10-26T08:15:00Z. */
const SECONDS = 499_162_500;
/** Byte 9 of gzip's header names the system that packed; 255 is “unknown” (RFC 1952 §2.3.1). */
const SYSTEM_BYTE = 9;
const SYSTEM_UNKNOWN = 255;

/** @param files by path inside the archive @throws Error for a path that ustar cannot hold */
export function tarball(files: ReadonlyMap<string, PackedFile>): Buffer {
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = sorted.flatMap(([path, file]) => [header(path, file), file.bytes, Buffer.alloc(tarPadding(file.bytes.length))]);
  const packed = gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]), { level: constants.Z_BEST_COMPRESSION });
  packed[SYSTEM_BYTE] = SYSTEM_UNKNOWN;
  return packed;
}

/** @throws Error */
function header(path: string, { bytes, executable }: PackedFile): Buffer {
  const written = ustarHeader({ path, size: bytes.length, mode: executable ? 0o755 : 0o644, changedS: SECONDS });
  if (written === null) throw new Error(`${path}: too long for a tar archive`);
  return written;
}
