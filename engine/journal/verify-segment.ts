/** One segment's frames, as FORMAT.md draws them. */
import { createHash } from 'node:crypto';
import {
  ERASED_FLAG,
  FRAME_HEADER_BYTES,
  LENGTH_MASK,
  MAGIC,
  PAYLOAD_FLAG,
  RECORD_HEADER_BYTES,
  SALT_BYTES,
  SEGMENT_HEADER_BYTES,
} from './format.ts';
import type { ProblemCode, Report } from './problem.ts';
import { SegmentBodies } from './verify-body.ts';
import type { Lifecycle } from './verify-lifecycle.ts';
import type { LeafTree } from './verify-tree.ts';

/** What is known so far; segments are read in order. */
export interface Walk {
  readonly tree: LeafTree;
  readonly lifecycle: Lifecycle;
  readonly report: Report;
  journal: string | null;
  nextSeq: number;
  lastHash: Buffer;
  cutBytes: number;
  /** Nothing may stand behind: a blank or a torn segment was met. */
  ended: boolean;
  first: string | null;
  last: string | null;
}

export function readSegment(file: Buffer, segment: number, walk: Walk): void {
  const used = lastNonZero(file) + 1;
  if (!headerFits(file)) return blank(file, used, segment, walk);
  if (walk.ended) walk.report(walk.nextSeq, 'SEGMENT_HEADER', `segment ${segment} stands behind the journal’s end`);
  checkHeader(file, segment, walk);
  const bodies = new SegmentBodies();
  let at = SEGMENT_HEADER_BYTES;
  while (at + 4 <= file.length && file.readUInt32LE(at) !== 0) {
    const end = frameEnd(file, at);
    if (end === null) break;
    if (!sound(file, at, end)) {
      // goes on behind the damage where a whole frame follows it
      const next = end + FRAME_HEADER_BYTES <= file.length ? frameEnd(file, end) : null;
      if (next === null || !sound(file, end, next)) break;
      damaged(file, at, walk);
    } else if ((file.readUInt32LE(at) & PAYLOAD_FLAG) !== 0) payload(file, at, end, bodies, walk);
    else record(file, at, end, bodies, walk);
    at = end;
  }
  if (used > at) tail(file, at, used, segment, walk);
}

function headerFits(file: Buffer): boolean {
  if (file.length < SEGMENT_HEADER_BYTES || !file.subarray(0, 8).equals(MAGIC)) return false;
  return file.readUInt32LE(8) === crc([file.subarray(0, 8), file.subarray(12, SEGMENT_HEADER_BYTES)]);
}

function blank(file: Buffer, used: number, segment: number, walk: Walk): void {
  if (used > 0) tail(file, 0, used, segment, walk);
  walk.ended = true;
}

function checkHeader(file: Buffer, segment: number, walk: Walk): void {
  const journal = file.toString('hex', 56, 72);
  const firstSeq = Number(file.readBigUInt64LE(16));
  const fail = (code: ProblemCode, detail: string): void => walk.report(walk.nextSeq, code, `segment ${segment} ${detail}`);
  if (file.readUInt32LE(12) !== segment) fail('SEGMENT_HEADER', 'bears another number');
  if (walk.journal !== null && walk.journal !== journal) fail('SEGMENT_HEADER', 'is another journal’s');
  if (firstSeq !== walk.nextSeq) fail('SEQ_GAP', `starts with record ${firstSeq}`);
  else if (!file.subarray(24, 56).equals(walk.lastHash)) fail('CHAIN_BROKEN', 'does not go on from the record before it');
  walk.journal = journal;
  walk.nextSeq = firstSeq;
  walk.lastHash = Buffer.from(file.subarray(24, 56));
}

function frameEnd(file: Buffer, at: number): number | null {
  const field = file.readUInt32LE(at);
  const length = field & LENGTH_MASK;
  const least = (field & PAYLOAD_FLAG) !== 0 ? SALT_BYTES : RECORD_HEADER_BYTES;
  const end = at + FRAME_HEADER_BYTES + length;
  return length < least || end > file.length ? null : end;
}

function sound(file: Buffer, at: number, end: number): boolean {
  return file.readUInt32LE(at + 4) === crc([file.subarray(at, at + 4), file.subarray(at + 8, end)]);
}

/** The stored hash still stands, most likely, and lets the records behind it be judged. */
function damaged(file: Buffer, at: number, walk: Walk): void {
  if ((file.readUInt32LE(at) & PAYLOAD_FLAG) !== 0) {
    walk.report(walk.nextSeq, 'PAYLOAD_CORRUPT', `the payload at byte ${at} fails its checksum`);
    return;
  }
  walk.report(walk.nextSeq, 'RECORD_CORRUPT', `the record at byte ${at} fails its checksum`);
  walk.lastHash = Buffer.from(file.subarray(at + 8, at + FRAME_HEADER_BYTES));
  walk.tree.add(walk.lastHash);
  walk.lifecycle.hole();
  walk.nextSeq++;
}

function payload(file: Buffer, at: number, end: number, bodies: SegmentBodies, walk: Walk): void {
  const digest = file.subarray(at + 8, at + FRAME_HEADER_BYTES);
  const body = file.subarray(at + FRAME_HEADER_BYTES, end);
  bodies.payloadStands(digest.toString('hex'));
  const erased = (file.readUInt32LE(at) & ERASED_FLAG) !== 0;
  const whole = erased ? lastNonZero(body) < 0 : sha256([body]).equals(digest);
  if (!whole) walk.report(walk.nextSeq, 'PAYLOAD_CORRUPT', `the payload at byte ${at} is not what its digest says`);
}

function record(file: Buffer, at: number, end: number, bodies: SegmentBodies, walk: Walk): void {
  const stored = file.subarray(at + 8, at + FRAME_HEADER_BYTES);
  const body = file.subarray(at + FRAME_HEADER_BYTES, end);
  const hash = sha256([Buffer.of(0), walk.lastHash, body]);
  if (!hash.equals(stored)) walk.report(walk.nextSeq, 'CHAIN_BROKEN', `record ${walk.nextSeq} is not what its hash, over it and all before it, says`);
  try {
    const read = bodies.read(body);
    if (read.seq !== walk.nextSeq) walk.report(walk.nextSeq, 'SEQ_GAP', `record ${read.seq} stands where ${walk.nextSeq} should`);
    walk.nextSeq = read.seq;
    for (const digest of read.missing) walk.report(read.seq, 'PAYLOAD_MISSING', `the bytes of ${digest} were taken away without a trace`);
    for (const event of read.events) walk.lifecycle.see(event, read.seq);
    walk.first ??= read.time;
    walk.last = read.time;
  } catch (error) {
    walk.report(walk.nextSeq, 'FORMAT', error instanceof Error ? error.message : String(error));
    walk.lifecycle.hole();
  }
  walk.tree.add(hash);
  walk.lastHash = Buffer.from(stored);
  walk.nextSeq++;
}

/** A torn tail, unless a record of a later batch stands behind it: that batch was written only when everything before it was durable. */
function tail(file: Buffer, from: number, used: number, segment: number, walk: Walk): void {
  if (laterBatchStands(file, from, used)) {
    walk.report(walk.nextSeq, 'RECORD_CORRUPT', `segment ${segment} is damaged at byte ${from}, with records behind the damage`);
    walk.lifecycle.hole();
  } else if (walk.cutBytes > 0) walk.report(walk.nextSeq, 'RECORD_CORRUPT', `segment ${segment} holds bytes behind the journal’s end`);
  walk.cutBytes += used - from;
  walk.ended = true;
}

function laterBatchStands(file: Buffer, from: number, used: number): boolean {
  for (let at = from + 1; at < used && at + FRAME_HEADER_BYTES + RECORD_HEADER_BYTES <= file.length; at++) {
    const end = (file.readUInt32LE(at) & PAYLOAD_FLAG) === 0 ? frameEnd(file, at) : null;
    if (end === null || at - file.readUInt32LE(at + FRAME_HEADER_BYTES) <= from) continue;
    // a sequence number that no journal reaches: cheaper to see than a checksum
    if (file.readUInt32LE(at + FRAME_HEADER_BYTES + 8) <= 0xffff && sound(file, at, end)) return true;
  }
  return false;
}

function lastNonZero(bytes: Buffer): number {
  let at = bytes.length - 1;
  while (at >= 0 && bytes[at] === 0) at--;
  return at;
}

function sha256(parts: readonly Uint8Array[]): Buffer {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return digest.digest();
}

/** CRC-32C: reflected polynomial 0x82f63b78, a nibble at a step. */
function crc(parts: readonly Buffer[]): number {
  let register = 0xffffffff;
  for (const part of parts) {
    for (const byte of part) {
      register ^= byte;
      register = (register >>> 4) ^ (NIBBLES[register & 15] as number);
      register = (register >>> 4) ^ (NIBBLES[register & 15] as number);
    }
  }
  return ~register >>> 0;
}

const NIBBLES = Array.from({ length: 16 }, (_, nibble) => {
  let value = nibble;
  for (let bit = 0; bit < 4; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});
