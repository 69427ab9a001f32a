/** One segment's frames, as FORMAT.md draws them. */
import { hash } from 'node:crypto';
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
import { frameChecksum, headerChecksum } from './verify-crc.ts';
import type { Lifecycle } from './verify-lifecycle.ts';
import type { Silences } from './verify-silence.ts';
import type { LeafTree } from './verify-tree.ts';

/** What is known so far; segments are read in order. */
export interface Walk {
  readonly tree: LeafTree;
  readonly lifecycle: Lifecycle;
  readonly silences: Silences;
  readonly report: Report;
  journal: string | null;
  nextSeq: number;
  /** latin1 */
  lastHash: string;
  cutBytes: number;
  /** Nothing may stand behind: a blank or a torn segment was met. */
  ended: boolean;
  /** Wall clocks of the first and the last record, µs; -1: there is none. */
  firstUs: number;
  lastUs: number;
  /** The record that somebody wants, and what stands of it, once it was met. */
  readonly wanted: number;
  kept: { readonly prev: Buffer; readonly body: Buffer } | null;
}

export function readSegment(file: Buffer, segment: number, walk: Walk): void {
  const used = lastNonZero(file) + 1;
  if (!headerFits(file)) return blank(file, used, segment, walk);
  if (walk.ended) walk.report(walk.nextSeq, 'SEGMENT_HEADER', `segment ${segment} stands behind the journal’s end`);
  checkHeader(file, segment, walk);
  const bodies = new SegmentBodies(walk.lifecycle);
  let at = SEGMENT_HEADER_BYTES;
  while (at + 4 <= file.length && file.readUInt32LE(at) !== 0) {
    const end = frameEnd(file, at);
    if (end === null) break;
    if (!sound(file, at, end)) {
      // goes on behind the damage where a whole frame follows it
      const next = end + FRAME_HEADER_BYTES <= file.length ? frameEnd(file, end) : null;
      if (next === null || !sound(file, end, next)) break;
      damaged(file, at, walk);
    } else if (((file[at + 3] as number) & 0x80) !== 0) payload(file, at, end, bodies, walk);
    else record(file, at, end, bodies, walk);
    at = end;
  }
  if (used > at) tail(file, at, used, segment, walk);
}

function headerFits(file: Buffer): boolean {
  if (file.length < SEGMENT_HEADER_BYTES || !file.subarray(0, 8).equals(MAGIC)) return false;
  return file.readUInt32LE(8) === headerChecksum(file, SEGMENT_HEADER_BYTES);
}

function blank(file: Buffer, used: number, segment: number, walk: Walk): void {
  if (used > 0) tail(file, 0, used, segment, walk);
  walk.ended = true;
}

function checkHeader(file: Buffer, segment: number, walk: Walk): void {
  const journal = file.toString('hex', 56, 72);
  const firstSeq = Number(file.readBigUInt64LE(16));
  const prev = file.toString('latin1', 24, 56);
  const fail = (code: ProblemCode, detail: string): void => walk.report(walk.nextSeq, code, `segment ${segment} ${detail}`);
  if (file.readUInt32LE(12) !== segment) fail('SEGMENT_HEADER', 'bears another number');
  if (walk.journal !== null && walk.journal !== journal) fail('SEGMENT_HEADER', 'is another journal’s');
  if (firstSeq !== walk.nextSeq) fail('SEQ_GAP', `starts with record ${firstSeq}`);
  else if (prev !== walk.lastHash) fail('CHAIN_BROKEN', 'does not go on from the record before it');
  walk.journal ??= journal;
  walk.nextSeq = firstSeq;
  walk.lastHash = prev;
}

function frameEnd(file: Buffer, at: number): number | null {
  const field = file.readUInt32LE(at);
  const length = field & LENGTH_MASK;
  const least = (field & PAYLOAD_FLAG) !== 0 ? SALT_BYTES : RECORD_HEADER_BYTES;
  const end = at + FRAME_HEADER_BYTES + length;
  return length < least || end > file.length ? null : end;
}

function sound(file: Buffer, at: number, end: number): boolean {
  return file.readUInt32LE(at + 4) === frameChecksum(file, at, end);
}

/** The stored hash still stands, most likely, and lets the records behind it be judged. */
function damaged(file: Buffer, at: number, walk: Walk): void {
  if ((file.readUInt32LE(at) & PAYLOAD_FLAG) !== 0) {
    walk.report(walk.nextSeq, 'PAYLOAD_CORRUPT', `the payload at byte ${at} fails its checksum`);
    return;
  }
  walk.report(walk.nextSeq, 'RECORD_CORRUPT', `the record at byte ${at} fails its checksum`);
  walk.lastHash = file.toString('latin1', at + 8, at + FRAME_HEADER_BYTES);
  walk.tree.add(walk.lastHash);
  walk.lifecycle.hole();
  walk.nextSeq++;
}

function payload(file: Buffer, at: number, end: number, bodies: SegmentBodies, walk: Walk): void {
  const digest = file.toString('latin1', at + 8, at + FRAME_HEADER_BYTES);
  const body = file.subarray(at + FRAME_HEADER_BYTES, end);
  bodies.payloadStands(digest);
  const erased = (file.readUInt32LE(at) & ERASED_FLAG) !== 0;
  const whole = erased ? lastNonZero(body) < 0 : hash('sha256', body, 'binary') === digest;
  if (!whole) walk.report(walk.nextSeq, 'PAYLOAD_CORRUPT', `the payload at byte ${at} is not what its digest says`);
}

function record(file: Buffer, at: number, end: number, bodies: SegmentBodies, walk: Walk): void {
  const body = at + FRAME_HEADER_BYTES;
  const stored = file.toString('latin1', at + 8, body);
  const found = chained(walk.lastHash, file, body, end);
  if (found !== stored) walk.report(walk.nextSeq, 'CHAIN_BROKEN', `record ${walk.nextSeq} is not what its hash, over it and all before it, says`);
  try {
    bodies.read(file, body, end);
    const { seq, wallUs } = bodies;
    if (seq !== walk.nextSeq) walk.report(walk.nextSeq, 'SEQ_GAP', `record ${seq} stands where ${walk.nextSeq} should`);
    walk.nextSeq = seq;
    for (const digest of bodies.missing) walk.report(seq, 'PAYLOAD_MISSING', `the bytes of ${digest} were taken away without a trace`);
    if (walk.firstUs < 0) walk.firstUs = wallUs;
    walk.lastUs = wallUs;
    if (seq === walk.wanted) walk.kept = { prev: Buffer.from(walk.lastHash, 'latin1'), body: Buffer.from(file.subarray(body, end)) };
    walk.silences.record(seq, wallUs, bodies.tickUs, walk.lifecycle);
  } catch (error) {
    walk.report(walk.nextSeq, 'FORMAT', error instanceof Error ? error.message : String(error));
    walk.lifecycle.hole();
  }
  walk.tree.add(found);
  walk.lastHash = stored;
  walk.nextSeq++;
}

let scratch = Buffer.alloc(1 << 16);
/** Its beginnings, by length: records are mostly as long as others were, and a view costs as much as a short hash. */
let beginnings: Buffer[] = [];
const BEGINNINGS_BYTES_MAX = 4096;

/** latin1 */
function chained(before: string, file: Buffer, body: number, end: number): string {
  const length = 33 + end - body;
  if (scratch.length < length) {
    scratch = Buffer.alloc(2 * length);
    beginnings = [];
  }
  scratch[0] = 0;
  scratch.write(before, 1, 32, 'latin1');
  file.copy(scratch, 33, body, end);
  return hash('sha256', length > BEGINNINGS_BYTES_MAX ? scratch.subarray(0, length) : (beginnings[length] ??= scratch.subarray(0, length)), 'binary');
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

const ZEROS = Buffer.alloc(1 << 14);

function lastNonZero(bytes: Buffer): number {
  let end = bytes.length;
  while (end >= ZEROS.length && bytes.compare(ZEROS, 0, ZEROS.length, end - ZEROS.length, end) === 0) end -= ZEROS.length;
  let at = end - 1;
  while (at >= 0 && bytes[at] === 0) at--;
  return at;
}
