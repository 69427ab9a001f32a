/** An end of the private channel that keeps no rule but those a test gives it: frames by hand, over real TLS. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { FrameReader, HEADER_BYTES, TYPE, type FrameType, writeHeader } from '#engine/channel/frames';
import { ALPN, encodeHello, VERSIONS } from '#engine/channel/hello';
import { LIMITS } from '#engine/channel/limits';
import type { TlsIdentity } from '#engine/channel/parts';
import { KEY_BYTES, SEAL_LABEL, Sealer } from '#engine/channel/seal';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly body: Buffer;
}

export function frame(type: number, id: number, body: Uint8Array = new Uint8Array(0), flags: number = 0): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + body.length);
  writeHeader(bytes, 0, type as FrameType, flags, id, body.length);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

export function hello(versions: { min: number; max: number } = VERSIONS): Buffer {
  return frame(TYPE.hello, 0, encodeHello({ versions, software: 'raw', takes: LIMITS }));
}

export function callBody(method: string, payload: Uint8Array, deadlineMs: number = 1_000): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(deadlineMs);
  head[4] = method.length;
  return Buffer.concat([head, Buffer.from(method, 'latin1'), payload]);
}

export class RawEnd implements Disposable {
  readonly socket: TLSSocket;
  readonly frames: Frame[] = [];
  closed = false;
  #waiting: (() => void)[] = [];
  #on: ((frame: Frame) => void) | null = null;

  constructor(socket: TLSSocket) {
    this.socket = socket;
    const reader = new FrameReader(1 << 26, (type, flags, id, buffer, start, end) => {
      const arrived = { type, flags, id, body: Buffer.from(buffer.subarray(start, end)) };
      this.frames.push(arrived);
      this.#on?.(arrived);
      for (const wake of this.#waiting.splice(0)) wake();
    });
    socket.on('data', (chunk: Buffer) => reader.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  send(...frames: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  onFrame(listener: (frame: Frame) => void): void {
    this.#on = listener;
    for (const arrived of this.frames) listener(arrived);
  }

  /** The first frame of this type, as soon as it is there. */
  async next(type: number): Promise<Frame> {
    for (;;) {
      const found = this.frames.find((arrived) => arrived.type === type);
      if (found) return found;
      if (this.closed) throw new Error(`closed without a frame of type ${type}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** What the peer said when it closed. */
  async farewell(): Promise<{ code: string; message: string }> {
    const { body } = await this.next(TYPE.close);
    return JSON.parse(body.toString('utf8')) as { code: string; message: string };
  }

  async gone(): Promise<void> {
    while (!this.closed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  get sealer(): Sealer {
    return new Sealer(this.socket.exportKeyingMaterial(KEY_BYTES, SEAL_LABEL, Buffer.alloc(0)));
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Connects as an enforcer would; TLS is what `options` make of it. */
export async function rawEnforcer(port: number, identity: Partial<TlsIdentity>, options: ConnectionOptions = {}): Promise<RawEnd> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    ALPNProtocols: [ALPN],
    minVersion: 'TLSv1.3',
    checkServerIdentity: () => undefined,
    ...identity,
    ...options,
  });
  const end = new RawEnd(socket);
  await once(socket, 'secureConnect');
  return end;
}

export interface RawEngine extends AsyncDisposable {
  readonly port: number;
  /** Of the enforcer that comes next. */
  accept(): Promise<RawEnd>;
}

export async function rawEngine(identity: TlsIdentity): Promise<RawEngine> {
  const ends: RawEnd[] = [];
  const arrived: RawEnd[] = [];
  const waiting: ((end: RawEnd) => void)[] = [];
  const server = createServer({ ...identity, requestCert: true, ALPNProtocols: [ALPN], minVersion: 'TLSv1.3' }, (socket) => {
    const end = new RawEnd(socket);
    ends.push(end);
    const next = waiting.shift();
    if (next) next(end);
    else arrived.push(end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    accept: () => {
      const end = arrived.shift();
      return end ? Promise.resolve(end) : new Promise((resolve) => waiting.push(resolve));
    },
    [Symbol.asyncDispose]: async () => {
      for (const end of ends) end.socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
