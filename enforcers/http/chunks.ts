/**
 * The chunked coding (RFC 9112 §7.1), read strictly: no extensions, no trailers, no bare line feeds (SECURITY H1).
 *
 *     *( 1*8HEXDIG CRLF data CRLF ) 1*"0" CRLF CRLF
 */
import { Malformed } from './head.ts';
import { HTTP_LIMITS } from './limits.ts';

const CR = 13;
const LF = 10;

/** Reads one body; bytes behind its end are left alone. */
export class ChunkReader {
  readonly #trailers: 'refused' | 'dropped';
  #state: 'size' | 'data' | 'after' | 'trailer' | 'done' = 'size';
  #line = '';
  #left = 0;

  /** `dropped`: those of a target's answer go no further. */
  constructor(trailers: 'refused' | 'dropped') {
    this.#trailers = trailers;
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  /** Hands over the data of `bytes`, and returns where the body ended, or its length. @throws Malformed */
  read(bytes: Buffer, from: number, take: (data: Buffer) => void): number {
    let at = from;
    while (at < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const end = Math.min(bytes.length, at + this.#left);
        take(bytes.subarray(at, end));
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#state = 'after';
      } else at = this.#takeLine(bytes, at);
    }
    return at;
  }

  /** One byte after the other: lines are short. */
  #takeLine(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === LF) {
        if (!this.#line.endsWith('\r')) throw new Malformed(400, 'a line of chunks ends without CR');
        this.#endLine(this.#line.slice(0, -1));
        this.#line = '';
        return at + 1;
      }
      if (this.#line.endsWith('\r') || (byte !== CR && (byte < 32 || byte === 127))) throw new Malformed(400, 'a line of chunks is malformed');
      const max = this.#state === 'trailer' ? HTTP_LIMITS.headBytes : HTTP_LIMITS.chunkLineBytes;
      if (this.#line.length >= max) throw new Malformed(400, 'a line of chunks is too long');
      this.#line += String.fromCharCode(byte);
    }
    return bytes.length;
  }

  #endLine(line: string): void {
    switch (this.#state) {
      case 'size':
        return this.#size(line);
      case 'after':
        if (line !== '') throw new Malformed(400, 'a chunk is longer than it says');
        this.#state = 'size';
        return;
      default:
        if (line === '') this.#state = 'done';
        else if (this.#trailers === 'refused') throw new Malformed(400, 'trailers are not taken');
    }
  }

  #size(line: string): void {
    // a target may say more of a chunk, which means nothing to us; a client may not
    const size = this.#trailers === 'dropped' ? line.replace(/[ \t]*;.*$/, '') : line;
    if (!/^[0-9A-Fa-f]{1,8}$/.test(size)) throw new Malformed(400, 'the size of a chunk is malformed');
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? 'trailer' : 'data';
  }
}

const CRLF = Buffer.from('\r\n');
export const LAST_CHUNK: Buffer = Buffer.from('0\r\n\r\n');

/** One chunk, around its data. */
export function chunk(data: Uint8Array): readonly Uint8Array[] {
  return [Buffer.from(`${data.length.toString(16)}\r\n`, 'latin1'), data, CRLF];
}
