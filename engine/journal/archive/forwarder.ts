/**
 * Brings a journal's durable bytes to the archive: one message for many records, each only behind the one before it. Where it stands is asked of the
 * archive itself and checked against the journal, so that neither an outage nor a crash loses or doubles anything. The journal's writer is never
 * waited for, and never waits.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '#client/clock';
import type { Position } from '#client/journal';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { AckedNote, type Acked } from './acked-note.ts';
import type { Alarms } from './alarms.ts';
import { Backlog } from './backlog.ts';
import { LIMITS } from './limits.ts';
import type { ArchivePort, Place, Stored } from './port.ts';
import { type End, type LastRecord, type NextRun, SegmentRuns } from './segment-runs.ts';
import { Waiters } from './waiters.ts';

/** The journal as the forwarder sees it: its files, and how far they are durable. FileJournal is one. */
export interface JournalFilesView {
  readonly id: string;
  readonly dir: string;
  readonly segmentBytes: number;
  readonly durableEnd: End;
  /** Resolves after the next write. */
  readonly progressed: Promise<void>;
  readonly fault: Error | null;
}

export interface ForwarderOptions {
  readonly journal: JournalFilesView;
  readonly archive: ArchivePort;
  /** How far the journal may be ahead before new work is refused. */
  readonly backlog: () => { readonly bytes: number; readonly ageMs: number };
  readonly alarms: Alarms;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of each acknowledgement: how long it took, and how many records it covers. */
  readonly onAck?: (us: number, records: number) => void;
}

export interface ForwarderStatus {
  readonly connected: boolean;
  readonly backlog_records: number;
  readonly backlog_bytes: number;
  readonly backlog_age_s: number;
  /** RFC 3339 of the newest acknowledgement in this process; null: none yet. */
  readonly last_ack: string | null;
  /** Position of the last record that the archive acknowledged; -1: none. */
  readonly acked: Position;
  /** How long the last acknowledgement took, µs. */
  readonly ack_us: number;
  /** Messages that were acknowledged. */
  readonly messages: number;
  /** New work is refused. */
  readonly full: boolean;
  /** What the archive said last that was no acknowledgement; null: all is well. */
  readonly error: string | null;
}

/** Starts at once, in the background; never throws. */
export function startForwarder(options: ForwarderOptions): Forwarder {
  return new Forwarder(options);
}

export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #runs: SegmentRuns;
  readonly #backlog = new Backlog();
  readonly #waiters = new Waiters();
  readonly #note: AckedNote;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  readonly #unlisten: () => void;
  #changed = Promise.withResolvers<void>();
  /** The archive's number of the journal's last message; null: to be asked. */
  #after: number | null = null;
  #lastAckMs: number | null = null;
  #ackUs = 0;
  #messages = 0;
  #error: string | null = 'not asked yet';
  /** What was durable when the archive told where it stands: it has caught up once it has that. */
  #owed: Position = -1;
  #conflict: InterlockError | null = null;
  /** The archive had acknowledged up to here, and lost it. */
  #lostUpTo: Position | null = null;
  /** What nobody waits for is not sent earlier. */
  #nextAtUs = 0;
  /** The run behind the one that is on its way. */
  #ahead: Promise<NextRun | null> | null = null;
  /** Where the archive ends, as far as it is known. */
  #place: Place = START;

  /** Use `startForwarder`. */
  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#runs = new SegmentRuns(options.journal.dir);
    this.#note = new AckedNote(options.journal.dir, options.log);
    this.#unlisten = options.archive.onChange(() => this.#wake());
    this.#running = this.#run();
  }

  /** Position of the last record that the archive acknowledged. */
  get acked(): Position {
    return this.#backlog.acked;
  }

  /** Why new work is refused now; null: it is not. */
  get refusal(): InterlockError | null {
    if (this.#conflict !== null) return this.#conflict;
    const { bytes, ageMs } = this.#options.backlog();
    const ahead = this.#bytesAhead();
    if (ahead > bytes) return new InterlockError('ARCHIVE_BACKLOG', `the journal is ${ahead} bytes ahead of the archive`);
    const age = this.#ageMs();
    return age > ageMs ? new InterlockError('ARCHIVE_BACKLOG', `the journal is ${Math.round(age / 1000)} s ahead of the archive`) : null;
  }

  /** Resolves when the archive has acknowledged the record; false: not within `ms`. */
  archived(position: Position, ms: number): Promise<boolean> {
    if (position <= this.#backlog.acked) return Promise.resolve(true);
    const waiting = this.#waiters.add(position, ms);
    this.#wake();
    return waiting;
  }

  status(): ForwarderStatus {
    return {
      connected: this.#options.archive.connected,
      backlog_records: Math.max(0, this.#options.journal.durableEnd.position - this.#backlog.acked),
      backlog_bytes: this.#bytesAhead(),
      backlog_age_s: this.#ageMs() / 1000,
      last_ack: this.#lastAckMs === null ? null : new Date(this.#lastAckMs).toISOString(),
      acked: this.#backlog.acked,
      ack_us: this.#ackUs,
      messages: this.#messages,
      full: this.refusal !== null,
      error: this.#error,
    };
  }

  /** Call it behind the journal's own close: what was written last is brought to the archive, if it answers within `LIMITS.closeMs`. */
  async close(): Promise<void> {
    if (this.#options.archive.connected) await this.archived(this.#options.journal.durableEnd.position, LIMITS.closeMs);
    this.#closing.abort();
    this.#unlisten();
    this.#wake();
    await this.#running;
    this.#waiters.end();
    await this.#note.close();
    await this.#ahead?.catch(() => null);
    await this.#runs.close();
  }

  #bytesAhead(): number {
    const { durableEnd, segmentBytes } = this.#options.journal;
    const { segment, offset } = this.#place;
    return Math.max(0, (durableEnd.segment - segment) * segmentBytes + durableEnd.offset - offset);
  }

  #ageMs(): number {
    const nowUs = this.#options.clock.monotonicUs();
    this.#backlog.durable(this.#options.journal.durableEnd.position, nowUs);
    return this.#backlog.ageUs(nowUs) / 1000;
  }

  async #run(): Promise<void> {
    const { archive } = this.#options;
    const { signal } = this.#closing;
    await this.#startFromNote().catch((error: unknown) => this.#failed(error));
    while (!signal.aborted) {
      const changed = this.#changed.promise;
      try {
        if (!archive.connected) {
          this.#error = 'no connection';
          this.#after = null;
          await this.#quiet(changed);
        } else if (this.#after === null) await this.#findPlace();
        else await this.#step(this.#after, changed);
      } catch (error) {
        this.#after = null;
        this.#failed(error);
        await wait(LIMITS.retryMs, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
      }
    }
  }

  /** One message, or the wait for something to send. */
  async #step(after: number, changed: Promise<void>): Promise<void> {
    const { archive, journal, clock } = this.#options;
    const { progressed } = journal;
    const run = await (this.#ahead ?? this.#runs.next(journal.durableEnd, LIMITS.runBytes, archive.bytesMax));
    this.#ahead = null;
    this.#backlog.durable(journal.durableEnd.position, clock.monotonicUs());
    // a journal that has ended has no next write
    if (run === null) return this.#quiet(journal.fault === null ? Promise.race([progressed, changed]) : changed);
    const earlyMs = (this.#nextAtUs - clock.monotonicUs()) / 1000;
    if (earlyMs > 0 && !this.#waiters.any && run.bytes.length < LIMITS.runBytes / 2) {
      return this.#quiet(Promise.race([wait(earlyMs), changed])); // more gathers for the same message
    }
    const startedUs = clock.monotonicUs();
    const answering = archive.publish(journal.id, run, after, LIMITS.ackMs);
    this.#runs.advance(run);
    const place = this.#runs.at;
    // where there is much to send, the next run is read while this one is on its way
    if (run.bytes.length > LIMITS.runBytes / 2) this.#readAhead();
    const answer = await answering;
    const nowUs = clock.monotonicUs();
    if (answer.kind === 'conflict') {
      this.#after = null; // one that was not acknowledged has arrived, or somebody else writes: the last message tells
      return;
    }
    this.#ackUs = nowUs - startedUs;
    this.#nextAtUs = nowUs + LIMITS.gatherMs * 1000;
    this.#after = answer.at;
    this.#place = place;
    this.#messages++;
    this.#lastAckMs = clock.wallUs() / 1000;
    this.#options.onAck?.(this.#ackUs, (run.position ?? this.#backlog.acked) - this.#backlog.acked);
    if (run.position !== null) this.#acknowledged(run.position);
    this.#error = this.#trailing();
  }

  #readAhead(): void {
    const { journal, archive } = this.#options;
    this.#ahead = this.#runs.next(journal.durableEnd, LIMITS.runBytes, archive.bytesMax);
    this.#ahead.catch(() => undefined); // whoever takes it is told
  }

  #acknowledged(position: Position): void {
    this.#backlog.acknowledged(position);
    this.#waiters.reached(position);
    this.#note.newest({ position, ...this.#place });
    if (this.#lostUpTo === null || position < this.#lostUpTo) return;
    this.#lostUpTo = null;
    this.#options.alarms.clear('lost', this.#options.journal.id, 'the archive has again what it had lost');
  }

  /** What was acknowledged before this process tells how far behind the archive is until it can be asked. */
  async #startFromNote(): Promise<void> {
    const { journal, clock } = this.#options;
    const known = await this.#note.read();
    const end = journal.durableEnd;
    this.#backlog.durable(end.position, clock.monotonicUs());
    if (known !== null) {
      await this.#runs.seek(known, end);
      this.#place = this.#runs.at;
      this.#backlog.acknowledged(known.position);
    }
    await this.#ageOfFirst(end);
  }

  /** Where the archive stands, from its own last message of this journal; the journal must have the same there. */
  async #findPlace(): Promise<void> {
    const { archive, journal, alarms, clock } = this.#options;
    await this.#ahead?.catch(() => null); // it reads the same file
    this.#ahead = null;
    const known = await this.#note.read();
    const last = await archive.last(journal.id);
    const end = journal.durableEnd;
    const place = last === null ? START : { segment: last.segment, offset: last.offset + last.bytes.length };
    const record = await this.#runs.seek(place, end);
    if (last !== null) await this.#requireSame(last, record);
    if (this.#conflict !== null) alarms.clear('conflict', journal.id, 'the archive’s last message is this journal’s');
    this.#conflict = null;
    this.#place = place;
    if (known !== null) this.#checkLoss(known, place);
    const position = record?.position ?? (place.offset === 0 ? -1 : (await this.#runs.firstOf(place.segment)) - 1);
    this.#backlog.durable(end.position, clock.monotonicUs());
    if (position > this.#backlog.acked) this.#acknowledged(position);
    else this.#backlog.acknowledged(position);
    this.#after = last?.at ?? 0;
    this.#owed = end.position;
    this.#error = this.#trailing();
    await this.#ageOfFirst(end);
  }

  /** An archive that answers again is not one yet that `strict` can rely on: what waited goes first. */
  #trailing(): string | null {
    return this.#backlog.acked < this.#owed ? CATCHING_UP : null;
  }

  /** A record's hash covers all records before it; of a part, the bytes are compared. */
  async #requireSame(last: Stored, record: LastRecord | null): Promise<void> {
    const endsAt = last.offset + last.bytes.length;
    const whole = /^[0-9a-f]{64}$/.test(last.id);
    if (whole && record?.id === last.id && record.endsAt === endsAt) return;
    if (!whole && (await this.#runs.bytesAt(last, last.bytes.length)).equals(last.bytes)) return;
    const where = `bytes ${last.offset} to ${endsAt} of segment ${last.segment}`;
    throw new InterlockError('ARCHIVE_CONFLICT', `message ${last.at} of the archive holds ${where}, and the journal has others there`);
  }

  /** What was acknowledged once must be there. The journal still has it, so it is forwarded again; but it is said. */
  #checkLoss(known: Acked, place: Place): void {
    const less = place.segment < known.segment || (place.segment === known.segment && place.offset < known.offset);
    if (!less || this.#lostUpTo !== null) return;
    this.#lostUpTo = known.position;
    const held = place.offset === 0 && place.segment === 1 ? 'holds nothing' : `ends at byte ${place.offset} of segment ${place.segment}`;
    const detail = `the archive had acknowledged records up to ${known.position} and now ${held}; the journal is forwarded again from there`;
    this.#options.alarms.raise('lost', this.#options.journal.id, detail);
  }

  /** Of what was there before this process, the record's own clock tells the age. */
  async #ageOfFirst(end: End): Promise<void> {
    const { clock, archive } = this.#options;
    const first = await this.#runs.next(end, LIMITS.runBytes, archive.bytesMax);
    if (first?.sinceUs) this.#backlog.foundSince(clock.monotonicUs() - Math.max(0, clock.wallUs() - first.sinceUs));
  }

  #failed(error: unknown): void {
    const { journal, alarms, log } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof InterlockError && error.code === 'ARCHIVE_CONFLICT') {
      this.#conflict = error;
      alarms.raise('conflict', journal.id, reason);
    } else if (reason !== this.#error) log.warn({ journal: journal.id, reason }, 'the archive did not take records; trying again');
    this.#error = reason;
  }

  async #quiet(until: Promise<void>): Promise<void> {
    if (!this.#closing.signal.aborted) await until;
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

const START: Place = { segment: 1, offset: 0 };
const CATCHING_UP = 'catching up';
