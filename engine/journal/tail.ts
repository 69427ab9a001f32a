/** What stands behind the last whole frame of a segment, and whether it is a torn batch or damage (FORMAT.md). */
import type { FileHandle } from 'node:fs/promises';
import { crc32c } from './crc32c.ts';
import { FRAME_HEADER_BYTES, LENGTH_MASK, PAYLOAD_FLAG, RECORD_HEADER_BYTES } from './format.ts';

export interface Tail {
  /** From the offset to the last byte that is not zero. */
  readonly length: number;
  /** The same and some zeros: a record may end in zeros. */
  readonly bytes: Buffer;
}

/** What stands in the file from `offset` on. */
export async function tailOf(file: FileHandle, offset: number, size: number): Promise<Tail> {
  const step = Math.min(1 << 20, Math.max(0, size - offset));
  const chunk = Buffer.allocUnsafe(step);
  let end = offset;
  for (let at = offset; at < size; ) {
    const { bytesRead } = await file.read(chunk, 0, step, at);
    if (bytesRead === 0) break;
    const last = lastNonZero(chunk, bytesRead);
    if (last >= 0) end = at + last + 1;
    at += bytesRead;
  }
  const bytes = Buffer.alloc(end === offset ? 0 : end - offset + TAIL_ZEROS);
  if (bytes.length > 0) await file.read(bytes, 0, bytes.length, offset);
  return { length: end - offset, bytes };
}

function lastNonZero(bytes: Buffer, length: number): number {
  if (bytes.subarray(0, length).equals(ZEROS.subarray(0, length))) return -1;
  let at = length - 1;
  while (bytes[at] === 0) at--;
  return at;
}
const ZEROS = Buffer.alloc(1 << 20);
const TAIL_ZEROS = 4096;

/** Whether a whole record stands in `tail` (which starts at `from` in its file) whose batch began behind `from`. */
export function laterBatch(tail: Buffer, from: number, expectedSeq: number): boolean {
  const last = tail.length - FRAME_HEADER_BYTES - RECORD_HEADER_BYTES;
  for (let at = 1; at <= last; at++) {
    const field = tail.readUInt32LE(at);
    const length = field & LENGTH_MASK;
    if ((field & PAYLOAD_FLAG) !== 0 || length < RECORD_HEADER_BYTES || at + FRAME_HEADER_BYTES + length > tail.length) continue;
    const body = at + FRAME_HEADER_BYTES;
    const batchStart = from + at - tail.readUInt32LE(body);
    if (batchStart <= from || tail.readUInt32LE(body + 8) > 0x1f_ffff) continue;
    const seq = tail.readUInt32LE(body + 4) + tail.readUInt32LE(body + 8) * 0x1_0000_0000;
    if (seq < expectedSeq) continue;
    if (crc32c(tail, at + 8, body + length, crc32c(tail, at, at + 4)) === tail.readUInt32LE(at + 4)) return true;
  }
  return false;
}
