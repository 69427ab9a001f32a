import type { DurablePosition, Position } from '#client/journal';
import { InterlockError } from '#schemas/errors';
import type { ClearedStatement } from './cleared.ts';
import { LIMITS } from './limits.ts';

/** Messages for the target that leave together. */
export interface Batch {
  readonly pieces: readonly Uint8Array[];
  /** Position that must be durable before any of it may leave. */
  readonly intent: Position;
  readonly oldestUs: number;
}

/**
 * What is to go to the target, in order. A statement gets in only with the proof that it was cleared; nothing leaves without the proof that
 * the intents of all of it are on stable storage (invariants 1 and 2).
 */
export class Outbox {
  readonly #write: (bytes: Uint8Array) => void;
  #pieces: Uint8Array[] = [];
  /** Bytes that the next message may continue. */
  #run: Uint8Array | null = null;
  #runStart = 0;
  #runEnd = 0;
  #intent: Position = -1;
  #oldestUs = Number.POSITIVE_INFINITY;

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  get empty(): boolean {
    return this.#run === null && this.#pieces.length === 0;
  }

  /** An execution is in it: it must leave while its decision is good. What was only prepared may wait, it is decided again when it runs. */
  get pressing(): boolean {
    return this.#oldestUs !== Number.POSITIVE_INFINITY;
  }

  /** Bytes of a cleared statement; nobody may change them until they have left. */
  stage(cleared: ClearedStatement, bytes: Uint8Array, start: number = 0, end: number = bytes.length): void {
    if (cleared.intent > this.#intent) this.#intent = cleared.intent;
    if (cleared.runs && cleared.decidedUs < this.#oldestUs) this.#oldestUs = cleared.decidedUs;
    this.#put(bytes, start, end);
  }

  /** Protocol messages that carry no statement of the client (Sync, Describe …) or are the gateway's own. */
  pass(bytes: Uint8Array, start: number = 0, end: number = bytes.length): void {
    this.#put(bytes, start, end);
  }

  /** What lies side by side in one read buffer leaves as one piece. */
  #put(bytes: Uint8Array, start: number, end: number): void {
    if (this.#run === bytes && this.#runEnd === start) {
      this.#runEnd = end;
      return;
    }
    this.#endRun();
    this.#run = bytes;
    this.#runStart = start;
    this.#runEnd = end;
  }

  #endRun(): void {
    if (this.#run === null) return;
    this.#pieces.push(this.#run.subarray(this.#runStart, this.#runEnd));
    this.#run = null;
  }

  /** Everything staged so far; the next batch begins. */
  take(): Batch {
    this.#endRun();
    const batch = { pieces: this.#pieces, intent: this.#intent, oldestUs: this.#oldestUs };
    this.#pieces = [];
    this.#oldestUs = Number.POSITIVE_INFINITY;
    return batch;
  }

  /** Nothing of what is staged leaves, nor counts for what is staged next. */
  drop(): void {
    this.#pieces = [];
    this.#run = null;
    this.#intent = -1;
    this.#oldestUs = Number.POSITIVE_INFINITY;
  }

  /** @throws InterlockError INTERNAL when the proof is for less than was staged, or a decision is older than its binding (M6). */
  release(batch: Batch, durable: DurablePosition, nowUs: number): void {
    if (durable < batch.intent) throw new InterlockError('INTERNAL', 'released before the intent was durable');
    if (nowUs - batch.oldestUs > LIMITS.decisionMs * 1000) throw new InterlockError('INTERNAL', 'a decision was older than its binding');
    for (const piece of batch.pieces) this.#write(piece);
  }
}
