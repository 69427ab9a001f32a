/**
 * The client's side of the data phase as whole messages. A frame is a place in a buffer, not an object:
 *
 *   type:Byte1 length:Int32 body      https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
import { LIMITS } from '#enforcers/common/limits';
import { F } from './protocol.ts';

const HEADER = 5;
const NOTHING = Buffer.alloc(0);

export type FrameState = 'whole' | 'partial' | 'oversized' | 'malformed';

export class Frames {
  readonly #statementBytes: number;
  #chunks: Buffer[] = [];
  #pending = 0;
  #skip = 0;
  /** The frame is `buffer[start … end)`, its body begins at `start + 5`. */
  buffer: Buffer = NOTHING;
  start = 0;
  end = 0;
  type = 0;
  #need = HEADER;

  constructor(statementBytes: number) {
    this.#statementBytes = statementBytes;
  }

  /** Bytes that wait. */
  get waiting(): number {
    return this.buffer.length - this.end + this.#pending;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#pending += chunk.length;
  }

  /** The current frame is taken once more by the next `next`. */
  again(): void {
    this.end = this.start;
  }

  /** Moves on to the next frame. `oversized`: it is skipped as it comes; `malformed`: the stream cannot be read any further. */
  next(): FrameState {
    this.start = this.end;
    if (!this.#skipped()) return 'partial';
    if (this.#available() < this.#need) return 'partial';
    if (this.buffer.length - this.start < HEADER) this.#gather();
    this.type = this.buffer[this.start] as number;
    const length = this.buffer.readInt32BE(this.start + 1);
    // no type is anything but a letter: a start-up packet or an SSLRequest in here would be waited for in vain
    if (length < 4 || length > LIMITS.messageBytesMax || !isLetter(this.type)) return 'malformed';
    const size = length + 1;
    if (size > this.#limit(this.type)) {
      this.#skip = size;
      this.#skipped();
      return 'oversized';
    }
    this.#need = size;
    if (this.#available() < size) return 'partial';
    if (this.buffer.length - this.start < size) this.#gather();
    this.end = this.start + size;
    this.#need = HEADER;
    return 'whole';
  }

  #limit(type: number): number {
    switch (type) {
      case F.query:
      case F.parse:
        return this.#statementBytes + LIMITS.controlMessageBytes;
      case F.bind:
        return LIMITS.paramsBytes + LIMITS.controlMessageBytes;
      case F.copyData:
        return LIMITS.messageBytesMax;
      default:
        return LIMITS.controlMessageBytes;
    }
  }

  #available(): number {
    return this.buffer.length - this.start + this.#pending;
  }

  /** Nothing is copied before the whole frame is there. */
  #gather(): void {
    if (this.#pending === 0) return;
    const rest = this.buffer.subarray(this.start);
    const [first] = this.#chunks;
    this.buffer = rest.length === 0 && this.#chunks.length === 1 && first ? first : Buffer.concat([rest, ...this.#chunks]);
    this.#chunks = [];
    this.#pending = 0;
    this.start = 0;
    this.end = 0;
  }

  /** False: more of an oversized message is to come. */
  #skipped(): boolean {
    if (this.#skip === 0) return true;
    this.#gather();
    const taken = Math.min(this.#skip, this.buffer.length - this.start);
    this.#skip -= taken;
    this.start += taken;
    this.end = this.start;
    return this.#skip === 0;
  }
}

function isLetter(type: number): boolean {
  return (type >= 0x41 && type <= 0x5a) || (type >= 0x61 && type <= 0x7a);
}
