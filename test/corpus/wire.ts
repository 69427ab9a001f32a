/** A PostgreSQL client that sends exactly what a case says and keeps every byte that it was sent. https://www.postgresql.org/docs/17/protocol-message-formats.html */
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { scram, type Scram } from './scram.ts';

const ANSWER_MS_MAX = 8_000;
const RECEIVED_BYTES_MAX = 64 << 20;

export interface Message {
  readonly type: string;
  readonly body: Buffer;
}

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface Answer {
  readonly messages: readonly Message[];
  /** As received. */
  readonly bytes: Buffer;
  /** The connection ended before the last ReadyForQuery. */
  readonly closed: boolean;
  /** Neither the end nor ReadyForQuery came in time. */
  readonly hung: boolean;
}

export class WireClient {
  readonly #socket: Socket;
  readonly #received: Buffer[] = [];
  #bytes = 0;
  #closed = false;
  #pending: Buffer = Buffer.alloc(0);
  #messages: Message[] = [];
  #mark: Buffer[] = [];
  #wake: (() => void) | null = null;
  #key: Buffer = Buffer.alloc(8);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('close', () => {
      this.#closed = true;
      this.#wake?.();
    });
    socket.on('error', () => {});
  }

  /** Resolves with the answer to the start-up: ReadyForQuery, or a refusal. `extra` pairs stand behind the ordinary ones, duplicates included. */
  static async open(to: Address, extra: readonly (readonly [string, string])[] = []): Promise<{ client: WireClient; answer: Answer }> {
    const socket = createConnection({ host: to.host, port: to.port, noDelay: true });
    const client = new WireClient(socket);
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
    socket.write(startup([['user', to.user], ['database', to.database], ['client_encoding', 'UTF8'], ...extra]));
    let exchange: Scram | null = null;
    let seen = 0;
    const answer = await client.#until((messages) => {
      for (; seen < messages.length; seen++) {
        const { type, body } = messages[seen] as Message;
        if (type === 'K') client.#key = body;
        if (type !== 'R') continue;
        const kind = body.readInt32BE(0);
        if (kind === 3) socket.write(message('p', cstring(to.password)));
        if (kind === 10) {
          exchange = scram(to.password);
          socket.write(message('p', Buffer.concat([cstring('SCRAM-SHA-256'), int32(exchange.first.length), exchange.first])));
        }
        if (kind === 11 && exchange) socket.write(message('p', exchange.final(body.subarray(4).toString())));
      }
      return messages.some(({ type }) => type === 'Z');
    });
    return { client, answer };
  }

  /** Sends bytes, cut into segments of `chunk` bytes if that is given, and waits for `ready` ReadyForQuery. */
  async ask(bytes: Buffer, ready: number, options: { chunk?: number; copyIn?: string } = {}): Promise<Answer> {
    this.#messages = [];
    this.#mark = [];
    const size = options.chunk ?? bytes.length;
    for (let at = 0; at < bytes.length; at += size) {
      this.#socket.write(bytes.subarray(at, at + size));
      if (size < bytes.length) await new Promise(setImmediate);
    }
    let answered = 0;
    let ended = 0;
    let seen = 0;
    return this.#until((messages) => {
      for (; seen < messages.length; seen++) {
        const { type } = messages[seen] as Message;
        if (type === 'Z') ended++;
        if (type !== 'G' || answered++ > 0) continue;
        const data = options.copyIn;
        this.#socket.write(data === undefined ? message('f', cstring('no data')) : Buffer.concat([message('d', Buffer.from(data)), message('c')]));
      }
      return ended >= ready;
    });
  }

  /** Everything received since the connection opened. */
  received(): Buffer {
    return Buffer.concat(this.#received);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The bytes of a CancelRequest for this connection. */
  cancelRequest(): Buffer {
    return Buffer.concat([int32(16), int32(80877102), this.#key]);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#socket.end(message('X'));
    const timer = setTimeout(() => this.#socket.destroy(), 1000);
    await once(this.#socket, 'close').catch(() => {});
    clearTimeout(timer);
  }

  async #until(done: (messages: readonly Message[]) => boolean): Promise<Answer> {
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      this.#wake?.();
    }, ANSWER_MS_MAX);
    let complete = done(this.#messages);
    while (!complete && !this.#closed && !hung) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      complete = done(this.#messages);
    }
    clearTimeout(timer);
    this.#wake = null;
    return { messages: this.#messages, bytes: Buffer.concat(this.#mark), closed: this.#closed && !complete, hung: hung && !complete };
  }

  #take(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > RECEIVED_BYTES_MAX) this.#socket.destroy(new Error('too much received'));
    this.#received.push(chunk);
    this.#mark.push(chunk);
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      if (this.#pending.length < 5) break;
      const end = 1 + this.#pending.readInt32BE(1);
      if (end < 5 || this.#pending.length < end) break;
      this.#messages.push({ type: String.fromCharCode(this.#pending[0] as number), body: this.#pending.subarray(5, end) });
      this.#pending = this.#pending.subarray(end);
    }
    this.#wake?.();
  }
}

export function message(type: string, body: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(body.length + 4), body]);
}

export const cstring = (text: string | Buffer): Buffer => Buffer.concat([Buffer.from(text as string), Buffer.from([0])]);

export function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

export function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16BE(value & 0xffff);
  return buffer;
}

function startup(pairs: readonly (readonly [string, string])[]): Buffer {
  const body = Buffer.concat([int32(196608), ...pairs.flatMap(([key, value]) => [cstring(key), cstring(value)]), Buffer.from([0])]);
  return Buffer.concat([int32(body.length + 4), body]);
}

/** Fields of an ErrorResponse or NoticeResponse by their letter. */
export function fields({ body }: Message): ReadonlyMap<string, string> {
  return new Map(
    body
      .toString()
      .split('\0')
      .filter((part) => part !== '')
      .map((part) => [part.slice(0, 1), part.slice(1)]),
  );
}
