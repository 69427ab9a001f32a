/** The streams of one connection, of either side. */
import { InterlockError } from '#schemas/errors';
import type { Log } from '#client/log';
import { TYPE } from './frames.ts';
import type { Link, Method } from './link.ts';
import type { Channel, Stream, StreamHandler } from './parts.ts';
import { ChannelStream } from './stream.ts';
import { encodeTrouble, troubleOf } from './trouble.ts';

export class Streams {
  readonly #link: Link;
  readonly #channel: Channel;
  readonly #log: Log;
  readonly #handlers: Map<string, StreamHandler> = new Map();
  readonly #open: Map<number, ChannelStream> = new Map();

  constructor(link: Link, channel: Channel, log: Log) {
    this.#link = link;
    this.#channel = channel;
    this.#log = log;
  }

  get open(): number {
    return this.#open.size;
  }

  handle(name: string, handler: StreamHandler): void {
    this.#handlers.set(name, handler);
  }

  begin(method: Method, argument: Uint8Array): Stream {
    const { wire, limits, theirs } = this.#link;
    const id = this.#link.nextId();
    const stream = this.#make(id);
    if (this.#open.size > limits.streams || argument.length > theirs.payloadBytes) {
      stream.finish(
        new InterlockError('CHANNEL_BUSY', this.#open.size > limits.streams ? `${limits.streams} streams are open` : 'the argument is too long'),
      );
      return stream;
    }
    const at = wire.beginPayload(TYPE.open, id, 1 + method.bytes.length, argument);
    wire.buffer[at] = method.bytes.length;
    wire.buffer.set(method.bytes, at + 1);
    return stream;
  }

  opened(id: number, buffer: Buffer, start: number, end: number): void {
    const length = buffer[start] ?? 0;
    const at = start + 1 + length;
    if (end === start || at > end) return this.#link.fail('CHANNEL_PROTOCOL', 'a stream that ends in its head');
    const name = buffer.toString('latin1', start + 1, at);
    const handler = this.#handlers.get(name);
    if (handler === undefined) return this.#refuse(id, new InterlockError('UNSUPPORTED', `nothing here answers ${name}`));
    if (this.#open.size >= this.#link.limits.streams)
      return this.#refuse(id, new InterlockError('CHANNEL_BUSY', `${this.#open.size} streams are open`));
    const stream = this.#make(id);
    const context = { channel: this.#channel, peer: this.#channel.peer, method: name };
    this.#run(handler, stream, buffer.subarray(at, end), context).then(
      () => {
        stream.end();
        if (!stream.signal.aborted) stream.close();
      },
      (error: unknown) => stream.close(this.#told(error, name)),
    );
  }

  /** Of a stream that is over here: it was on its way when it ended. */
  of(id: number): ChannelStream | undefined {
    return this.#open.get(id);
  }

  fail(error: InterlockError): void {
    for (const stream of this.#open.values()) stream.finish(error);
  }

  /** Also what a handler throws before its first await ends its stream, and nothing else. */
  async #run(handler: StreamHandler, stream: Stream, argument: Uint8Array, context: Parameters<StreamHandler>[2]): Promise<void> {
    await handler(stream, argument, context);
  }

  #make(id: number): ChannelStream {
    const stream = new ChannelStream(this.#link, id, () => this.#open.delete(id));
    this.#open.set(id, stream);
    return stream;
  }

  #refuse(id: number, error: InterlockError): void {
    this.#link.wire.beginPayload(TYPE.reset, id, 0, encodeTrouble(error));
  }

  #told(error: unknown, method: string): InterlockError {
    return troubleOf(error, () => {
      this.#log.error({ err: error, method, peer: this.#channel.peer.name }, 'a stream failed in a way that nobody foresaw');
      return new InterlockError('INTERNAL', `${method} failed`, { cause: error });
    });
  }
}
