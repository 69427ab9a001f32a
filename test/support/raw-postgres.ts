/** A client that says exactly what a test wants, byte by byte: for attacks that no driver would send. */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { int16, int32, message, PROTOCOL_3, readFields } from '#enforcers/postgres/protocol';
import { connectTarget } from '#enforcers/postgres/upstream';

export interface Answer {
  readonly type: string;
  readonly body: Buffer;
}

export class RawClient implements AsyncDisposable {
  readonly socket: Socket;
  #buffer: Buffer = Buffer.alloc(0);
  #wake: (() => void) | null = null;
  closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#wake?.();
    });
    for (const event of ['close', 'end', 'error']) {
      socket.on(event, () => {
        this.closed = true;
        this.#wake?.();
      });
    }
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Connected and authenticated, after the first ReadyForQuery. */
  static async login(port: number, token: string, parameters: Readonly<Record<string, string>> = {}): Promise<RawClient> {
    const client = await RawClient.connect(port);
    client.send(startup({ user: 'alice', database: 'postgres', ...parameters }));
    await client.until('R');
    client.send(message(112, token));
    await client.ready();
    return client;
  }

  /** Straight to a real server, over SCRAM. */
  static async direct(server: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
  }): Promise<RawClient> {
    const upstream = { host: server.host, port: server.port, databases: ['postgres'], tls: { mode: 'off' } } as const;
    const lease = { id: 'lea_test', user: server.user, password: server.password };
    const { socket } = await connectTarget(upstream, lease, { database: 'postgres' });
    const client = new RawClient(socket);
    socket.resume();
    return client;
  }

  send(...parts: Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** One byte that is no message: the answer to SSLRequest and GSSENCRequest. */
  async byte(): Promise<string> {
    while (this.#buffer.length === 0 && !this.closed) await this.#more();
    const byte = this.#buffer.toString('latin1', 0, 1);
    this.#buffer = this.#buffer.subarray(1);
    return byte;
  }

  /** null: the other side closed. */
  async next(): Promise<Answer | null> {
    for (;;) {
      if (this.#buffer.length >= 5) {
        const size = this.#buffer.readInt32BE(1) + 1;
        if (this.#buffer.length >= size) {
          const answer = { type: String.fromCharCode(this.#buffer[0] as number), body: Buffer.from(this.#buffer.subarray(5, size)) };
          this.#buffer = this.#buffer.subarray(size);
          return answer;
        }
      }
      if (this.closed) return null;
      await this.#more();
    }
  }

  /** Everything up to a message of this type, it included; or up to the end of the connection. */
  async until(type: string): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (;;) {
      const answer = await this.next();
      if (answer === null) return answers;
      answers.push(answer);
      if (answer.type === type) return answers;
    }
  }

  ready(): Promise<Answer[]> {
    return this.until('Z');
  }

  /** What came before the other side closed. */
  end(): Promise<Answer[]> {
    return this.until('\0');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    if (!this.closed) await once(this.socket, 'close');
  }

  async #more(): Promise<void> {
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}

export function startup(parameters: Readonly<Record<string, string>> | readonly (readonly [string, string])[], code: number = PROTOCOL_3): Buffer {
  const pairs = Array.isArray(parameters) ? parameters : Object.entries(parameters);
  const body = Buffer.concat([int32(code), ...pairs.flat().map((text: string) => Buffer.from(`${text}\0`)), Buffer.of(0)]);
  return Buffer.concat([int32(body.length + 4), body]);
}

export const say = {
  query: (text: string): Buffer => message(81, text),
  parse: (name: string, text: string, types: readonly number[] = []): Buffer => message(80, name, text, int16(types.length), ...types.map(int32)),
  bind: (portal: string, statement: string, values: readonly string[] = []): Buffer =>
    message(
      66,
      portal,
      statement,
      int16(0),
      int16(values.length),
      ...values.flatMap((value) => [int32(Buffer.byteLength(value)), Buffer.from(value)]),
      int16(0),
    ),
  execute: (portal: string, rows = 0): Buffer => message(69, portal, int32(rows)),
  describe: (kind: 'S' | 'P', name: string): Buffer => message(68, Buffer.from(kind), name),
  close: (kind: 'S' | 'P', name: string): Buffer => message(67, Buffer.from(kind), name),
  flush: message(72),
  sync: message(83),
};

export function types(answers: readonly Answer[]): string {
  return answers.map((answer) => answer.type).join('');
}

export function errorOf(answers: readonly Answer[]): Record<string, string> {
  const found = answers.find((answer) => answer.type === 'E');
  return found ? readFields(found.body) : {};
}

/** First column of the rows, as text. */
export function firstColumn(answers: readonly Answer[]): string[] {
  return answers.filter((answer) => answer.type === 'D').map(({ body }) => body.toString('utf8', 6, 6 + body.readInt32BE(2)));
}

/** Transaction state of the last ReadyForQuery. */
export function status(answers: readonly Answer[]): string {
  return answers.findLast((answer) => answer.type === 'Z')?.body.toString() ?? '';
}
