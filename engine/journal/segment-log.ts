/**
 * The running segment and the spare behind it. Batches go to the disk one after the other; the spare exists, in zeros and on stable storage,
 * before the running segment may be used, so that a full disk shows when the next spare cannot be made, while there is still room to say so.
 */
import { join } from 'node:path';
import type { JournalFile, JournalFiles } from './files.ts';
import { segmentName } from './segment-header.ts';

export interface Batch {
  readonly segment: number;
  readonly bytes: Buffer;
  readonly length: number;
}

export class SegmentLog {
  readonly #dir: string;
  readonly #files: JournalFiles;
  readonly #segmentBytes: number;
  readonly #onSpareFailed: (error: Error) => void;
  #file: JournalFile;
  #segment: number;
  /** Everything before it in the running segment is on stable storage. */
  #offset: number;
  #spare: Promise<void>;

  private constructor(options: SegmentLogOptions, file: JournalFile, segment: number, offset: number) {
    this.#dir = options.dir;
    this.#files = options.files;
    this.#segmentBytes = options.segmentBytes;
    this.#onSpareFailed = options.onSpareFailed;
    this.#file = file;
    this.#segment = segment;
    this.#offset = offset;
    this.#spare = Promise.resolve();
  }

  /** @param existing numbers of the segment files there are */
  static async open(options: SegmentLogOptions, segment: number, offset: number, existing: readonly number[]): Promise<SegmentLog> {
    const { dir, files, segmentBytes } = options;
    for (const needed of [segment, segment + 1]) {
      if (!existing.includes(needed)) await files.allocate(join(dir, segmentName(needed)), segmentBytes);
    }
    return new SegmentLog(options, await files.open(join(dir, segmentName(segment))), segment, offset);
  }

  get segment(): number {
    return this.#segment;
  }
  get offset(): number {
    return this.#offset;
  }

  /** Batches for the running segment are on stable storage when `commit` returns. */
  get inline(): boolean {
    return this.#file.inline === true;
  }

  /** One at a time. `done(null)`: on stable storage. After an error the log must not be used again. */
  commit(batch: Batch, done: (error: Error | null) => void): void {
    if (batch.segment === this.#segment) return this.#write(batch, done);
    this.#rotate(batch.segment).then(() => this.#write(batch, done), done);
  }

  #write(batch: Batch, done: (error: Error | null) => void): void {
    this.#file.commit(batch.bytes, batch.length, this.#offset, (error) => {
      if (error === null) this.#offset += batch.length;
      done(error);
    });
  }

  async #rotate(segment: number): Promise<void> {
    await this.#spare;
    const old = this.#file;
    this.#file = await this.#files.open(join(this.#dir, segmentName(segment)));
    this.#segment = segment;
    this.#offset = 0;
    await old.close();
    this.#spare = this.#files.allocate(join(this.#dir, segmentName(segment + 1)), this.#segmentBytes);
    this.#spare.catch(this.#onSpareFailed);
  }

  async close(): Promise<void> {
    await this.#spare.catch(() => undefined); // was reported when it failed
    await this.#file.close();
  }
}

export interface SegmentLogOptions {
  readonly dir: string;
  readonly files: JournalFiles;
  readonly segmentBytes: number;
  readonly onSpareFailed: (error: Error) => void;
}
