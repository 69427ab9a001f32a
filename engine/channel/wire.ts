/** What goes out on a connection: frames gather until the end of the tick and leave in one write; long payloads give way to short ones. */
import type { Socket } from 'node:net';
import { type FrameType, HEADER_BYTES, MORE, TYPE, writeHeader } from './frames.ts';

const CHUNK_BYTES = 65_536;
/** So much of long payloads is handed to the socket ahead; the rest waits until it has room. */
const AHEAD_BYTES = 262_144;

/** The rest of a payload, or, with a type of its own, all of one that may not overtake it. */
interface Rest {
  readonly id: number;
  type: FrameType;
  readonly bytes: Uint8Array;
  at: number;
}

export class Wire {
  readonly #socket: Socket;
  /** The largest frame that the peer takes. */
  frameBytes: number;
  /** Frames are written into it in place, behind each other; `begin` says where. */
  buffer: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #start = 0;
  #end = 0;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #rests: Rest[] = [];
  #restBytes = 0;
  #scheduled = false;
  readonly #flushLater = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  constructor(socket: Socket, frameBytes: number) {
    this.#socket = socket;
    this.frameBytes = frameBytes;
    socket.on('drain', () => this.flush());
  }

  /** Bytes that wait to leave. */
  get backlog(): number {
    return this.#socket.writableLength + this.#pieceBytes + (this.#end - this.#start) + this.#restBytes;
  }

  /** Where in `buffer` the body of this frame is to be written, at once. */
  begin(type: FrameType, flags: number, id: number, bodyBytes: number): number {
    const size = HEADER_BYTES + bodyBytes;
    if (this.#end + size > this.buffer.length) this.#renew(size);
    const at = this.#end;
    this.#end += size;
    writeHeader(this.buffer, at, type, flags, id, bodyBytes);
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#flushLater);
    }
    return at + HEADER_BYTES;
  }

  /** How much of a payload fits into the frame whose body begins with `headBytes`. */
  fits(headBytes: number, payloadBytes: number): number {
    return Math.min(payloadBytes, this.frameBytes - HEADER_BYTES - headBytes);
  }

  /** A frame with a head that the caller writes where this says, and its payload behind it, in as many frames as it takes. */
  beginPayload(type: FrameType, id: number, headBytes: number, payload: Uint8Array): number {
    const first = this.fits(headBytes, payload.length);
    const at = this.begin(type, first < payload.length ? MORE : 0, id, headBytes + first);
    if (first === payload.length) {
      copy(payload, this.buffer, at + headBytes);
      return at;
    }
    this.buffer.set(payload.subarray(0, first), at + headBytes);
    // the caller may change it as soon as this returns
    this.#queue({ id, type: TYPE.continue, bytes: Buffer.from(payload.subarray(first)), at: 0 });
    return at;
  }

  /** A frame without a head that may not overtake an earlier one of its id. */
  inOrder(type: FrameType, id: number, payload: Uint8Array): void {
    if (this.#rests.some((rest) => rest.id === id)) this.#queue({ id, type, bytes: Buffer.from(payload), at: 0 });
    else this.beginPayload(type, id, 0, payload);
  }

  /** What has not left of this id does not leave. */
  drop(id: number): void {
    if (this.#rests.length === 0) return;
    this.#rests = this.#rests.filter((rest) => rest.id !== id);
    this.#restBytes = this.#rests.reduce((sum, rest) => sum + rest.bytes.length - rest.at, 0);
  }

  flush(): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    this.#gather();
    this.#takeRests(AHEAD_BYTES - socket.writableLength - this.#pieceBytes);
    this.#gather();
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    this.#pieces = [];
    this.#pieceBytes = 0;
    if (pieces.length === 1) {
      socket.write(pieces[0] as Buffer);
      return;
    }
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }

  #queue(rest: Rest): void {
    this.#rests.push(rest);
    this.#restBytes += rest.bytes.length;
  }

  #takeRests(room: number): void {
    let left = room;
    while (left > 0) {
      const rest = this.#rests[0];
      if (rest === undefined) return;
      const bytes = this.fits(0, rest.bytes.length - rest.at);
      const last = rest.at + bytes === rest.bytes.length;
      const at = this.begin(rest.type, last ? 0 : MORE, rest.id, bytes);
      this.buffer.set(rest.bytes.subarray(rest.at, rest.at + bytes), at);
      rest.at += bytes;
      rest.type = TYPE.continue;
      this.#restBytes -= bytes;
      left -= HEADER_BYTES + bytes;
      if (last) this.#rests.shift();
    }
  }

  /** What was written becomes a piece; the socket keeps it, so it is not written again. */
  #gather(): void {
    if (this.#end === this.#start) return;
    this.#pieces.push(this.buffer.subarray(this.#start, this.#end));
    this.#pieceBytes += this.#end - this.#start;
    this.#start = this.#end;
  }

  #renew(size: number): void {
    this.#gather();
    this.buffer = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, size));
    this.#start = 0;
    this.#end = 0;
  }
}

/** Below some dozens of bytes a loop is faster than the call. */
function copy(from: Uint8Array, to: Buffer, at: number): void {
  if (from.length > 48) {
    to.set(from, at);
    return;
  }
  for (let index = 0; index < from.length; index++) to[at + index] = from[index] as number;
}
