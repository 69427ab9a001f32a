/** Reads a journal's events, live or offline. Judges nothing but the frames' checksums: `verify.ts` judges. */
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Position } from '#client/journal';
import type { Event } from '#schemas/event';
import { SALT_BYTES, SEGMENT_HEADER_BYTES, SEGMENT_NAME } from './format.ts';
import { type Frame, FrameStream } from './frame-stream.ts';
import { RecordDecoder } from './record-decoder.ts';
import { readSegmentHeader, type SegmentHeader, segmentName } from './segment-header.ts';

/** Every event of a journal in order; stops at a torn tail. A directory without a journal has none. */
export async function* readJournal(dir: string): AsyncGenerator<Event> {
  await using reader = new JournalReader(dir);
  yield* reader.read();
}

/** How often a journal that another process writes is looked at for more. */
const LOOK_EVERY_MS = 200;

/** The events of a journal that is written elsewhere, behind `since` if given; with `follow` whatever comes, until the signal. */
export async function* followJournal(
  dir: string,
  { since, follow, signal }: { readonly since?: Position; readonly follow: boolean; readonly signal: AbortSignal },
): AsyncGenerator<Event> {
  await using reader = new JournalReader(dir, since === undefined ? {} : { after: since });
  do {
    yield* reader.read();
    if (follow) await wait(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
  } while (follow && !signal.aborted);
}

/** The bytes behind a payload's digest; null when they were removed, or never stood here. */
export async function readPayload(dir: string, digest: string): Promise<Uint8Array | null> {
  return (await readPayloads(dir, [digest])).get(digest) ?? null;
}

/** The same for many, in one pass from the newest segment back, which ends once all are found; what does not stand here is not in it. */
export async function readPayloads(dir: string, digests: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
  const wanted = new Map(digests.map((digest) => [latin1(digest), digest]));
  const found = new Map<string, Uint8Array>();
  for (const segment of (await segmentsOf(dir)).reverse()) {
    if (wanted.size === 0) break;
    for (const [hash, bytes] of await payloadsIn(dir, segment, new Set(wanted.keys()))) {
      found.set(wanted.get(hash) as string, bytes);
      wanted.delete(hash);
    }
  }
  return found;
}

/** Those of one segment, by their digests in latin1; reading ends once all are found. */
async function payloadsIn(dir: string, segment: number, wanted: Set<string>): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  await using opened = await openSegment(dir, segment);
  for (let frame = await opened?.frames.next(); frame && wanted.size > 0; frame = await opened?.frames.next()) {
    if (frame.kind === 'payload' && wanted.delete(frame.hash)) found.set(frame.hash, Uint8Array.from(frame.body.subarray(SALT_BYTES)));
  }
  return found;
}

function latin1(digest: string): string {
  return Buffer.from(digest.slice('sha256:'.length), 'hex').toString('latin1');
}

/** A place between two records, with what its segment defined before it. */
export interface ReadFrom {
  readonly segment: number;
  /** 0: nothing of the segment was read. */
  readonly offset: number;
  /** Position and hash of the record before it. */
  readonly last: Position;
  readonly prev: string;
  readonly decoder: RecordDecoder;
}

export interface JournalReaderOptions {
  /** In place of `after`: reads on from there. The decoder is this reader's from then on. */
  readonly from?: ReadFrom;
  readonly after?: Position;
  /** Called with every frame that holds a payload. */
  readonly onPayload?: (frame: Frame) => void;
  /** Called with every frame whose payload was removed. */
  readonly onErased?: (frame: Frame) => void;
  /** Called where a redacted payload is defined, with its digest and the digest of what is left of it. */
  readonly onRedacted?: (digest: string, stored: string) => void;
}

/** A record with its events. */
export interface ReadRecord {
  /** Id of the journal. */
  readonly journal: string;
  readonly seq: number;
  /** latin1 */
  readonly hash: string;
  readonly events: readonly Event[];
}

/** Reads on from where it stopped; one reader, one caller. */
export class JournalReader implements AsyncDisposable {
  readonly #dir: string;
  readonly #after: Position;
  readonly #onPayload: ((frame: Frame) => void) | null;
  readonly #onErased: ((frame: Frame) => void) | null;
  readonly #onRedacted: ((digest: string, stored: string) => void) | null;
  readonly #from: ReadFrom | null;
  #opened: OpenSegment | null = null;
  #decoder: RecordDecoder | null = null;
  #prev = '';
  #last = -1;

  constructor(dir: string, options: JournalReaderOptions = {}) {
    this.#dir = dir;
    this.#from = options.from ?? null;
    this.#after = this.#from?.last ?? options.after ?? -1;
    this.#onPayload = options.onPayload ?? null;
    this.#onErased = options.onErased ?? null;
    this.#onRedacted = options.onRedacted ?? null;
  }

  /** Up to and with the record at `upTo`, or to the end of what stands there. */
  async *read(upTo: Position = Number.MAX_SAFE_INTEGER): AsyncGenerator<Event> {
    for (let record = await this.next(upTo); record !== null; record = await this.next(upTo)) {
      if (record.seq > this.#after) yield* record.events;
    }
  }

  /**
   * The next record up to and with the one at `upTo`; null when there is none yet. It begins where the segment does that holds the first one wanted:
   * those before it are answered too, since they define what later ones refer to.
   */
  async next(upTo: Position = Number.MAX_SAFE_INTEGER): Promise<ReadRecord | null> {
    if (this.#opened === null && !(await this.#begin())) return null;
    while (this.#last < upTo) {
      const frame = await this.#nextFrame();
      if (frame === null) return null;
      if (frame.kind === 'payload') this.#onPayload?.(frame);
      if (frame.kind === 'erased') this.#onErased?.(frame);
      if (frame.kind !== 'record') continue;
      const { journal } = (this.#opened as OpenSegment).header;
      const { seq, events } = (this.#decoder as RecordDecoder).decode(frame.body, this.#prev);
      this.#prev = frame.hash;
      this.#last = seq;
      return { journal, seq, hash: frame.hash, events };
    }
    return null;
  }

  /** A payload that the segment of the last record holds: whatever a record refers to stands in its own. */
  async payloadHere(digest: string): Promise<Uint8Array | null> {
    const found = this.#opened === null ? null : await payloadsIn(this.#dir, this.#opened.header.segment, new Set([latin1(digest)]));
    return found?.get(latin1(digest)) ?? null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened?.[Symbol.asyncDispose]();
    this.#opened = null;
  }

  async #nextFrame(): Promise<Frame | null> {
    for (;;) {
      const opened = this.#opened as OpenSegment;
      // a second look, past what was read ahead of the writer
      const frame = (await opened.frames.next()) ?? (await opened.frames.next());
      if (frame !== null) return frame;
      if (!(await this.#enter(opened.header.segment + 1))) return null;
    }
  }

  async #begin(): Promise<boolean> {
    if (this.#from === null) return this.#enter(await this.#firstSegment());
    const { segment, offset, prev, last, decoder } = this.#from;
    if (offset === 0) return this.#enter(segment);
    this.#opened = await openSegment(this.#dir, segment, offset);
    this.#decoder = decoder;
    this.#prev = prev;
    this.#last = last;
    return this.#opened !== null;
  }

  async #enter(segment: number): Promise<boolean> {
    const opened = await openSegment(this.#dir, segment);
    if (opened === null) return false;
    await this[Symbol.asyncDispose]();
    this.#opened = opened;
    this.#decoder = new RecordDecoder(opened.header.journal, this.#onRedacted);
    this.#prev = opened.header.prev;
    return true;
  }

  /** The last segment that starts at or before the first record wanted. */
  async #firstSegment(): Promise<number> {
    const segments = await segmentsOf(this.#dir);
    let first = segments[0] ?? 1;
    for (const segment of segments) {
      await using opened = await openSegment(this.#dir, segment);
      if (opened === null || opened.header.firstSeq > this.#after + 1) break;
      first = segment;
    }
    return first;
  }
}

interface OpenSegment extends AsyncDisposable {
  readonly header: SegmentHeader;
  readonly frames: FrameStream;
}

async function openSegment(dir: string, segment: number, offset: number = SEGMENT_HEADER_BYTES): Promise<OpenSegment | null> {
  let file: FileHandle;
  try {
    file = await open(join(dir, segmentName(segment)), 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const head = Buffer.alloc(SEGMENT_HEADER_BYTES);
  await file.read(head, 0, head.length, 0);
  const header = readSegmentHeader(head);
  if (header === null) {
    await file.close();
    return null;
  }
  return { header, frames: new FrameStream(file, offset), [Symbol.asyncDispose]: () => file.close() };
}

async function segmentsOf(dir: string): Promise<number[]> {
  const names = await readdir(dir);
  return names
    .flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}
