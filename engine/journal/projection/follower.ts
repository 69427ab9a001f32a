/**
 * Keeps the file with the journal: goes on where it stands, or makes it anew where it cannot be of this journal. It runs in a thread of its own
 * (writer-thread.ts), or in a command.
 */
import { rmSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { JournalReader } from '../reader.ts';
import { Payloads } from './payloads.ts';
import type { ProjectionChange } from './projection.ts';
import { Rows } from './rows.ts';
import { dropTables, openTables, readPlace, type Place } from './tables.ts';
import { lockFile } from './writer-lock.ts';
import { requestFile } from './offline.ts';

/** Records of one transaction at most. */
const BATCH_RECORDS = 4_000;

export interface FollowerOptions {
  readonly file: string;
  /** Of the journal. */
  readonly dir: string;
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
  #reader: JournalReader | null = null;
  #rows: Rows | null = null;
  #position = -1;

  /** @throws InterlockError STATE_LOCKED when another process writes it */
  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#lock = lockFile(options.file);
  }

  get position(): number {
    return this.#position;
  }

  /** Opens the file where it stands, or anew; answers why it was made anew, if it was. */
  async open(anew: Anew | null = null): Promise<Anew | null> {
    await this.#close();
    const why = anew ?? (await this.#continue());
    if (why !== null) await this.#begin();
    return why;
  }

  /** One batch, up to and with the record at `upTo`, of `recordsMax` at most. */
  async next(upTo: number, recordsMax: number = BATCH_RECORDS): Promise<Caught> {
    const reader = this.#reader as JournalReader;
    const rows = this.#rows as Rows;
    let records = 0;
    let events = 0;
    let done = false;
    while (records < recordsMax && !rows.full) {
      const record = await reader.next(upTo);
      if (record === null) {
        done = true;
        break;
      }
      if (record.seq <= this.#position) await rows.pass(record);
      else {
        await rows.add(record);
        this.#position = record.seq;
        records++;
        events += record.events.length;
      }
    }
    const changes = rows.commit();
    return { position: this.#position, records, events, changes, done };
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
    await this.#reader?.[Symbol.asyncDispose]();
    this.#reader = null;
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
    const payloads: Payloads = new Payloads((digest) => reader.payloadHere(digest));
    const kept = (frame: Parameters<Payloads['frame']>[0]): void => payloads.frame(frame);
    const reader = new JournalReader(this.#options.dir, { after: position, onPayload: kept, onErased: kept });
    this.#reader = reader;
    this.#rows = new Rows(this.#database as DatabaseSync, payloads);
    this.#position = position;
  }
}
