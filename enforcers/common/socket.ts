import type { Socket } from 'node:net';

/** Pieces up to this size together are copied into one write; larger ones go as one writev. */
const GATHER_BYTES = 16_384;

/** One direction of a socket: pieces gather until `flush`, which hands them over in one write or writev. */
export class Wire {
  readonly socket: Socket;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** All bytes handed over so far. */
  written = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
  }

  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
  }

  /** False when the peer does not keep up: wait for `drain` before reading more for it. */
  flush(): boolean {
    const pieces = this.#pieces;
    if (pieces.length === 0) return !this.socket.writableNeedDrain;
    const bytes = this.#bytes;
    this.#pieces = [];
    this.#bytes = 0;
    this.written += bytes;
    const { socket } = this;
    if (!socket.writable) return true;
    if (pieces.length === 1) return socket.write(pieces[0] as Uint8Array);
    if (bytes <= GATHER_BYTES) return socket.write(Buffer.concat(pieces, bytes));
    socket.cork();
    let keepsUp = true;
    for (const piece of pieces) keepsUp = socket.write(piece);
    socket.uncork();
    return keepsUp;
  }
}

/** Several reasons can each stop a socket from being read; it is read when none is left. */
export class Gate {
  readonly #socket: Socket;
  readonly #reasons: Set<string> = new Set();

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  close(reason: string): void {
    this.#reasons.add(reason);
    if (this.#reasons.size === 1) this.#socket.pause();
  }

  open(reason: string): void {
    if (this.#reasons.delete(reason) && this.#reasons.size === 0) this.#socket.resume();
  }
}
