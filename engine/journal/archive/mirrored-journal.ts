/**
 * One journal's files in the archive, written from what comes of it: byte for byte what stands in the journal's own directory, but for the zeros behind
 * the last record. A run is checked before it is written; what does not fit is not written, and nothing behind it.
 */
import { constants } from 'node:fs';
import { mkdir, open, readFile, rename, writeFile, type FileHandle } from 'node:fs/promises';
import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { InterlockError } from '#schemas/errors';
import { CHECKPOINT_FILE, SEGMENT_HEADER_BYTES } from '../format.ts';
import { segmentName } from '../segment-header.ts';
import { Chain, type Fault, type KeptChain } from './chain.ts';
import { noteOfCheckpoint } from './checkpoint-watch.ts';
import { LIMITS } from './limits.ts';
import type { Place, Run } from './port.ts';

export type Taken =
  /** records: how many are new. */
  | { readonly kind: 'written'; readonly records: number }
  | { readonly kind: 'refused'; readonly code: Fault['code'] | 'gap'; readonly detail: string };

/** `mirror.json`: where the next process goes on. */
interface Kept extends KeptChain, Place {
  readonly journal: string;
}

const KEPT_FILE = 'mirror.json';
const READ_BYTES = 1 << 20;

export class MirroredJournal {
  readonly id: string;
  readonly dir: string;
  readonly #chain: Chain;
  #segment: number;
  /** Everything before it in the segment is written, and ends with a whole frame. */
  #offset: number;
  #file: FileHandle | null = null;
  /** Behind `#offset`: a frame that came in parts, not whole yet. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  #dirty = false;
  #noted = -1;
  /** Resolves when what was asked last is done. */
  #turn: Promise<void> = Promise.resolve();

  private constructor(id: string, dir: string, chain: Chain, place: Place) {
    this.id = id;
    this.dir = dir;
    this.#chain = chain;
    this.#segment = place.segment;
    this.#offset = place.offset;
  }

  /** Goes on from what is there: from the place that was kept, or from the start, over everything that stands there and is whole. */
  static async open(id: string, dir: string, key: () => KeyObject | null): Promise<MirroredJournal> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const kept = await readKept(dir, id);
    const from = async (start: Kept | null): Promise<MirroredJournal> => {
      const journal = new MirroredJournal(id, dir, new Chain(id, key, start), start ?? { segment: 1, offset: 0 });
      await journal.#readOn();
      return journal;
    };
    // the note is a short cut: what does not fit it may fit what stands before it
    return kept === null ? await from(null) : await from(kept).catch(() => from(null));
  }

  /** Records that are written. */
  get records(): number {
    return this.#chain.nextSeq;
  }
  get place(): Place {
    return { segment: this.#segment, offset: this.#offset };
  }
  /** Wall clock of the last record, µs; 0: none came yet. */
  get lastWallUs(): number {
    return this.#chain.lastWallUs;
  }
  /** Nothing of it is in memory alone. */
  get settled(): boolean {
    return this.#begunBytes === 0;
  }

  /** After a refusal for another reason than a gap it is of no use any more: open it again. */
  take(run: Run): Promise<Taken> {
    return this.#alone(() => this.#take(run));
  }

  /** What is written is on stable storage, and noted, when it resolves; with the newest checkpoint as a signed note. */
  sync(): Promise<void> {
    return this.#alone(() => this.#sync());
  }

  /** What the system holds for it; it is opened again when the next run comes. */
  release(): Promise<void> {
    return this.#alone(() => this.#release());
  }

  /** One after the other: while a run is being written the chain is ahead of the file, and a place noted then would be one that never was. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  async #take(run: Run): Promise<Taken> {
    const from = this.#offset + this.#begunBytes;
    const before = this.#chain.nextSeq;
    if (run.segment === this.#segment + 1 && run.offset === 0 && this.#begunBytes === 0 && this.#offset > 0) return this.#newSegment(run);
    if (run.segment > this.#segment || (run.segment === this.#segment && run.offset > from)) {
      const detail = `bytes from ${run.offset} of segment ${run.segment} came, from ${from} of segment ${this.#segment} were next`;
      return { kind: 'refused', code: 'gap', detail };
    }
    const known = run.segment < this.#segment ? run.bytes.length : Math.min(run.bytes.length, from - run.offset);
    if (known > 0 && !(await this.#isThere(run, known))) {
      const detail = `other bytes came for ${run.offset} to ${run.offset + known} of segment ${run.segment} than stand there`;
      return { kind: 'refused', code: 'conflict', detail };
    }
    if (known === run.bytes.length) return { kind: 'written', records: 0 };
    return this.#append(run.bytes.subarray(known), isWhole(run), before);
  }

  async #sync(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    await this.#file?.datasync();
    const kept: Kept = { journal: this.id, segment: this.#segment, offset: this.#offset, ...this.#chain.keep() };
    await replaceFile(join(this.dir, KEPT_FILE), `${JSON.stringify(kept)}\n`, 0o600);
    const { checkpoint } = this.#chain;
    if (checkpoint === null || checkpoint.size === this.#noted) return;
    this.#noted = checkpoint.size;
    await replaceFile(join(this.dir, CHECKPOINT_FILE), noteOfCheckpoint(checkpoint), 0o644);
  }

  async #release(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    if (this.#dirty) await file?.datasync();
    await file?.close();
  }

  async #newSegment(run: Run): Promise<Taken> {
    const fault = this.#chain.header(run.bytes, run.segment);
    if (fault !== null) return { kind: 'refused', ...fault };
    await this.#release();
    this.#segment = run.segment;
    this.#offset = 0;
    return this.#append(run.bytes, isWhole(run), this.#chain.nextSeq);
  }

  /** Checks, then writes what is whole. */
  async #append(bytes: Buffer, whole: boolean, before: number): Promise<Taken> {
    const all = this.#begunBytes === 0 ? bytes : Buffer.concat([...this.#begun, bytes]);
    if (this.#offset === 0) {
      const fault = this.#chain.header(all, this.#segment);
      if (fault !== null) return { kind: 'refused', ...fault };
    }
    const end = this.#chain.frames(all, this.#offset === 0 ? SEGMENT_HEADER_BYTES : 0);
    if (typeof end !== 'number') return { kind: 'refused', ...end };
    if (whole && end !== all.length)
      return { kind: 'refused', code: 'foreign', detail: `a message behind record ${this.#chain.nextSeq - 1} ends within a frame` };
    if (all.length - end > LIMITS.frameBytesMax)
      return { kind: 'refused', code: 'foreign', detail: `a frame is longer than ${LIMITS.frameBytesMax} bytes` };
    await this.#write(all.subarray(0, end));
    this.#begun = end === all.length ? [] : [Buffer.from(all.subarray(end))];
    this.#begunBytes = all.length - end;
    return { kind: 'written', records: this.#chain.nextSeq - before };
  }

  async #write(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    const file = await this.#opened();
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at, this.#offset + at)).bytesWritten;
    this.#offset += bytes.length;
    this.#dirty = true;
  }

  async #opened(): Promise<FileHandle> {
    this.#file ??= await open(join(this.dir, segmentName(this.#segment)), constants.O_RDWR | constants.O_CREAT, 0o600);
    return this.#file;
  }

  async #isThere(run: Run, length: number): Promise<boolean> {
    const held = Buffer.concat([await this.#read(run.segment, run.offset, length), ...this.#begun]);
    return held.subarray(0, length).equals(run.bytes.subarray(0, length));
  }

  async #read(segment: number, offset: number, length: number): Promise<Buffer> {
    const most = segment === this.#segment ? Math.max(0, Math.min(length, this.#offset - offset)) : length;
    const bytes = Buffer.alloc(most);
    await using file = await open(join(this.dir, segmentName(segment)), 'r').catch(missing);
    const { bytesRead } = await (file?.read(bytes, 0, most, offset) ?? { bytesRead: 0 });
    return bytes.subarray(0, bytesRead);
  }

  /** What was written behind the kept place and is whole counts; what is not is cut, and comes again. */
  async #readOn(): Promise<void> {
    for (;;) {
      const rest = await this.#readSegment();
      const next = await open(join(this.dir, segmentName(this.#segment + 1)), 'r').catch(missing);
      if (next === null) {
        if (rest > 0) await (await this.#opened()).truncate(this.#offset);
        return;
      }
      await next.close();
      if (rest > 0) throw new InterlockError('JOURNAL_CORRUPT', `archive of journal ${this.id}: segment ${this.#segment} ends within a frame`);
      await this.#release();
      this.#segment++;
      this.#offset = 0;
    }
  }

  /** Answers how many bytes stand behind the last whole frame. */
  async #readSegment(): Promise<number> {
    await using file = await open(join(this.dir, segmentName(this.#segment)), 'r').catch(missing);
    if (file === null) return 0;
    const { size } = await file.stat();
    for (let window = READ_BYTES; this.#offset < size; ) {
      const bytes = Buffer.alloc(Math.min(window, size - this.#offset));
      await file.read(bytes, 0, bytes.length, this.#offset);
      if (this.#offset === 0 && this.#chain.header(bytes, this.#segment) !== null) return size;
      const start = this.#offset === 0 ? SEGMENT_HEADER_BYTES : 0;
      const end = this.#chain.frames(bytes, start);
      if (typeof end !== 'number') throw new InterlockError('JOURNAL_CORRUPT', `archive of journal ${this.id}: ${end.detail}`);
      this.#dirty = true;
      if (end === start && bytes.length === size - this.#offset) break;
      if (end === start) window *= 2;
      if (end > start || start > 0) this.#offset += end;
    }
    return size - this.#offset;
  }
}

/** A run that is no part is named by the hash of its last record. */
function isWhole(run: Run): boolean {
  return run.id.length === 64;
}

async function readKept(dir: string, id: string): Promise<Kept | null> {
  const text = await readFile(join(dir, KEPT_FILE), 'utf8').catch(() => null); // none: everything is read again
  if (text === null) return null;
  try {
    const kept = JSON.parse(text) as Kept;
    return kept.journal === id && Number.isSafeInteger(kept.next_seq) && Array.isArray(kept.roots) ? kept : null;
  } catch {
    return null; // a power cut left half of it
  }
}

/** By rename: a reader sees the old one or the new one. */
async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  await writeFile(`${path}.new`, text, { mode });
  await rename(`${path}.new`, path);
}

function missing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
