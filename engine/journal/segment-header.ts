/** The first bytes of a segment; FORMAT.md draws them. */
import { crc32c } from './crc32c.ts';
import { putU64 } from './byte-writer.ts';
import { MAGIC, SEGMENT_HEADER_BYTES } from './format.ts';

export interface SegmentHeader {
  /** From 1. */
  readonly segment: number;
  readonly firstSeq: number;
  /** Hash of the record before the first, latin1; 32 NULs for the first of a journal. */
  readonly prev: string;
  /** 32 hexadecimal digits. */
  readonly journal: string;
  readonly createdUs: number;
}

export function writeSegmentHeader(header: SegmentHeader, into: Buffer): void {
  into.fill(0, 0, SEGMENT_HEADER_BYTES);
  into.set(MAGIC, 0);
  into.writeUInt32LE(header.segment, 12);
  putU64(into, header.firstSeq, 16);
  into.write(header.prev, 24, 32, 'latin1');
  into.write(header.journal, 56, 16, 'hex');
  putU64(into, header.createdUs, 72);
  into.writeUInt32LE(crc32c(into, 12, SEGMENT_HEADER_BYTES, crc32c(into, 0, 8)), 8);
}

/** null: these bytes are no header of a version that is known. */
export function readSegmentHeader(bytes: Buffer): SegmentHeader | null {
  if (bytes.length < SEGMENT_HEADER_BYTES || bytes.subarray(0, 8).compare(MAGIC) !== 0) return null;
  if (bytes.readUInt32LE(8) !== crc32c(bytes, 12, SEGMENT_HEADER_BYTES, crc32c(bytes, 0, 8))) return null;
  return {
    segment: bytes.readUInt32LE(12),
    firstSeq: Number(bytes.readBigUInt64LE(16)),
    prev: bytes.toString('latin1', 24, 56),
    journal: bytes.toString('hex', 56, 72),
    createdUs: Number(bytes.readBigUInt64LE(72)),
  };
}

export function segmentName(segment: number): string {
  return `${String(segment).padStart(8, '0')}.seg`;
}
