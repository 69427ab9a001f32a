/** One stream: messages both ways, each way with credit. A sender may begin a message while it has credit left, and owes what it went over. */
import { InterlockError } from '#schemas/errors';
import { TYPE } from './frames.ts';
import type { Link } from './link.ts';
import type { Stream } from './parts.ts';
import { decodeTrouble, encodeTrouble } from './trouble.ts';

interface Waiting {
  readonly message: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}
interface Reader {
  readonly resolve: (result: IteratorResult<Uint8Array>) => void;
  readonly reject: (error: unknown) => void;
}

export class ChannelStream implements Stream {
  readonly #link: Link;
  readonly #id: number;
  readonly #gone: () => void;
  readonly #controller = new AbortController();
  readonly #finished = Promise.withResolvers<void>();
  /** What the peer lets us send. */
  #credit: number;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** What we let the peer send, and what was read since it was told. */
  #granted: number;
  #taken = 0;
  readonly #inbox: Uint8Array[] = [];
  readonly #readers: Reader[] = [];
  #endedHere = false;
  #endedThere = false;
  /** What cut it short; null: ended in order; undefined: it lives. */
  #over: InterlockError | null | undefined;

  constructor(link: Link, id: number, gone: () => void) {
    this.#link = link;
    this.#id = id;
    this.#gone = gone;
    this.#credit = link.theirs.streamBytes;
    this.#granted = link.limits.streamBytes;
    this.#finished.promise.catch(() => {}); // whoever waits is told; nobody waiting is no crash
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get closed(): Promise<void> {
    return this.#finished.promise;
  }

  send(message: Uint8Array): Promise<void> {
    if (this.#over !== undefined || this.#endedHere) return Promise.reject(this.#over ?? new InterlockError('CANCELLED', 'the stream has ended'));
    const { theirs, limits, wire } = this.#link;
    if (message.length > theirs.payloadBytes) return Promise.reject(new InterlockError('CHANNEL_BUSY', `a message of ${message.length} bytes`));
    if (this.#credit > 0 && this.#waiting.length === 0) {
      if (wire.backlog + message.length > limits.bytesInFlight) {
        return Promise.reject(new InterlockError('CHANNEL_BUSY', `${wire.backlog} bytes wait to be sent`));
      }
      this.#put(message);
      return Promise.resolve();
    }
    this.#waitingBytes += message.length;
    if (this.#waitingBytes > limits.streamBytes + theirs.payloadBytes) {
      const busy = new InterlockError('CHANNEL_BUSY', 'the stream’s reader is too far behind');
      this.close(busy);
      return Promise.reject(busy);
    }
    return new Promise((resolve, reject) => this.#waiting.push({ message: Uint8Array.from(message), resolve, reject }));
  }

  end(): void {
    if (this.#endedHere || this.#over !== undefined) return;
    this.#endedHere = true;
    if (this.#waiting.length === 0) this.#sendEnd();
  }

  close(error?: InterlockError): void {
    if (this.#over !== undefined) return;
    this.#link.wire.drop(this.#id);
    this.#link.wire.beginPayload(TYPE.reset, this.#id, 0, error === undefined ? NOTHING : encodeTrouble(error));
    this.finish(error ?? (this.#endedHere && this.#endedThere ? null : new InterlockError('CANCELLED', 'the stream was closed')));
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => this.#next(),
      return: () => {
        this.close();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /** A message of the peer. */
  received(message: Uint8Array): void {
    if (this.#over !== undefined) return;
    if (this.#endedThere) return this.#link.fail('CHANNEL_PROTOCOL', 'a message after the end of its stream');
    if (this.#granted <= 0) return this.#link.fail('CHANNEL_PROTOCOL', 'a message beyond the credit of its stream');
    this.#granted -= message.length;
    const reader = this.#readers.shift();
    if (reader === undefined) {
      this.#inbox.push(message);
      return;
    }
    this.#read(message.length);
    reader.resolve({ done: false, value: message });
  }

  credited(bytes: number): void {
    this.#credit += bytes;
    while (this.#credit > 0) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#waitingBytes -= next.message.length;
      this.#put(next.message);
      next.resolve();
      if (this.#waiting.length === 0 && this.#endedHere) this.#sendEnd();
    }
  }

  ended(): void {
    if (this.#over !== undefined || this.#endedThere) return;
    this.#endedThere = true;
    for (const reader of this.#readers.splice(0)) reader.resolve({ done: true, value: undefined });
    this.#settle();
  }

  reset(body: Buffer): void {
    const cancelled = this.#endedThere ? null : new InterlockError('CANCELLED', 'the other end closed the stream');
    this.finish(body.length > 0 ? decodeTrouble(body) : cancelled);
  }

  /** null: both sides ended. What came before the end can still be read. */
  finish(error: InterlockError | null): void {
    if (this.#over !== undefined) return;
    this.#over = error;
    this.#gone();
    const why = error ?? new InterlockError('CANCELLED', 'the stream has ended');
    for (const { reject } of this.#waiting.splice(0)) reject(why);
    for (const reader of this.#readers.splice(0)) {
      if (error && !this.#endedThere) reader.reject(error);
      else reader.resolve({ done: true, value: undefined });
    }
    if (error) this.#finished.reject(error);
    else this.#finished.resolve();
    this.#controller.abort(why);
  }

  #put(message: Uint8Array): void {
    this.#credit -= message.length;
    this.#link.wire.inOrder(TYPE.message, this.#id, message);
  }

  #sendEnd(): void {
    this.#link.wire.inOrder(TYPE.end, this.#id, NOTHING);
    this.#settle();
  }

  #settle(): void {
    if (this.#endedHere && this.#endedThere && this.#waiting.length === 0) this.finish(null);
  }

  #next(): Promise<IteratorResult<Uint8Array>> {
    const message = this.#inbox.shift();
    if (message !== undefined) {
      this.#read(message.length);
      return Promise.resolve({ done: false, value: message });
    }
    if (this.#endedThere || this.#over === null) return Promise.resolve({ done: true, value: undefined });
    if (this.#over) return Promise.reject(this.#over);
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  #read(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < this.#link.limits.streamBytes / 2 || this.#over !== undefined || this.#endedThere) return;
    const { wire } = this.#link;
    const at = wire.begin(TYPE.credit, 0, this.#id, 4);
    wire.buffer.writeUInt32BE(this.#taken, at);
    this.#granted += this.#taken;
    this.#taken = 0;
  }
}

const NOTHING = new Uint8Array(0);
