import type { Socket } from 'node:net';
import { Writable } from 'node:stream';

/** The writing half of a socket that remembers what it was given. */
export class CollectingSocket extends Writable {
  readonly #chunks: Buffer[] = [];

  get collected(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  setNoDelay(): this {
    return this;
  }

  asSocket(): Socket {
    return this as unknown as Socket;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(Buffer.from(chunk));
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    for (const { chunk } of chunks) this.#chunks.push(Buffer.from(chunk));
    done();
  }
}
