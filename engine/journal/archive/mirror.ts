/**
 * The archive as files: every journal that the stream holds, written back into segments of the same format in `DIR/<journal>/`, so that `audit verify`,
 * the projection and exports work on it as on the journal itself. The stream can be read again at any time, so files are synced once a second, and
 * only then is it noted how far the stream was read.
 */
import type { KeyObject } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { timestamp } from '#client/clock';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import type { Alarms } from './alarms.ts';
import { LIMITS } from './limits.ts';
import { MirroredJournal, type Taken } from './mirrored-journal.ts';
import type { Place, Run } from './port.ts';

/** What the mirror needs of the archive. engine/nats makes one. */
export interface ArchiveSource {
  /** What the stream holds now, and which stream it is: one that was made again has another `created`. */
  state(): Promise<{ readonly created: string; readonly first: number; readonly last: number }>;
  /** From message `from` on, in order, and whatever comes after, until the signal; ends or rejects when the archive is lost. */
  read(from: number, signal: AbortSignal): AsyncIterable<Archived>;
}

export interface Archived {
  readonly at: number;
  /** null: not the subject of a journal. */
  readonly journal: string | null;
  /** null: nothing that a forwarder wrote. */
  readonly run: Run | null;
}

export interface MirrorOptions {
  /** Made with mode 0700 when absent. */
  readonly dir: string;
  readonly source: ArchiveSource;
  readonly alarms: Alarms;
  readonly log: Log;
  /** The key of a journal's checkpoints, where it is known: their signatures are checked then, else their roots alone. */
  readonly keyOf?: (journal: string) => KeyObject | null;
  /** Told of new records in a journal's files. */
  readonly onRecords?: (journal: string, records: number) => void;
}

export interface MirrorStatus {
  /** Message of the stream up to which it is written. */
  readonly at: number;
  readonly journals: readonly MirroredStatus[];
  /** Why it does not go on; null: it does. */
  readonly error: string | null;
}

export interface MirroredStatus extends Place {
  readonly journal: string;
  readonly dir: string;
  readonly records: number;
  /** Of the newest record; null: none since the start. */
  readonly last: string | null;
  /** What stopped it; null: it goes on. */
  readonly stopped: string | null;
}

/** Starts at once, in the background; never throws. */
export function startMirror(options: MirrorOptions): Mirror {
  return new Mirror(options);
}

interface Entry {
  readonly journal: MirroredJournal;
  /** It takes nothing until something comes that it can go on with. */
  stopped: { readonly code: Exclude<Taken, { kind: 'written' }>['code']; readonly detail: string } | null;
}

interface Cursor {
  readonly created: string;
  readonly at: number;
}

export class Mirror {
  readonly #options: MirrorOptions;
  readonly #closing = new AbortController();
  readonly #entries = new Map<string, Entry>();
  readonly #running: Promise<void>;
  #created = '';
  #at = 0;
  /** Up to here everything is in files: no frame is whole in memory alone. */
  #settledAt = 0;
  #cursorAt = 0;
  #opened = false;
  /** Journals whose files are not what was written: nothing is added to them. */
  readonly #damaged = new Set<string>();
  /** Journals with a frame of which parts came, and not the last. */
  readonly #unsettled = new Set<string>();
  #error: string | null = 'not asked yet';
  #syncing: Promise<void> = Promise.resolve();

  /** Use `startMirror`. */
  constructor(options: MirrorOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  status(): MirrorStatus {
    const journals = [...this.#entries.values()].map(({ journal, stopped }) => ({
      journal: journal.id,
      dir: journal.dir,
      records: journal.records,
      ...journal.place,
      last: journal.lastWallUs === 0 ? null : timestamp(journal.lastWallUs),
      stopped: stopped === null ? null : `${stopped.code}: ${stopped.detail}`,
    }));
    return { at: this.#at, journals, error: this.#error };
  }

  /** Records that stand in a journal's files; null: there are none. */
  recordsOf(journal: string): number | null {
    return this.#entries.get(journal)?.journal.records ?? null;
  }

  /** What was read is on stable storage when it resolves. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const timer = setInterval(() => void this.#sync(), LIMITS.syncEveryMs);
    timer.unref();
    while (!signal.aborted) {
      try {
        await this.#read();
      } catch (error) {
        this.#failed(error);
      }
      await wait(LIMITS.retryMs, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
    }
    clearInterval(timer);
    await this.#sync();
    for (const { journal } of this.#entries.values()) await journal.release();
  }

  async #read(): Promise<void> {
    const { source } = this.#options;
    const from = await this.#start();
    this.#error = null;
    for await (const message of source.read(from, this.#closing.signal)) {
      if (message.at > this.#at + 1) this.#missed(message.at);
      await this.#take(message);
      this.#at = message.at;
      if (this.#unsettled.size === 0) this.#settledAt = message.at;
    }
  }
  /** Where to read from. Of a stream that is not the one that was read, or ends earlier, everything is compared with what stands in the files. */
  async #start(): Promise<number> {
    const { source, alarms, dir } = this.#options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await this.#openAll();
    const state = await source.state();
    const cursor: Cursor | null = this.#at > 0 ? { created: this.#created, at: this.#settledAt } : await readCursor(dir);
    const same = cursor !== null && cursor.created === state.created;
    if (cursor !== null && !same) alarms.raise('lost', STREAM, `the stream was made anew at ${state.created}; it is read again from its start`);
    else if (cursor !== null && state.last < cursor.at)
      alarms.raise('lost', STREAM, `the stream ends at message ${state.last}, ${cursor.at} were read of it`);
    this.#created = state.created;
    this.#at = same && state.last >= cursor.at ? cursor.at : 0;
    this.#settledAt = this.#at;
    for (const id of this.#unsettled) this.#entries.delete(id); // its parts come again
    this.#unsettled.clear();
    if (this.#at === 0) this.#at = Math.max(0, state.first - 1);
    return this.#at + 1;
  }

  #missed(at: number): void {
    this.#options.alarms.raise('gap', STREAM, `messages ${this.#at + 1} to ${at - 1} of the stream are missing`);
  }

  async #take({ at, journal, run }: Archived): Promise<void> {
    const { alarms, onRecords } = this.#options;
    if (journal === null || !JOURNAL.test(journal)) return alarms.raise('foreign', STREAM, `message ${at} is no journal’s`);
    if (run === null) return alarms.raise('foreign', journal, `message ${at} is none that a forwarder wrote`);
    const entry = await this.#entry(journal, run);
    if (entry === null) return;
    const taken = await entry.journal.take(run);
    if (entry.journal.settled) this.#unsettled.delete(journal);
    else this.#unsettled.add(journal);
    if (taken.kind === 'refused') {
      entry.stopped = taken;
      return alarms.raise(taken.code, journal, `message ${at}: ${taken.detail}`);
    }
    if (entry.stopped !== null) alarms.clear(entry.stopped.code, journal, `message ${at} goes on from what stands there`);
    entry.stopped = null;
    if (taken.records > 0) onRecords?.(journal, entry.journal.records);
  }

  /** null: it is stopped, and this run is none that it could go on with. */
  async #entry(id: string, run: Run): Promise<Entry | null> {
    const known = this.#entries.get(id);
    if (known !== undefined && known.stopped === null) return known;
    if (this.#damaged.has(id)) return null;
    const { segment, offset } = known?.journal.place ?? { segment: run.segment, offset: run.offset };
    if (run.segment > segment || (run.segment === segment && run.offset > offset)) return null;
    await known?.journal.release();
    return await this.#open(id, known?.stopped ?? null);
  }

  /** null: it cannot be taken, and an alarm says why. */
  async #open(id: string, stopped: Entry['stopped']): Promise<Entry | null> {
    const { dir, alarms, keyOf = () => null } = this.#options;
    if (!this.#entries.has(id) && this.#entries.size >= LIMITS.journalsMax) {
      alarms.raise('foreign', STREAM, `there are more than ${LIMITS.journalsMax} journals`);
      return null;
    }
    try {
      const journal = await MirroredJournal.open(id, join(dir, id), () => keyOf(id));
      const entry: Entry = { journal, stopped };
      this.#entries.set(id, entry);
      await this.#releaseOldest();
      return entry;
    } catch (error) {
      if (!(error instanceof InterlockError)) throw error;
      this.#damaged.add(id);
      alarms.raise('foreign', id, error.message);
      return null;
    }
  }

  /** What earlier processes wrote is known before anything new comes. */
  async #openAll(): Promise<void> {
    if (this.#opened) return;
    const names = await readdir(this.#options.dir);
    for (const id of names) if (JOURNAL.test(id)) await this.#open(id, null);
    this.#opened = true;
  }

  async #releaseOldest(): Promise<void> {
    if (this.#entries.size <= LIMITS.openFilesMax) return;
    for (const { journal } of this.#entries.values()) await journal.release();
  }

  /** One after the other; a disk that fails stops the reading, and is told. */
  #sync(): Promise<void> {
    this.#syncing = this.#syncing.then(() => this.#syncNow()).catch((error: unknown) => this.#failed(error));
    return this.#syncing;
  }

  async #syncNow(): Promise<void> {
    const cursor: Cursor = { created: this.#created, at: this.#settledAt };
    for (const { journal, stopped } of this.#entries.values()) if (stopped === null) await journal.sync();
    if (cursor.at === 0 || cursor.at === this.#cursorAt) return;
    this.#cursorAt = cursor.at;
    const path = join(this.#options.dir, CURSOR_FILE);
    await writeFile(`${path}.new`, `${JSON.stringify(cursor)}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  #failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (reason !== this.#error) this.#options.log.warn({ reason }, 'the archive cannot be read, or its files not written; trying again');
    this.#error = reason;
  }
}

/** How alarms call what is about the stream itself. */
const STREAM = 'stream';
const CURSOR_FILE = 'cursor.json';
const JOURNAL = /^[0-9a-f]{32}$/;

async function readCursor(dir: string): Promise<Cursor | null> {
  const text = await readFile(join(dir, CURSOR_FILE), 'utf8').catch(() => ''); // none yet: everything is read
  const match = /^\{"created":"([^"]{1,64})","at":(\d{1,16})\}/.exec(text);
  return match ? { created: match[1] as string, at: Number(match[2]) } : null;
}
