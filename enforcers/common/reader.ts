import type { Socket } from 'node:net';

/** Why reading ended before all was there. */
export class ReadEnded extends Error {
  readonly why: 'closed' | 'timeout' | 'too-much';
  constructor(why: 'closed' | 'timeout' | 'too-much', message: string) {
    super(message);
    this.why = why;
  }
}

/**
 * Reads exact numbers of bytes during a handshake, within a deadline and a bound on all of them. The data phase does not use it.
 * `detach` gives the socket back, paused, with what was read beyond.
 */
export class HandshakeReader {
  readonly #socket: Socket;
  readonly #bytesMax: number;
  readonly #timer: NodeJS.Timeout;
  #buffer: Buffer = Buffer.alloc(0);
  #total = 0;
  #ended: ReadEnded | null = null;
  #wake: (() => void) | null = null;

  constructor(socket: Socket, bounds: { readonly ms: number; readonly bytesMax: number }) {
    this.#socket = socket;
    this.#bytesMax = bounds.bytesMax;
    this.#timer = setTimeout(() => this.#end(new ReadEnded('timeout', `nothing for ${bounds.ms} ms`)), bounds.ms);
    socket.on('data', this.#onData);
    socket.on('close', this.#onClose);
    socket.on('end', this.#onClose);
    socket.on('error', this.#onClose);
    if (socket.destroyed) this.#onClose();
    socket.resume();
  }

  /** @throws ReadEnded */
  async take(bytes: number): Promise<Buffer> {
    while (this.#buffer.length < bytes) {
      if (this.#ended) throw this.#ended;
      if (bytes > this.#bytesMax) throw new ReadEnded('too-much', `a message of ${bytes} bytes`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const taken = this.#buffer.subarray(0, bytes);
    this.#buffer = this.#buffer.subarray(bytes);
    return taken;
  }

  get leftover(): number {
    return this.#buffer.length;
  }

  detach(): Buffer {
    clearTimeout(this.#timer);
    this.#socket.pause();
    this.#socket.off('data', this.#onData);
    this.#socket.off('close', this.#onClose);
    this.#socket.off('end', this.#onClose);
    this.#socket.off('error', this.#onClose);
    return this.#buffer;
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#total += chunk.length;
    if (this.#total > this.#bytesMax) return this.#end(new ReadEnded('too-much', `more than ${this.#bytesMax} bytes`));
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    this.#awake();
  };

  readonly #onClose = (): void => this.#end(new ReadEnded('closed', 'the peer closed the connection'));

  /** Nothing is waited for any more: a timer that went on would keep a process alive that has ended everything else. */
  #end(error: ReadEnded): void {
    clearTimeout(this.#timer);
    this.#ended ??= error;
    this.#awake();
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
