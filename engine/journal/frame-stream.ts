/** The frames of one segment, in order, through a window that grows with the largest of them. */
import type { FileHandle } from 'node:fs/promises';
import { crc32c } from './crc32c.ts';
import { ERASED_FLAG, FRAME_HEADER_BYTES, LENGTH_MASK, PAYLOAD_FLAG, RECORD_HEADER_BYTES } from './format.ts';

export interface Frame {
  /** Of the frame's first byte, in its file. */
  readonly offset: number;
  readonly kind: 'record' | 'payload' | 'erased';
  /** latin1: a record's hash, a payload's digest. */
  readonly hash: string;
  /** Valid until the next frame is read. */
  readonly body: Buffer;
}

const WINDOW_BYTES = 128 << 10;

export class FrameStream {
  readonly #file: FileHandle;
  #window: Buffer = Buffer.allocUnsafe(WINDOW_BYTES);
  #windowAt: number;
  #filled = 0;
  /** Where the next frame starts, or where reading ended. */
  offset: number;
  /** Set when reading ended at bytes that are no frame: anything but zeros or the end of the file. */
  broken = false;

  constructor(file: FileHandle, offset: number) {
    this.#file = file;
    this.#windowAt = offset;
    this.offset = offset;
  }

  /** null at the end: zeros, the end of the file, `limit`, or bytes that are no frame. */
  async next(limit = Number.MAX_SAFE_INTEGER): Promise<Frame | null> {
    if (this.offset >= limit) return this.#end(false);
    if (!(await this.#have(FRAME_HEADER_BYTES))) return this.#end((await this.#have(4)) && this.#lengthField() !== 0);
    const field = this.#lengthField();
    if (field === 0) return this.#end(false);
    const length = field & LENGTH_MASK;
    if (length < RECORD_HEADER_BYTES && (field & PAYLOAD_FLAG) === 0) return this.#end(true);
    if (!(await this.#have(FRAME_HEADER_BYTES + length))) return this.#end(true);
    const at = this.offset - this.#windowAt;
    const end = at + FRAME_HEADER_BYTES + length;
    const window = this.#window;
    if (crc32c(window, at + 8, end, crc32c(window, at, at + 4)) !== window.readUInt32LE(at + 4)) return this.#end(true);
    this.offset += FRAME_HEADER_BYTES + length;
    return {
      offset: this.offset - FRAME_HEADER_BYTES - length,
      kind: (field & PAYLOAD_FLAG) === 0 ? 'record' : (field & ERASED_FLAG) === 0 ? 'payload' : 'erased',
      hash: window.toString('latin1', at + 8, at + FRAME_HEADER_BYTES),
      body: window.subarray(at + FRAME_HEADER_BYTES, end),
    };
  }

  #lengthField(): number {
    return this.#window.readUInt32LE(this.offset - this.#windowAt);
  }

  #end(broken: boolean): null {
    this.broken = broken;
    // what was read ahead of a growing file may be old
    this.#windowAt = this.offset;
    this.#filled = 0;
    return null;
  }

  async #have(bytes: number): Promise<boolean> {
    const at = this.offset - this.#windowAt;
    if (this.#filled - at >= bytes) return true;
    const rest = this.#window.subarray(at, this.#filled);
    if (bytes > this.#window.length) {
      const { size } = await this.#file.stat();
      if (this.offset + bytes > size) return false; // a length that no file holds must not make us allocate it
      this.#window = Buffer.allocUnsafe(Math.max(bytes, this.#window.length * 2));
    }
    this.#window.set(rest, 0);
    this.#windowAt = this.offset;
    this.#filled = rest.length;
    while (this.#filled < bytes) {
      const { bytesRead } = await this.#file.read(this.#window, this.#filled, this.#window.length - this.#filled, this.#windowAt + this.#filled);
      if (bytesRead === 0) return false;
      this.#filled += bytesRead;
    }
    return true;
  }
}
