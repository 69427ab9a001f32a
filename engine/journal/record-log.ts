/**
 * Group commit. Records gather in a buffer; when somebody waits for one and no write runs, what gathered is handed to the disk at the end of this
 * turn of the event loop (so that statements which arrived together go together), and the next gathers meanwhile. One promise serves a batch.
 */
import { hash } from 'node:crypto';
import type { Clock } from '#client/clock';
import type { DurablePosition, EventDraft, Position } from '#client/journal';
import { InterlockError } from '#schemas/errors';
import { ByteWriter, putU64 } from './byte-writer.ts';
import { sealFrame } from './definitions.ts';
import { FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES } from './format.ts';
import type { MerkleFrontier } from './merkle.ts';
import type { RecordEncoder } from './record-encoder.ts';
import type { SegmentLog } from './segment-log.ts';
import { writeSegmentHeader } from './segment-header.ts';

/** Bytes placed but not yet on stable storage: past it nothing more is taken. */
const BACKLOG_BYTES_MAX = 64 << 20;
/** A gathered batch of this size goes to the disk though nobody waits for it. */
const FLUSH_BYTES = 256 << 10;
/** How long a record that nobody waits for may stay in memory. */
const FLUSH_AFTER_MS = 10;
/** A write that takes longer: new statements and sessions are refused until it ends. */
const STALL_US = 1_000_000;
/** A batch buffer that grew past this is not kept. */
const BUFFER_KEPT_BYTES = 1 << 20;

/**
 * Where a commit is cheap, so many waiting are enough: what comes next is read while the target works on these, instead of one after the other.
 */
const INLINE_WAITING = 4;

interface Batch {
  readonly writer: ByteWriter;
  readonly segment: number;
  lastSeq: number;
  /** When its first event was placed; 0: none was. */
  sinceUs: number;
  /** How often it was asked for. */
  waiting: number;
  waiters: PromiseWithResolvers<DurablePosition> | null;
}

export interface RecordLogState {
  readonly journal: string;
  readonly nextSeq: number;
  readonly lastHash: string;
  readonly tree: MerkleFrontier;
  readonly segmentBytes: number;
}

export class RecordLog {
  readonly #log: SegmentLog;
  readonly #encoder: RecordEncoder;
  readonly #clock: Clock;
  readonly journal: string;
  /** A segment is full when what it holds and what gathered for it reaches this; the record that passes it still fits, or lengthens the file. */
  readonly #rotateAt: number;
  readonly #tree: MerkleFrontier;
  /** Records that are not in the tree yet: they get there while the disk works, since nothing that it writes needs it. */
  readonly #leaves: string[] = [];
  #nextSeq: number;
  #lastHash: string;
  #gathering: Batch;
  /** Full batches of a segment that ended, before the one that gathers. */
  readonly #queue: Batch[] = [];
  #writing: Batch | null = null;
  #writingSinceUs = 0;
  #durable: Position;
  /** Where the gathering batch will start in its segment. */
  #gatheringAt: number;
  #backlogBytes = 0;
  #scheduled = false;
  /** What gathers was asked for, and goes as soon as no write runs. */
  #due = false;
  #timer: NodeJS.Timeout | null = null;
  #fault: InterlockError | null = null;
  #dead = false;
  #free: ByteWriter | null = null;
  #syncs = 0;
  #lastSyncUs = 0;
  /** Called after every write, and when the log dies. */
  onProgress: () => void = () => {};
  /** Called with each batch: how long its write took, and how long ago its first event was placed. */
  onSynced: ((syncUs: number, appendUs: number) => void) | null = null;
  onDead: (fault: InterlockError) => void = () => {};

  constructor(log: SegmentLog, encoder: RecordEncoder, clock: Clock, state: RecordLogState) {
    this.#log = log;
    this.#encoder = encoder;
    this.#clock = clock;
    this.journal = state.journal;
    this.#rotateAt = state.segmentBytes - Math.min(state.segmentBytes >> 2, 512 << 10);
    this.#nextSeq = state.nextSeq;
    this.#lastHash = state.lastHash;
    this.#tree = state.tree;
    this.#durable = state.nextSeq - 1;
    this.#gatheringAt = log.offset;
    this.#gathering = { writer: encoder.frames, segment: log.segment, lastSeq: -1, sinceUs: 0, waiting: 0, waiters: null };
    if (log.offset === 0) this.#header();
  }

  /** Over every record that is sealed. */
  get tree(): MerkleFrontier {
    this.#grow();
    return this.#tree;
  }

  get fault(): InterlockError | null {
    return this.#fault;
  }
  /** Position of the last record placed; -1: none. */
  get last(): Position {
    return this.#encoder.body.at > 0 ? this.#nextSeq : this.#nextSeq - 1;
  }
  get durablePosition(): Position {
    return this.#durable;
  }
  get syncs(): number {
    return this.#syncs;
  }
  get lastSyncUs(): number {
    return this.#lastSyncUs;
  }

  place(event: EventDraft, stream: string | null): Position {
    if (this.#fault !== null) throw this.#fault;
    this.#admit(event);
    return this.#put(event, stream);
  }

  #put(event: EventDraft, stream: string | null): Position {
    this.#encoder.check(event);
    const tickUs = this.#clock.monotonicUs();
    if (stream !== null || !this.#encoder.continues(event)) this.#begin(tickUs);
    if (this.#gathering.sinceUs === 0) this.#gathering.sinceUs = tickUs;
    try {
      this.#encoder.add(event, tickUs, stream);
    } catch (cause) {
      // half a record stands in the buffer: nothing sound can follow it
      this.#die(new InterlockError('JOURNAL_UNAVAILABLE', 'the journal could not encode an event', { cause }));
      throw cause;
    }
    if (this.#gathering.writer.at > FLUSH_BYTES) this.#schedule();
    else this.#timer ??= setTimeout(this.#flushLate, FLUSH_AFTER_MS);
    return this.#nextSeq;
  }

  durable(position: Position): DurablePosition | Promise<DurablePosition> {
    if (position <= this.#durable) return position as DurablePosition;
    if (this.#dead) return Promise.reject(this.#fault as InterlockError);
    if (position > this.last) return Promise.reject(new InterlockError('INTERNAL', `position ${position} was never placed`));
    const batch = this.#batchOf(position);
    if (++batch.waiting >= INLINE_WAITING && this.#writing === null && this.#log.inline) {
      this.#flush();
      if (position <= this.#durable) return position as DurablePosition;
    }
    batch.waiters ??= Promise.withResolvers<DurablePosition>();
    if (batch !== this.#writing) this.#schedule();
    return batch.waiters.promise;
  }

  /** Closes the open record, so that tree and positions cover all that was placed. */
  seal(): void {
    const { body } = this.#encoder;
    if (body.at === 0) return;
    const { writer } = this.#gathering;
    const at = writer.reserve(FRAME_HEADER_BYTES + body.at);
    const end = at + FRAME_HEADER_BYTES + body.at;
    const { buffer } = writer;
    body.buffer.writeUInt32LE(at, 0);
    putU64(body.buffer, this.#nextSeq, 4);
    body.buffer.copy(buffer, at + FRAME_HEADER_BYTES, 0, body.at);
    // the hash's input is 0 ‖ prev ‖ body: it is laid out where checksum and hash will stand
    buffer[at + 7] = 0;
    buffer.write(this.#lastHash, at + 8, 32, 'latin1');
    this.#lastHash = hash('sha256', buffer.subarray(at + 7, end), 'binary');
    buffer.write(this.#lastHash, at + 8, 32, 'latin1');
    buffer.writeUInt32LE(body.at, at);
    sealFrame(buffer, at, end);
    writer.at = end;
    body.at = 0;
    this.#leaves.push(this.#lastHash);
    this.#gathering.lastSeq = this.#nextSeq++;
  }

  /** Places one last event, lets everything go to the disk, and refuses all that follows. */
  async stop(event: EventDraft, fault: InterlockError): Promise<void> {
    if (this.#fault !== null) throw this.#fault;
    const position = this.#put(event, null);
    this.#fault = fault;
    await this.durable(position);
    this.#stopTimer();
  }

  #admit(event: EventDraft): void {
    if (this.#backlogBytes + this.#gathering.writer.at > BACKLOG_BYTES_MAX) throw unavailable('the journal’s disk does not keep up');
    if (this.#writing === null || (event.type !== 'statement.received' && event.type !== 'session.opened')) return;
    const forUs = this.#clock.monotonicUs() - this.#writingSinceUs;
    if (forUs > STALL_US) throw unavailable(`the journal’s disk has not answered for ${Math.round(forUs / 1000)} ms`);
  }

  #begin(tickUs: number): void {
    this.seal();
    if (this.#gatheringAt + this.#gathering.writer.at >= this.#rotateAt) this.#nextSegment();
    this.#encoder.begin(this.#clock.wallUs(), tickUs);
  }

  #nextSegment(): void {
    const segment = this.#gathering.segment + 1;
    if (this.#gathering.writer.at > 0) this.#enqueue();
    this.#gathering = { writer: this.#freshWriter(), segment, lastSeq: -1, sinceUs: 0, waiting: 0, waiters: null };
    this.#gatheringAt = 0;
    this.#encoder.frames = this.#gathering.writer;
    this.#encoder.definitions.startSegment(segment);
    this.#header();
    if (this.#queue.length > 0) this.#schedule();
  }

  #header(): void {
    const { writer, segment } = this.#gathering;
    const at = writer.reserve(SEGMENT_HEADER_BYTES);
    writeSegmentHeader(
      { segment, firstSeq: this.#nextSeq, prev: this.#lastHash, journal: this.journal, createdUs: this.#clock.wallUs() },
      writer.buffer.subarray(at),
    );
    writer.at += SEGMENT_HEADER_BYTES;
  }

  #enqueue(): void {
    this.#queue.push(this.#gathering);
    this.#backlogBytes += this.#gathering.writer.at;
  }

  #batchOf(position: Position): Batch {
    if (this.#writing !== null && position <= this.#writing.lastSeq) return this.#writing;
    return this.#queue.find((batch) => position <= batch.lastSeq) ?? this.#gathering;
  }

  #schedule(): void {
    this.#due = true;
    if (this.#scheduled || this.#writing !== null) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flushLate = (): void => {
    this.#timer = null;
    this.#schedule();
  };

  readonly #flush = (): void => {
    this.#scheduled = false;
    if (this.#writing !== null || this.#dead) return;
    if (this.#queue.length === 0) this.#due = false;
    const batch = this.#queue.shift() ?? this.#takeGathering();
    if (batch === null) return;
    this.#writing = batch;
    this.#writingSinceUs = this.#clock.monotonicUs();
    this.#log.commit({ segment: batch.segment, bytes: batch.writer.buffer, length: batch.writer.at }, this.#written);
    this.#grow();
  };

  #grow(): void {
    for (const leaf of this.#leaves) this.#tree.add(leaf);
    this.#leaves.length = 0;
  }

  #takeGathering(): Batch | null {
    this.seal();
    const batch = this.#gathering;
    // a header alone is no batch: it goes with its segment's first record
    if (batch.lastSeq < 0) return null;
    this.#backlogBytes += batch.writer.at;
    this.#gatheringAt += batch.writer.at;
    this.#gathering = { writer: this.#freshWriter(), segment: batch.segment, lastSeq: -1, sinceUs: 0, waiting: 0, waiters: null };
    this.#encoder.frames = this.#gathering.writer;
    return batch;
  }

  readonly #written = (error: Error | null): void => {
    const batch = this.#writing as Batch;
    if (this.#dead) return;
    if (error !== null) return this.#die(unavailable(`the journal’s disk failed: ${error.message}`, error));
    this.#writing = null;
    this.#durable = batch.lastSeq;
    this.#backlogBytes -= batch.writer.at;
    this.#syncs++;
    const nowUs = this.#clock.monotonicUs();
    this.#lastSyncUs = nowUs - this.#writingSinceUs;
    if (this.onSynced !== null) this.onSynced(this.#lastSyncUs, nowUs - batch.sinceUs);
    if (batch.writer.buffer.length <= BUFFER_KEPT_BYTES) this.#free = batch.writer;
    if (this.#due) this.#flush();
    batch.waiters?.resolve(batch.lastSeq as DurablePosition);
    this.onProgress();
  };

  #freshWriter(): ByteWriter {
    const writer = this.#free ?? new ByteWriter(64 << 10);
    this.#free = null;
    writer.at = 0;
    return writer;
  }

  /** Never tried again: after a failed sync the kernel may report success for pages that it dropped. */
  #die(fault: InterlockError): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#fault ??= fault;
    this.#stopTimer();
    for (const batch of [this.#writing, ...this.#queue, this.#gathering]) batch?.waiters?.reject(fault);
    this.#queue.length = 0;
    this.onDead(fault);
    this.onProgress();
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

export function unavailable(message: string, cause?: unknown): InterlockError {
  return new InterlockError('JOURNAL_UNAVAILABLE', message, cause === undefined ? {} : { cause });
}
