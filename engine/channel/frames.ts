/**
 * Frames, and reading them from whatever pieces the network makes of them.
 *
 *      0        4      5       6                12
 *      +--------+------+-------+----------------+---------
 *      | length | type | flags | id, 48 bits    | body …
 *      +--------+------+-------+----------------+---------
 *
 * Big-endian. `length` counts what follows it: 8 for an empty body. Flag 1 (MORE): the payload goes on in CONTINUE frames of the same id.
 * Ids count up and never come again on a connection: odd ones begin at the dialer, even ones at the listener, 0 is the connection itself.
 * README.md has the body of each type.
 */
import { InterlockError } from '#schemas/errors';

export const HEADER_BYTES = 12;
export const MORE = 1;

export const TYPE = {
  hello: 1,
  close: 2,
  ping: 3,
  pong: 4,
  leave: 5,
  call: 6,
  continue: 7,
  answer: 8,
  error: 9,
  cancel: 10,
  open: 11,
  message: 12,
  credit: 13,
  end: 14,
  reset: 15,
} as const;
export type FrameType = (typeof TYPE)[keyof typeof TYPE];

/** `buffer` from `start` to `end` is the body; it is the reader's only while this runs, unless it was told that chunks are its own. */
export type OnFrame = (type: number, flags: number, id: number, buffer: Buffer, start: number, end: number) => void;

const LENGTH_BYTES = 4;
const SMALLEST = HEADER_BYTES - LENGTH_BYTES;

export class FrameReader {
  readonly #onFrame: OnFrame;
  /** With its header. Smaller until the peer is known. */
  frameBytesMax: number;
  /** A frame that began in an earlier chunk: first its length, then all of it. */
  #part: Buffer | null = null;
  readonly #length = Buffer.alloc(LENGTH_BYTES);
  #have = 0;
  /** Once true, nothing more is read: the connection is over. */
  stopped = false;

  constructor(frameBytesMax: number, onFrame: OnFrame) {
    this.frameBytesMax = frameBytesMax;
    this.#onFrame = onFrame;
  }

  /** @throws InterlockError CHANNEL_PROTOCOL for a length that no frame has, and whatever `onFrame` throws */
  push(chunk: Buffer): void {
    let at = this.#have > 0 ? this.#finish(chunk) : 0;
    while (!this.stopped && chunk.length - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + this.#checked(chunk.readUInt32BE(at));
      if (end > chunk.length) break;
      this.#frame(chunk, at, end);
      at = end;
    }
    if (at < chunk.length && !this.stopped) this.#keep(chunk, at);
  }

  /** Where the frame that was begun ends in this chunk. */
  #finish(chunk: Buffer): number {
    let at = 0;
    if (this.#part === null) {
      const taken = chunk.copy(this.#length, this.#have, 0, LENGTH_BYTES - this.#have);
      this.#have += taken;
      at = taken;
      if (this.#have < LENGTH_BYTES) return at;
      this.#begin(this.#length.readUInt32BE(0));
    }
    const part = this.#part as unknown as Buffer;
    const taken = chunk.copy(part, this.#have, at);
    this.#have += taken;
    if (this.#have < part.length) return at + taken;
    this.#part = null;
    this.#have = 0;
    this.#frame(part, 0, part.length);
    return at + taken;
  }

  #keep(chunk: Buffer, from: number): void {
    if (chunk.length - from < LENGTH_BYTES) {
      this.#have = chunk.copy(this.#length, 0, from);
      return;
    }
    chunk.copy(this.#length, 0, from, from + LENGTH_BYTES);
    this.#begin(this.#length.readUInt32BE(0));
    this.#have += chunk.copy(this.#part as unknown as Buffer, LENGTH_BYTES, from + LENGTH_BYTES);
  }

  #begin(length: number): void {
    this.#part = Buffer.allocUnsafe(LENGTH_BYTES + this.#checked(length));
    this.#length.copy(this.#part);
    this.#have = LENGTH_BYTES;
  }

  #checked(length: number): number {
    if (length >= SMALLEST && length + LENGTH_BYTES <= this.frameBytesMax) return length;
    this.stopped = true;
    throw new InterlockError(
      'CHANNEL_PROTOCOL',
      `a frame of ${length} bytes; between ${SMALLEST} and ${this.frameBytesMax - LENGTH_BYTES} are allowed`,
    );
  }

  #frame(buffer: Buffer, at: number, end: number): void {
    this.#onFrame(buffer[at + 4] as number, buffer[at + 5] as number, idAt(buffer, at + 6), buffer, at + HEADER_BYTES, end);
  }
}

export function idAt(buffer: Buffer, at: number): number {
  return buffer.readUInt16BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 2);
}

export function writeHeader(buffer: Buffer, at: number, type: FrameType, flags: number, id: number, bodyBytes: number): void {
  buffer.writeUInt32BE(SMALLEST + bodyBytes, at);
  buffer[at + 4] = type;
  buffer[at + 5] = flags;
  buffer.writeUInt16BE(Math.floor(id / 0x1_0000_0000), at + 6);
  buffer.writeUInt32BE(id % 0x1_0000_0000, at + 8);
}
