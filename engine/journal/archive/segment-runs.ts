/**
 * A journal's files as runs for the archive: read beside the writer, from what is on stable storage alone. Lengths of frames are followed, nothing
 * is decoded: what a record says is not the forwarder's business.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { InterlockError } from '#schemas/errors';
import { FRAME_HEADER_BYTES, LENGTH_MASK, PAYLOAD_FLAG, SEGMENT_HEADER_BYTES } from '../format.ts';
import { readSegmentHeader, segmentName } from '../segment-header.ts';
import type { Place, Run } from './port.ts';

/** Up to where bytes may be read: everything before `offset` of `segment`. */
export interface End extends Place {
  readonly position: number;
}

export interface NextRun extends Run {
  /** Position of the last whole record up to and with this run; null: the run is a part, and ends none. */
  readonly position: number | null;
  /** Wall clock of its first record, µs; null where none begins. */
  readonly sinceUs: number | null;
  readonly begun: Begun | null;
}

/** A frame that begins before the next run: its other bytes went in a part. */
interface Begun {
  readonly endsAt: number;
  /** Of a record; null: a payload. */
  readonly record: { readonly position: number; readonly id: string } | null;
}

export interface LastRecord {
  readonly position: number;
  /** Its hash, hexadecimal. */
  readonly id: string;
  readonly endsAt: number;
}

/** How much of a segment is read at a time to find where frames begin. */
const SCAN_BYTES = 1 << 20;

export class SegmentRuns {
  readonly #dir: string;
  #file: FileHandle | null = null;
  #fileOf = 0;
  #at: Place = { segment: 1, offset: 0 };
  #begun: Begun | null = null;

  constructor(dir: string) {
    this.#dir = dir;
  }

  get at(): Place {
    return this.#at;
  }

  /**
   * Goes on from a place that an earlier run ended at. Answers the last whole record before it in its segment; null: there is none in that segment.
   * @throws InterlockError ARCHIVE_CONFLICT when the journal does not reach the place
   */
  async seek(place: Place, end: Place): Promise<LastRecord | null> {
    if (place.segment > end.segment || (place.segment === end.segment && place.offset > end.offset)) {
      throw new InterlockError(
        'ARCHIVE_CONFLICT',
        `the archive goes up to byte ${place.offset} of segment ${place.segment}, and the journal does not`,
      );
    }
    const window = Buffer.allocUnsafe(SCAN_BYTES);
    let begun: Begun | null = null;
    let record: LastRecord | null = null;
    for (let at = SEGMENT_HEADER_BYTES, from = 0, filled = 0; at < place.offset; ) {
      if (at + HEAD_BYTES > from + filled) {
        from = at;
        filled = await this.#read(place.segment, window, from);
        if (filled < HEAD_BYTES) break;
      }
      if (window.readUInt32LE(at - from) === 0) break;
      begun = begunAt(window, at - from, from);
      at = begun.endsAt;
      if (begun.record !== null && at <= place.offset) record = { ...begun.record, endsAt: at };
    }
    this.#at = place;
    this.#begun = begun !== null && begun.endsAt > place.offset ? begun : null;
    return record;
  }

  /** Bytes that stand at a place, as many as there are. */
  async bytesAt(place: Place, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, await this.#read(place.segment, bytes, place.offset));
  }

  /** The next run of about `target` bytes and `max` at most; null: everything durable was handed out. It is handed out again until `advance`. */
  async next(end: End, target: number, max: number): Promise<NextRun | null> {
    for (;;) {
      const { segment, offset } = this.#at;
      const room = segment >= end.segment ? end.offset - offset : Number.MAX_SAFE_INTEGER;
      if (room <= 0) return null;
      for (const most of target < max ? [target, max] : [max]) {
        const bytes = await this.bytesAt(this.#at, Math.min(most, room));
        const run = this.#wholeRecords(bytes);
        if (run !== null) return run;
        if (this.#isOver(bytes)) break;
        if (most === max) return this.#part(bytes);
      }
      if (segment >= end.segment) return null;
      this.#at = { segment: segment + 1, offset: 0 };
      this.#begun = null;
    }
  }

  /** What was handed out is in the archive. */
  advance(run: NextRun): void {
    this.#at = { segment: run.segment, offset: run.offset + run.bytes.length };
    this.#begun = run.begun;
  }

  /** The `seq` of a segment's first record. */
  async firstOf(segment: number): Promise<number> {
    const head = await this.bytesAt({ segment, offset: 0 }, SEGMENT_HEADER_BYTES);
    return readSegmentHeader(head)?.firstSeq ?? 0;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  /** Where in `bytes` the first frame begins that is not begun. */
  #firstFrame(): number {
    const { offset } = this.#at;
    return this.#begun === null ? Math.max(0, SEGMENT_HEADER_BYTES - offset) : this.#begun.endsAt - offset;
  }

  /** The whole records at the start of `bytes`; null: not even one ends there. */
  #wholeRecords(bytes: Buffer): NextRun | null {
    let at = this.#firstFrame();
    let cutAt = -1;
    let lastAt = -1;
    let sinceUs: number | null = null;
    if (this.#begun?.record && at <= bytes.length) cutAt = at;
    while (at + HEAD_BYTES <= bytes.length) {
      const field = bytes.readUInt32LE(at);
      const end = at + FRAME_HEADER_BYTES + (field & LENGTH_MASK);
      if (field === 0 || end > bytes.length) break;
      if ((field & PAYLOAD_FLAG) === 0) {
        sinceUs ??= Number(bytes.readBigUInt64LE(at + FRAME_HEADER_BYTES + 12));
        lastAt = at;
        cutAt = end;
      }
      at = end;
    }
    if (cutAt < 0) return null;
    const last = lastAt < 0 ? this.#begun?.record : begunAt(bytes, lastAt, 0).record;
    if (!last) return null;
    return { ...this.#at, bytes: bytes.subarray(0, cutAt), id: last.id, position: last.position, sinceUs, begun: null };
  }

  /** Zeros where a frame would begin, or the end of the file. */
  #isOver(bytes: Buffer): boolean {
    const at = this.#firstFrame();
    return at + 4 > bytes.length ? at >= bytes.length && this.#begun === null : bytes.readUInt32LE(at) === 0;
  }

  /** A record that no message holds goes in parts, with its payloads before it. */
  #part(bytes: Buffer): NextRun {
    const { segment, offset } = this.#at;
    let begun = this.#begun;
    let at = this.#firstFrame();
    while (at + HEAD_BYTES <= bytes.length) {
      begun = begunAt(bytes, at, offset);
      at = begun.endsAt - offset;
    }
    // a head that is cut in two stands whole at the start of the next part
    const run = bytes.subarray(0, Math.min(bytes.length, at));
    if (run.length === 0) throw new InterlockError('JOURNAL_CORRUPT', `segment ${segment} ends within a frame, at byte ${offset}`);
    const endsAt = offset + run.length;
    return {
      segment,
      offset,
      bytes: run,
      id: `${segment}.${endsAt}`,
      position: null,
      sinceUs: null,
      begun: begun !== null && begun.endsAt > endsAt ? begun : null,
    };
  }

  async #read(segment: number, into: Buffer, at: number): Promise<number> {
    if (this.#fileOf !== segment || this.#file === null) {
      await this.close();
      this.#file = await open(join(this.#dir, segmentName(segment)), 'r');
      this.#fileOf = segment;
    }
    let filled = 0;
    while (filled < into.length) {
      const { bytesRead } = await this.#file.read(into, filled, into.length - filled, at + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }
}

/** A frame's own head, and back (4), seq (8) and wall clock (8) of a record (FORMAT.md). */
const HEAD_BYTES = FRAME_HEADER_BYTES + 20;

/** @param base of `bytes` in their segment */
function begunAt(bytes: Buffer, at: number, base: number): Begun {
  const field = bytes.readUInt32LE(at);
  const endsAt = base + at + FRAME_HEADER_BYTES + (field & LENGTH_MASK);
  if ((field & PAYLOAD_FLAG) !== 0) return { endsAt, record: null };
  const position = Number(bytes.readBigUInt64LE(at + FRAME_HEADER_BYTES + 4));
  return { endsAt, record: { position, id: bytes.toString('hex', at + 8, at + FRAME_HEADER_BYTES) } };
}
