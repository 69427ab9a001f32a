/**
 * Keeps the file with the journal: goes on where it stands, or makes it anew where it cannot be of this journal. It runs in a thread of its own
 * (writer-thread.ts), or in a command.
 */
import { rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { JournalReader, type ReadRecord } from '../reader.ts';
import type { ProjectionChange } from './projection.ts';
import { Rows } from './rows.ts';
import { oldest, SourceReader } from './source-reader.ts';
import { dropTables, openTables, readPlace, type Place } from './tables.ts';
import { lockFile } from './writer-lock.ts';
import { requestFile } from './offline.ts';

/** Records of one transaction at most. */
const BATCH_RECORDS = 4_000;
/** How often the archive is looked at for journals that are new. */
const LOOK_EVERY_MS = 500;
/** Journals of others that are followed at once. */
const JOURNALS_MAX = 1_024;

export interface FollowerOptions {
  readonly file: string;
  /** Of the journal. */
  readonly dir: string;
  /** Journals of others, a folder each, by their ids: their sessions and statements too. They may come and grow at any time. */
  readonly archive?: { readonly dir: string /** The journal's own id: it is there as well. */; readonly own: string };
}

/** Why the file was made anew. */
export type Anew = 'asked' | 'failed' | 'tables' | 'journal' | 'truncated' | 'damaged';

export interface Caught {
  /** Position of the last record that it holds; -1: none. */
  readonly position: number;
  readonly records: number;
  readonly events: number;
  readonly changes: readonly ProjectionChange[];
  /** There was nothing more to read. */
  readonly done: boolean;
}

export class Follower implements AsyncDisposable {
  readonly #options: FollowerOptions;
  readonly #lock: { release(): void };
  #database: DatabaseSync | null = null;
  #own: SourceReader | null = null;
  readonly #others = new Map<string, SourceReader>();
  #rows: Rows | null = null;
  #lookedMs = -Infinity;

  /** @throws InterlockError STATE_LOCKED when another process writes it */
  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#lock = lockFile(options.file);
  }

  get position(): number {
    return this.#own?.position ?? -1;
  }

  /** Opens the file where it stands, or anew; answers why it was made anew, if it was. */
  async open(anew: Anew | null = null): Promise<Anew | null> {
    await this.#close();
    const why = anew ?? (await this.#continue());
    if (why !== null) await this.#begin();
    return why;
  }

  /** One batch, up to and with the record at `upTo`, of `recordsMax` at most; of the archive whatever is there. */
  async next(upTo: number, recordsMax: number = BATCH_RECORDS): Promise<Caught> {
    await this.#look();
    const rows = this.#rows as Rows;
    const sources = [this.#own as SourceReader, ...this.#others.values()];
    let records = 0;
    let events = 0;
    let done = false;
    while (records < recordsMax && !rows.full) {
      const next = sources.length === 1 ? await only(sources[0] as SourceReader, upTo) : await oldest(sources, upTo);
      if (next === null) {
        done = true;
        break;
      }
      const { source, record } = next;
      if (record.seq <= source.position) await rows.pass(record, source);
      else {
        await rows.add(record, source);
        source.position = record.seq;
        records++;
        events += record.events.length;
      }
      source.taken();
    }
    const changes = rows.commit();
    return { position: this.position, records, events, changes, done };
  }

  /** Everything goes to the one file, so that it can be copied. */
  checkpoint(): void {
    this.#database?.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    this.#lock.release();
  }

  async #close(): Promise<void> {
    for (const source of [this.#own, ...this.#others.values()]) await source?.[Symbol.asyncDispose]();
    this.#own = null;
    this.#others.clear();
    this.#lookedMs = -Infinity;
    this.#rows = null;
    try {
      this.#database?.close();
    } finally {
      this.#database = null;
    }
  }

  /** null: it goes on with the file that is there. */
  async #continue(): Promise<Anew | null> {
    let place: Place | null;
    try {
      this.#database = openTables(this.#options.file);
      place = readPlace(this.#database);
    } catch {
      return 'damaged';
    }
    if (place === null) return 'tables';
    const why = await this.#differs(place);
    if (why === null) this.#read(place.seq);
    return why;
  }

  /** The record at its place must be the one that was read. */
  async #differs(place: Place): Promise<Anew | null> {
    await using reader = new JournalReader(this.#options.dir, { after: place.seq - 1 });
    for (let record = await reader.next(place.seq); record !== null; record = await reader.next(place.seq)) {
      if (record.journal !== place.journal) return 'journal';
      if (record.seq === place.seq) return Buffer.from(record.hash, 'latin1').toString('hex') === place.hash ? null : 'journal';
    }
    return 'truncated';
  }

  async #begin(): Promise<void> {
    await this.#close();
    const { file } = this.#options;
    rmSync(requestFile(file), { force: true });
    dropTables(file);
    this.#database = openTables(file);
    this.#read(-1);
  }

  #read(position: number): void {
    this.#own = new SourceReader('', this.#options.dir, position);
    this.#rows = new Rows(this.#database as DatabaseSync);
  }

  /** A journal that is new in the archive. */
  async #look(): Promise<void> {
    const { archive } = this.#options;
    const nowMs = performance.now();
    if (archive === undefined || nowMs - this.#lookedMs < LOOK_EVERY_MS) return;
    this.#lookedMs = nowMs;
    const found = await readdir(archive.dir, { withFileTypes: true }).catch(() => []); // there is none yet
    for (const entry of found) {
      if (!entry.isDirectory() || entry.name === archive.own || this.#others.has(entry.name) || this.#others.size >= JOURNALS_MAX) continue;
      const place = readPlace(this.#database as DatabaseSync, entry.name);
      this.#others.set(entry.name, new SourceReader(entry.name, join(archive.dir, entry.name), place?.seq ?? -1));
    }
  }
}

async function only(source: SourceReader, upTo: number): Promise<{ readonly source: SourceReader; readonly record: ReadRecord } | null> {
  const record = await source.peek(upTo);
  return record && { source, record };
}
