/** The chain of one journal as it comes from the archive: checksums, hashes, sequence and checkpoints, frame by frame (FORMAT.md). */
import { hash, type KeyObject } from 'node:crypto';
import { crc32c } from '../crc32c.ts';
import { ERASED_FLAG, FRAME_HEADER_BYTES, ITEM, LENGTH_MASK, PAYLOAD_FLAG, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../format.ts';
import { MerkleFrontier } from '../merkle.ts';
import { readSegmentHeader } from '../segment-header.ts';
import { CheckpointWatch, type SignedCheckpoint } from './checkpoint-watch.ts';

export type Fault = { readonly code: 'conflict' | 'foreign' | 'checkpoint'; readonly detail: string };

/** What a later process goes on from; hexadecimal. */
export interface KeptChain {
  readonly next_seq: number;
  readonly last_hash: string;
  readonly roots: readonly string[];
}

export class Chain {
  readonly #journal: string;
  readonly #key: () => KeyObject | null;
  readonly #watch: CheckpointWatch;
  #nextSeq: number;
  #lastHash: string;
  #checkpoint: SignedCheckpoint | null = null;
  #lastWallUs = 0;
  /** A hash's input: 0 ‖ hash before ‖ body. */
  #scratch: Buffer = Buffer.alloc(4096);

  constructor(journal: string, key: () => KeyObject | null, from: KeptChain | null) {
    this.#journal = journal;
    this.#key = key;
    this.#watch = new CheckpointWatch(from === null ? new MerkleFrontier() : MerkleFrontier.restored(from.next_seq, from.roots));
    this.#nextSeq = from?.next_seq ?? 0;
    this.#lastHash = from === null ? '\0'.repeat(32) : Buffer.from(from.last_hash, 'hex').toString('latin1');
  }

  get nextSeq(): number {
    return this.#nextSeq;
  }
  /** hexadecimal */
  get lastHash(): string {
    return Buffer.from(this.#lastHash, 'latin1').toString('hex');
  }
  /** The newest checkpoint that fitted. */
  get checkpoint(): SignedCheckpoint | null {
    return this.#checkpoint;
  }
  /** Of the last record, µs; 0: none. */
  get lastWallUs(): number {
    return this.#lastWallUs;
  }

  keep(): KeptChain {
    return { next_seq: this.#nextSeq, last_hash: this.lastHash, roots: this.#watch.whole().kept };
  }

  /** The start of a segment; null: it goes on from here. */
  header(bytes: Buffer, segment: number): Fault | null {
    const header = readSegmentHeader(bytes.subarray(0, SEGMENT_HEADER_BYTES));
    if (header === null || header.segment !== segment) return foreign(`segment ${segment} begins with something else`);
    if (header.journal !== this.#journal) return { code: 'conflict', detail: `segment ${segment} is journal ${header.journal}’s` };
    if (header.firstSeq === this.#nextSeq && header.prev === this.#lastHash) return null;
    return { code: 'conflict', detail: `segment ${segment} does not go on from record ${this.#nextSeq - 1}` };
  }

  /**
   * Takes whole frames from `bytes`, beginning at `at`. Answers where the next one begins, before the first that is not whole; or what is wrong
   * with a frame, which is not taken: then the chain is of no use any more.
   */
  frames(bytes: Buffer, at: number): number | Fault {
    let from = at;
    while (from + FRAME_HEADER_BYTES <= bytes.length) {
      const field = bytes.readUInt32LE(from);
      if (field === 0) break;
      const end = from + FRAME_HEADER_BYTES + (field & LENGTH_MASK);
      if (end > bytes.length) break;
      const fault = this.#frame(bytes, from, end, field);
      if (fault !== null) return fault;
      from = end;
    }
    return from;
  }

  #frame(bytes: Buffer, at: number, end: number, field: number): Fault | null {
    if (crc32c(bytes, at + 8, end, crc32c(bytes, at, at + 4)) !== bytes.readUInt32LE(at + 4))
      return foreign(`a frame before record ${this.#nextSeq} is damaged`);
    const body = at + FRAME_HEADER_BYTES;
    if ((field & PAYLOAD_FLAG) !== 0) {
      if ((field & ERASED_FLAG) !== 0) return null;
      const digest = hash('sha256', bytes.subarray(body, end), 'binary');
      return digest === bytes.toString('latin1', at + 8, body)
        ? null
        : foreign(`a payload before record ${this.#nextSeq} is not what its digest says`);
    }
    return this.#record(bytes, at, body, end);
  }

  #record(bytes: Buffer, at: number, body: number, end: number): Fault | null {
    if (end - body < RECORD_HEADER_BYTES) return foreign(`record ${this.#nextSeq} is too short`);
    const seq = Number(bytes.readBigUInt64LE(body + 4));
    const stored = bytes.toString('latin1', at + 8, body);
    if (seq !== this.#nextSeq || this.#hashOf(bytes, body, end) !== stored)
      return { code: 'conflict', detail: `record ${seq} does not follow record ${this.#nextSeq - 1} of this journal` };
    this.#lastHash = stored;
    this.#nextSeq++;
    this.#lastWallUs = Number(bytes.readBigUInt64LE(body + 12));
    const claim = checkpointIn(bytes.subarray(body, end), seq);
    if (claim !== null) {
      const wrong = this.#watch.check(claim, this.#key());
      if (wrong !== null) return { code: 'checkpoint', detail: wrong };
      this.#checkpoint = claim;
    }
    this.#watch.add(stored);
    return null;
  }

  #hashOf(bytes: Buffer, body: number, end: number): string {
    const length = 33 + end - body;
    if (this.#scratch.length < length) this.#scratch = Buffer.alloc(length * 2);
    const scratch = this.#scratch;
    scratch[0] = 0;
    scratch.write(this.#lastHash, 1, 32, 'latin1');
    bytes.copy(scratch, 33, body, end);
    return hash('sha256', scratch.subarray(0, length), 'binary');
  }
}

/** A record that is a checkpoint has one item, an event as JSON; without decoding the others. */
function checkpointIn(body: Buffer, seq: number): SignedCheckpoint | null {
  if (body[RECORD_HEADER_BYTES] !== ITEM.json || body.length > CHECKPOINT_BYTES_MAX || !body.includes(MARK)) return null;
  const start = body.indexOf('{', RECORD_HEADER_BYTES + 1);
  let event: Record<string, unknown>;
  try {
    event = JSON.parse(body.toString('utf8', start)) as Record<string, unknown>;
  } catch {
    return null; // not that form: an event that only mentions checkpoints
  }
  const { type, origin, size, root, key_id, signature } = event;
  if (type !== 'checkpoint.signed' || typeof origin !== 'string' || typeof size !== 'number' || typeof root !== 'string') return null;
  if (typeof key_id !== 'string' || typeof signature !== 'string') return null;
  return { seq, origin, size, root, key_id, signature };
}

const MARK = '"checkpoint.signed"';
const CHECKPOINT_BYTES_MAX = 4096;

function foreign(detail: string): Fault {
  return { code: 'foreign', detail };
}
