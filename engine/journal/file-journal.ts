/** The embedded journal: one directory, one writer, one chain (FORMAT.md). */
import { createPublicKey, randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { Clock } from '#client/clock';
import type { DurablePosition, EventDraft, Journal, Payload, Position } from '#client/journal';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import { ByteWriter } from './byte-writer.ts';
import { Checkpoints, newestCheckpoint } from './checkpoints.ts';
import { Definitions } from './definitions.ts';
import { type JournalFiles, realFiles } from './files.ts';
import { GatheredHistory } from './history.ts';
import { lockDirectory } from './lock.ts';
import type { CarriedPayload } from './payload-forms.ts';
import { reservedId } from './journal-id.ts';
import { JournalReader, readPayload, readPayloads } from './reader.ts';
import { RecordEncoder } from './record-encoder.ts';
import { RecordLog, unavailable } from './record-log.ts';
import { recover, type Recovered } from './recovery.ts';
import { repair } from './repair.ts';
import { SegmentLog } from './segment-log.ts';
import type { Streams } from './streams.ts';

export interface JournalOptions {
  /** Made with mode 0700 when absent. */
  readonly dir: string;
  /** At least 64 KiB. */
  readonly segmentBytes: number;
  /** redacted: texts without their literals; parameters, rows and facts not at all; reviewers' words in clear. sealed: not built yet. */
  readonly payloads: 'clear' | 'redacted' | 'sealed';
  /** `key`: Ed25519, private. `origin`: names this journal in its checkpoints, e.g. `interlock.example.com/shop`. */
  readonly checkpoint: { readonly everyMs: number; readonly key: KeyObject; readonly origin: string };
  readonly clock: Clock;
  readonly version: string;
  /** Which process writes it: `up`, `engine` or `enforcer`; who verifies needs to know where approvals were consumed. */
  readonly role?: string;
  readonly files?: JournalFiles;
  readonly observer?: JournalObserver;
}

/** Looks on: called synchronously, on the path of every statement. What it throws is a defect. */
export interface JournalObserver {
  /** Before an event is placed: what is placed in its stead, of the same type (it may add `trace_id`). */
  readonly placing?: (event: EventDraft) => EventDraft;
  /** After it was placed. */
  readonly placed?: (event: EventDraft) => void;
  /** A batch is on stable storage. @param syncUs the write with its sync @param appendUs since its first event was placed */
  readonly synced?: (syncUs: number, appendUs: number) => void;
}

/** How far a journal's files are on stable storage: everything before `offset` of `segment`, the record at `position` the last of it. */
export interface DurableEnd {
  readonly segment: number;
  readonly offset: number;
  readonly position: Position;
}

export interface JournalStatus {
  readonly records: number;
  /** Used by records and payloads, without what is reserved. */
  readonly bytes: number;
  readonly lastSyncUs: number;
  readonly syncs: number;
}

const SEGMENT_BYTES_MIN = 64 << 10;
/**
 * Recovers what is there, writes `journal.opened` and `unknown` for every statement that was cleared and has no end, and resolves once that is durable.
 * @throws InterlockError STATE_LOCKED, JOURNAL_CORRUPT, JOURNAL_UNAVAILABLE, CONFIG_INVALID
 */
export async function openJournal(options: JournalOptions): Promise<FileJournal> {
  if (options.payloads === 'sealed') throw new InterlockError('CONFIG_INVALID', 'journal.payloads: sealed is not built yet; use clear or redacted');
  if (options.segmentBytes < SEGMENT_BYTES_MIN) throw new InterlockError('CONFIG_INVALID', 'journal.segment: at least 64KiB');
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const lock = lockDirectory(options.dir);
  try {
    const journal = await FileJournal.recovered(options, lock);
    await journal.begin();
    return journal;
  } catch (error) {
    lock.release();
    throw error;
  }
}

export class FileJournal implements Journal {
  readonly #options: JournalOptions;
  readonly #lock: { release(): void };
  readonly #segments: SegmentLog;
  readonly #encoder: RecordEncoder;
  readonly #records: RecordLog;
  readonly #checkpoints: Checkpoints;
  readonly #streams: Streams;
  readonly #found: Recovered;
  readonly #history: GatheredHistory;
  readonly #observer: JournalObserver;
  readonly #faultListeners: ((fault: Error) => void)[] = [];
  #progress = Promise.withResolvers<void>();
  #closed = false;
  readonly publicKeyPem: string;
  /** What was found at opening. */
  readonly recovered: { readonly records: number; readonly cutBytes: number; readonly unknown: number };

  private constructor(
    options: JournalOptions,
    lock: { release(): void },
    found: Recovered,
    segments: SegmentLog,
    encoder: RecordEncoder,
    records: RecordLog,
    history: GatheredHistory,
  ) {
    this.#history = history;
    this.#options = options;
    this.#observer = options.observer ?? {};
    this.#lock = lock;
    this.#found = found;
    this.#segments = segments;
    this.#encoder = encoder;
    this.#records = records;
    this.#streams = found.streams;
    const { dir, clock, checkpoint } = options;
    this.#checkpoints = new Checkpoints({ dir, clock, ...checkpoint, onFailed: (error) => void this.#diskFailed(error) }, records);
    this.publicKeyPem = createPublicKey(options.checkpoint.key).export({ type: 'spki', format: 'pem' }).toString();
    this.recovered = { records: found.nextSeq, cutBytes: found.cutBytes, unknown: found.unfinished.length };
  }

  /** Use `openJournal`. */
  static async recovered(options: JournalOptions, lock: { release(): void }): Promise<FileJournal> {
    const note = newestCheckpoint(options.dir);
    const history = new GatheredHistory();
    const found = await recover(options.dir, note === null ? [] : [note.size], (event) => history.see(event));
    history.goesOn(options.dir, found.end);
    if (note !== null && found.rootAt.get(note.size) !== note.root) {
      throw new InterlockError('JOURNAL_CORRUPT', `the last checkpoint is of ${note.size} records, and they are not these ${found.nextSeq}`);
    }
    const { dir, segmentBytes, clock, files = realFiles } = options;
    const mode = options.payloads === 'clear' ? 'clear' : 'redacted';
    let spareFailed = (_error: Error): void => {};
    const onSpareFailed = (error: Error): void => spareFailed(error);
    let segments: SegmentLog;
    try {
      const usable = await repair(dir, found, segmentBytes, files);
      segments = await SegmentLog.open({ dir, segmentBytes, files, onSpareFailed }, found.segment, found.offset, usable);
    } catch (cause) {
      throw unavailable(`the journal in ${dir} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
    }
    const encoder = new RecordEncoder(new Definitions(found.segment, found.definitions, mode), new ByteWriter(64 << 10));
    const state = { ...found, journal: found.journal ?? reservedId(dir) ?? randomUUID().replaceAll('-', ''), segmentBytes };
    const journal = new FileJournal(options, lock, found, segments, encoder, new RecordLog(segments, encoder, clock, state), history);
    spareFailed = (error) => void journal.#diskFailed(error);
    return journal;
  }

  /** Use `openJournal`. */
  async begin(): Promise<void> {
    const { version, role } = this.#options;
    this.#records.onDead = (fault) => this.#died(fault);
    this.#records.onProgress = () => {
      this.#progress.resolve();
      this.#progress = Promise.withResolvers();
    };
    this.#records.onSynced = this.#observer.synced ?? null;
    const { records, cutBytes, unknown } = this.recovered;
    const recovered = { records, cut_bytes: cutBytes, unknown };
    this.append({ type: 'journal.opened', version, boot: randomBytes(8).toString('hex'), recovered, ...(role === undefined ? {} : { role }) });
    for (const entry of this.#found.unfinished) this.#endUnknown(entry);
    await this.checkpoint();
    this.#checkpoints.start();
  }

  append(event: EventDraft): Position {
    return this.#place(event, null);
  }

  appendIf(event: EventDraft, condition: { readonly stream: string; readonly expectedLast: Position }): Position | null {
    if (this.lastOf(condition.stream) !== condition.expectedLast) return null;
    const position = this.#place(event, condition.stream);
    this.#streams.placed(condition.stream, position);
    return position;
  }

  durable(position: Position): DurablePosition | Promise<DurablePosition> {
    return this.#records.durable(position);
  }

  lastOf(stream: string): Position {
    return this.#streams.lastOf(stream);
  }

  digestOf(payload: Payload): string {
    return this.#encoder.definitions.digestOf(payload);
  }

  /** With its salt, where it is kept in clear: for the journal of another engine. */
  carry(payload: Payload): CarriedPayload {
    return this.#encoder.definitions.carry(payload);
  }

  /** The payload of another engine's event, to be written under the digest that it has there. */
  adopt(carried: CarriedPayload): Payload {
    return this.#encoder.definitions.adopt(carried);
  }

  /** Where its files are. */
  get dir(): string {
    return this.#options.dir;
  }

  /** Position of the last record on stable storage; -1: none. */
  get durablePosition(): Position {
    return this.#records.durablePosition;
  }

  /** Read at once, not while a write ends: the two parts belong together. */
  get durableEnd(): DurableEnd {
    return { segment: this.#segments.segment, offset: this.#segments.offset, position: this.#records.durablePosition };
  }

  /** Resolves after the next write to the disk, and when the journal ends. */
  get progressed(): Promise<void> {
    return this.#progress.promise;
  }

  /** 32 hexadecimal digits. */
  get id(): string {
    return this.#records.journal;
  }

  get segmentBytes(): number {
    return this.#options.segmentBytes;
  }

  get fault(): Error | null {
    return this.#records.fault;
  }

  onFault(listener: (fault: Error) => void): void {
    this.#faultListeners.push(listener);
  }

  /** Everything placed up to now, behind `since` if given. */
  async *events(from: { readonly since?: Position } = {}): AsyncGenerator<Event> {
    await this.#flush();
    await using reader = new JournalReader(this.#options.dir, { after: from.since ?? -1 });
    yield* reader.read(this.#records.durablePosition);
  }

  /**
   * What is folded at a start, oldest first: every event up to now that is no session's and no statement's, the ends of statements that used an
   * approval, and the event with the latest time. A start reads its journal once for all of it, if that is not too much.
   */
  async *history(): AsyncGenerator<Event> {
    await this.#flush();
    const gathered = await this.#history.upTo(this.#records.durablePosition);
    if (gathered === null) yield* this.events();
    else yield* gathered;
  }

  /** Everything that folds it has started: from now on `history` reads. */
  started(): void {
    this.#history.forget();
  }

  /** Like `events`, and then whatever comes, until the signal or the journal's end. */
  async *follow(signal: AbortSignal, from: { readonly since?: Position } = {}): AsyncGenerator<Event> {
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await using reader = new JournalReader(this.#options.dir, { after: from.since ?? -1 });
    while (!signal.aborted) {
      const progress = this.#progress.promise;
      for await (const event of reader.read(this.#records.durablePosition)) {
        if (signal.aborted) return;
        yield event;
      }
      if (this.#closed || this.fault !== null) return;
      await Promise.race([progress, stopped]);
    }
  }

  /** The bytes behind a reference; null when they were removed, or never stood here as they were. */
  async payload(ref: { readonly digest: string }): Promise<Uint8Array | null> {
    await this.#flush();
    return readPayload(this.#options.dir, ref.digest);
  }

  /** The same for many in one pass, by digest; what is not kept is not in it. */
  async payloads(refs: readonly { readonly digest: string }[]): Promise<ReadonlyMap<string, Uint8Array>> {
    await this.#flush();
    return readPayloads(
      this.#options.dir,
      refs.map((ref) => ref.digest),
    );
  }

  status(): JournalStatus {
    const { lastSyncUs, syncs, durablePosition } = this.#records;
    const bytes = (this.#segments.segment - 1) * this.#options.segmentBytes + this.#segments.offset;
    return { records: durablePosition + 1, bytes, lastSyncUs, syncs };
  }

  /** Signs what is durable when it resolves; `checkpoint` in the directory then covers every record, its own included. */
  checkpoint(): Promise<void> {
    return this.#checkpoints.sign();
  }

  /** Idempotent. After a fault only lets go of the directory. */
  async close(reason: string): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#checkpoints.stop();
    this.#history.forget();
    if (this.fault === null) {
      await this.#records.stop({ type: 'journal.closed', reason }, unavailable('the journal is closed'));
      await this.#checkpoints.signFile();
    }
    await this.#segments.close();
    this.#lock.release();
    this.#progress.resolve();
  }

  #place(event: EventDraft, stream: string | null): Position {
    const { placing, placed } = this.#observer;
    const draft = placing === undefined ? event : placing(event);
    const position = this.#records.place(draft, stream);
    if (placed !== undefined) placed(draft);
    return position;
  }

  async #flush(): Promise<void> {
    if (this.fault === null) await this.#records.durable(this.#records.last);
  }

  #endUnknown(entry: Recovered['unfinished'][number]): void {
    this.#encoder.sessions.resume(entry.sessionId, entry, entry.sessionSeq);
    this.append({
      type: 'statement.finished',
      session_id: entry.sessionId,
      statement_id: entry.statementId,
      ...(entry.target === undefined ? {} : { target: entry.target }),
      ...(entry.subject === undefined ? {} : { subject: entry.subject }),
      outcome: 'unknown',
      bytes: 0,
      response_digest: null,
      masked: {},
      duration_us: 0,
    });
    this.#encoder.sessions.close(entry.sessionId);
  }

  /** No next segment, or no checkpoint: what was placed still has room, and so has a last word. */
  async #diskFailed(error: Error): Promise<void> {
    if (this.fault !== null) return;
    const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
    const fault = unavailable(full ? 'the journal’s disk is full' : `the journal’s disk failed: ${error.message}`, error);
    try {
      await this.#records.stop({ type: 'journal.closed', reason: full ? 'disk full' : 'disk failed' }, fault);
    } catch {
      return; // the running segment failed too: #died has told everybody
    }
    this.#died(fault);
  }

  #died(fault: Error): void {
    this.#checkpoints.stop();
    for (const listener of this.#faultListeners.splice(0)) listener(fault);
  }
}
