/** Questions of the peer, and what our handlers answer. */
import { InterlockError } from '#schemas/errors';
import type { Log } from '#client/log';
import { TYPE } from './frames.ts';
import { holds, type Link, type Method } from './link.ts';
import type { CallContext, CallHandler, Channel, Peer } from './parts.ts';
import { questionDigest, SEAL_BYTES } from './seal.ts';
import { encodeTrouble, troubleOf } from './trouble.ts';

const HEAD_BYTES = 5;
const NO_METHOD = Buffer.alloc(0);

interface Entry extends Method {
  readonly handler: CallHandler;
}

export class Answering {
  readonly #link: Link;
  readonly #channel: Channel;
  readonly #log: Log;
  readonly #entries: Map<string, Entry> = new Map();
  /** Most calls are of the method of the one before. */
  #last: Entry | null = null;
  /** Those that were not answered in the tick in which they came. */
  readonly #waiting: Map<number, Context> = new Map();

  constructor(link: Link, channel: Channel, log: Log) {
    this.#link = link;
    this.#channel = channel;
    this.#log = log;
  }

  handle(name: string, handler: CallHandler): void {
    this.#entries.set(name, { name, bytes: Buffer.from(name, 'latin1'), handler });
    this.#last = null;
  }

  asked(id: number, buffer: Buffer, start: number, end: number): void {
    const length = buffer[start + 4] ?? 0;
    const at = start + HEAD_BYTES + length;
    if (end - start < HEAD_BYTES || at > end) return this.#link.fail('CHANNEL_PROTOCOL', 'a call that ends in its head');
    const payload = buffer.subarray(at, end);
    const question = questionDigest(payload);
    const entry = this.#entry(buffer, start + HEAD_BYTES, length);
    if (typeof entry === 'string') {
      const unknown = new InterlockError('UNSUPPORTED', `nothing here answers ${entry}`);
      return this.#refuse(id, Buffer.from(entry, 'latin1'), question, unknown);
    }
    if (this.#waiting.size >= this.#link.limits.calls) {
      return this.#refuse(id, entry.bytes, question, new InterlockError('CHANNEL_BUSY', `${this.#waiting.size} calls are being answered`));
    }
    const context = new Context(this.#channel, entry.name, this.#link.nowUs() + buffer.readUInt32BE(start) * 1000);
    this.#run(id, entry, question, payload, context);
  }

  cancelled(id: number): void {
    const context = this.#waiting.get(id);
    this.#waiting.delete(id);
    context?.abort(new InterlockError('CANCELLED', 'the caller gave up'));
  }

  /** The connection is over: nobody waits for an answer. */
  fail(error: InterlockError): void {
    for (const context of this.#waiting.values()) context.abort(error);
    this.#waiting.clear();
  }

  get open(): number {
    return this.#waiting.size;
  }

  /** The name alone where nothing handles it. */
  #entry(buffer: Buffer, at: number, length: number): Entry | string {
    const last = this.#last;
    if (last !== null && last.bytes.length === length && holds(buffer, at, last.bytes)) return last;
    const name = buffer.toString('latin1', at, at + length);
    const entry = this.#entries.get(name);
    if (entry === undefined) return name;
    this.#last = entry;
    return entry;
  }

  #run(id: number, entry: Entry, question: string, payload: Uint8Array, context: Context): void {
    let answer: Uint8Array | Promise<Uint8Array>;
    try {
      answer = entry.handler(payload, context);
    } catch (error) {
      return this.#refuse(id, entry.bytes, question, this.#told(error, entry.name));
    }
    if (!(answer instanceof Promise)) return this.#answer(id, entry.bytes, question, answer);
    this.#waiting.set(id, context);
    answer.then(
      (value) => {
        if (this.#waiting.delete(id)) this.#answer(id, entry.bytes, question, value);
      },
      (error: unknown) => {
        const told = this.#told(error, entry.name);
        if (this.#waiting.delete(id)) this.#refuse(id, entry.bytes, question, told);
      },
    );
  }

  #answer(id: number, method: Buffer, question: string, answer: Uint8Array): void {
    const { theirs } = this.#link;
    if (answer.length > theirs.payloadBytes) {
      const tooLarge = new InterlockError('CHANNEL_BUSY', `an answer of ${answer.length} bytes; the other end takes ${theirs.payloadBytes}`);
      return this.#refuse(id, method, question, tooLarge);
    }
    this.#send(TYPE.answer, id, method, question, answer);
  }

  #refuse(id: number, method: Buffer, question: string, error: InterlockError): void {
    this.#send(TYPE.error, id, method, question, encodeTrouble(error));
  }

  #send(type: typeof TYPE.answer | typeof TYPE.error, id: number, method: Buffer, question: string, answer: Uint8Array): void {
    const { wire, sealer, limits } = this.#link;
    const at = wire.beginPayload(type, id, SEAL_BYTES, answer);
    sealer.seal(wire.buffer, at, type, id, method ?? NO_METHOD, question, answer);
    if (wire.backlog > limits.bytesInFlight) this.#link.fail('CHANNEL_BUSY', `${wire.backlog} bytes of answers are not read`);
  }

  #told(error: unknown, method: string): InterlockError {
    return troubleOf(error, () => {
      this.#log.error({ err: error, method, peer: this.#channel.peer.name }, 'a call failed in a way that nobody foresaw');
      return new InterlockError('INTERNAL', `${method} failed`, { cause: error });
    });
  }
}

class Context implements CallContext {
  readonly channel: Channel;
  readonly method: string;
  readonly deadlineUs: number;
  #controller: AbortController | null = null;
  #aborted: InterlockError | null = null;

  constructor(channel: Channel, method: string, deadlineUs: number) {
    this.channel = channel;
    this.method = method;
    this.deadlineUs = deadlineUs;
  }

  get peer(): Peer {
    return this.channel.peer;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#aborted);
    }
    return this.#controller.signal;
  }

  abort(reason: InterlockError): void {
    this.#aborted = reason;
    this.#controller?.abort(reason);
  }
}
