/**
 * What a journal holds when it is opened. A batch is written only after the one before it is on stable storage, and every record names its
 * batch's start; so bytes that are no frame are a torn tail exactly when no record of a later batch stands behind them. A torn tail is cut;
 * anything else is damage, and the journal is not opened.
 */
import { hash } from 'node:crypto';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InterlockError } from '#schemas/errors';
import { SEGMENT_HEADER_BYTES, SEGMENT_NAME } from './format.ts';
import { FrameStream } from './frame-stream.ts';
import { MerkleFrontier } from './merkle.ts';
import { OpenStatements, type Unfinished } from './open-statements.ts';
import type { Event } from '#schemas/event';
import type { ReadFrom } from './reader.ts';
import { RecordDecoder } from './record-decoder.ts';
import { readSegmentHeader, segmentName } from './segment-header.ts';
import { Streams } from './streams.ts';
import { laterBatch, tailOf, type Tail } from './tail.ts';

export const NO_HASH: string = '\0'.repeat(32);

export interface Recovered {
  /** null: nothing was ever written. */
  readonly journal: string | null;
  /** The segment to go on in, and from where; its bytes from there on must be made zeros first when `cut` is above 0. */
  readonly segment: number;
  readonly offset: number;
  /** Where the last batch in it begins; `offset` when there is none. */
  readonly lastBatchAt: number;
  readonly definitions: number;
  /** All segment files, in order; those behind `segment` are blank. */
  readonly files: readonly number[];
  readonly cutBytes: number;
  readonly nextSeq: number;
  readonly lastHash: string;
  readonly tree: MerkleFrontier;
  /** The roots at the sizes asked for, hex. */
  readonly rootAt: ReadonlyMap<number, string>;
  readonly streams: Streams;
  readonly unfinished: readonly Unfinished[];
  /** Where a reader goes on who has seen all of it; null: nothing was ever written. */
  readonly end: ReadFrom | null;
}

/**
 * @param see told of every event, in order
 * @throws InterlockError JOURNAL_CORRUPT, naming segment, offset and record.
 */
export async function recover(dir: string, rootsAt: readonly number[], see: (event: Event) => void = () => {}): Promise<Recovered> {
  const files = (await readdir(dir))
    .flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  const scan = new Scan(dir, rootsAt, see);
  for (const [index, segment] of files.entries()) {
    if (segment !== index + 1) throw corrupt(`segment ${index + 1} is missing`);
    await scan.segment(segment);
  }
  return { ...scan.result(), files };
}

class Scan {
  readonly #dir: string;
  readonly #rootsAt: ReadonlySet<number>;
  readonly #see: (event: Event) => void;
  readonly #rootAt = new Map<number, string>();
  readonly #tree = new MerkleFrontier();
  readonly #streams = new Streams();
  readonly #statements = new OpenStatements();
  #journal: string | null = null;
  #segment = 1;
  #offset = 0;
  #lastBatchAt = 0;
  #definitions = 0;
  #cutBytes = 0;
  #nextSeq = 0;
  #lastHash = NO_HASH;
  #blank = false;
  #decoder: RecordDecoder | null = null;

  constructor(dir: string, rootsAt: readonly number[], see: (event: Event) => void) {
    this.#dir = dir;
    this.#see = see;
    this.#rootsAt = new Set(rootsAt);
    this.#noteRoot();
  }

  result(): Omit<Recovered, 'files'> {
    return {
      journal: this.#journal,
      segment: this.#segment,
      offset: this.#offset,
      lastBatchAt: this.#lastBatchAt,
      definitions: this.#definitions,
      cutBytes: this.#cutBytes,
      nextSeq: this.#nextSeq,
      lastHash: this.#lastHash,
      tree: this.#tree,
      rootAt: this.#rootAt,
      streams: this.#streams,
      unfinished: this.#statements.cleared(),
      end: this.#end(),
    };
  }

  #end(): ReadFrom | null {
    if (this.#decoder === null) return null;
    return { segment: this.#segment, offset: this.#offset, last: this.#nextSeq - 1, prev: this.#lastHash, decoder: this.#decoder };
  }

  async segment(segment: number): Promise<void> {
    const path = join(this.#dir, segmentName(segment));
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const head = Buffer.alloc(SEGMENT_HEADER_BYTES);
      await file.read(head, 0, head.length, 0);
      const header = readSegmentHeader(head);
      if (header === null) return this.#blankSegment(segment, await tailOf(file, 0, size));
      if (this.#blank || this.#cutBytes > 0) throw corrupt(`segment ${segment} holds records behind the journal's end`);
      if (header.segment !== segment || header.firstSeq !== this.#nextSeq || header.prev !== this.#lastHash) {
        throw corrupt(`segment ${segment} does not go on from record ${this.#nextSeq - 1}`);
      }
      if (this.#journal !== null && header.journal !== this.#journal) throw corrupt(`segment ${segment} is another journal's`);
      this.#journal = header.journal;
      this.#segment = segment;
      this.#decoder = new RecordDecoder(header.journal);
      await this.#records(new FrameStream(file, SEGMENT_HEADER_BYTES), this.#decoder);
      this.#cut(await tailOf(file, this.#offset, size), this.#offset);
    } finally {
      await file.close();
    }
  }

  /** A spare, or one whose first batch was torn. */
  #blankSegment(segment: number, tail: Tail): void {
    if (segment === 1) this.#cut(tail, 0);
    else if (tail.length > 0) {
      if (this.#blank || this.#cutBytes > 0) throw corrupt(`segment ${segment} holds bytes behind the journal's end`);
      this.#segment = segment;
      this.#offset = 0;
      this.#lastBatchAt = 0;
      this.#definitions = 0;
      this.#cut(tail, 0);
    }
    this.#blank = true;
  }

  async #records(frames: FrameStream, decoder: RecordDecoder): Promise<void> {
    this.#offset = frames.offset;
    this.#lastBatchAt = frames.offset;
    this.#definitions = 0;
    for (let frame = await frames.next(); frame !== null; frame = await frames.next()) {
      if (frame.kind !== 'record') continue;
      if (recordHash(this.#lastHash, frame.body) !== frame.hash) throw corrupt(`record ${this.#nextSeq} is not what its hash says`);
      const record = decode(decoder, frame.body, this.#lastHash, this.#nextSeq);
      if (record.seq !== this.#nextSeq) throw corrupt(`record ${this.#nextSeq} is missing`);
      for (const event of record.events) {
        this.#statements.see(event);
        this.#see(event);
      }
      if (record.stream !== null) this.#streams.placed(record.stream, record.seq);
      this.#tree.add(frame.hash);
      this.#lastHash = frame.hash;
      this.#nextSeq++;
      this.#noteRoot();
      this.#lastBatchAt = Math.max(0, frame.offset - record.back);
      this.#offset = frames.offset;
      this.#definitions = decoder.definitionCount;
    }
  }

  #noteRoot(): void {
    if (this.#rootsAt.has(this.#tree.size)) this.#rootAt.set(this.#tree.size, this.#tree.root().toString('hex'));
  }

  #cut(tail: Tail, from: number): void {
    if (tail.length === 0) return;
    if (laterBatch(tail.bytes, from, this.#nextSeq))
      throw corrupt(`segment ${this.#segment} is damaged at byte ${from}, before record ${this.#nextSeq}`);
    this.#cutBytes = tail.length;
  }
}

export function recordHash(prev: string, body: Buffer): string {
  const leaf = Buffer.allocUnsafe(33 + body.length);
  leaf[0] = 0;
  leaf.write(prev, 1, 32, 'latin1');
  body.copy(leaf, 33);
  return hash('sha256', leaf, 'binary');
}

function decode(decoder: RecordDecoder, body: Buffer, prev: string, seq: number): ReturnType<RecordDecoder['decode']> {
  try {
    return decoder.decode(body, prev);
  } catch (cause) {
    throw new InterlockError('JOURNAL_CORRUPT', `record ${seq} cannot be read`, { cause });
  }
}

function corrupt(message: string): InterlockError {
  return new InterlockError('JOURNAL_CORRUPT', message, {
    hint: 'interlock audit verify names what is wrong. Move the journal aside; do not delete it.',
  });
}
