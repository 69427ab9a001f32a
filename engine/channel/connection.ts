/** One connection, from the first frame on: hello, then whatever both sides have to say, until it ends. */
import type { TLSSocket } from 'node:tls';
import { InterlockError } from '#schemas/errors';
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import { Exchange } from './exchange.ts';
import { FrameReader, TYPE } from './frames.ts';
import { agree, decodeHello, encodeHello, type Hello } from './hello.ts';
import type { CallHandler, CallOptions, Channel, ChannelLimits, Handlers, Peer, PeerKind, Stream, StreamHandler, VersionRange } from './parts.ts';
import { KEY_BYTES, KEY_LABEL, SEAL_LABEL, Sealer } from './seal.ts';
import { decodeTrouble, encodeTrouble, unavailable } from './trouble.ts';
import { Wire } from './wire.ts';

export interface ConnectionOptions {
  readonly socket: TLSSocket;
  readonly side: 'dialer' | 'listener';
  readonly peer: Peer;
  readonly limits: ChannelLimits;
  readonly handlers: Handlers;
  readonly versions: VersionRange;
  readonly software: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Both sides agreed. */
  readonly onOpen: (connection: Connection) => void;
  /** The peer asks us to go elsewhere. */
  readonly onLeave: () => void;
  /** With each heartbeat: why it may no longer stand; null: it may. */
  readonly fallen: () => string | null;
}

/** After the last frame the peer has so long to read it. */
const LINGER_MS = 1_000;
const NOTHING = Buffer.alloc(0);

export class Connection implements Channel {
  readonly exporterKey: Uint8Array;
  peer: Peer;
  version = 0;
  software = '';
  ended: InterlockError | null = null;
  readonly #options: ConnectionOptions;
  readonly #socket: TLSSocket;
  readonly #wire: Wire;
  readonly #reader: FrameReader;
  readonly #listeners: ((reason: InterlockError) => void)[] = [];
  readonly #patience: NodeJS.Timeout;
  /** null: not agreed yet. */
  #exchange: Exchange | null = null;

  constructor(options: ConnectionOptions) {
    const { socket, side, peer, limits } = options;
    this.#options = options;
    this.#socket = socket;
    this.peer = peer;
    this.exporterKey = socket.exportKeyingMaterial(KEY_BYTES, KEY_LABEL, NOTHING);
    this.#wire = new Wire(socket, limits.frameBytes);
    // until the first frame, which decides, no more than that is kept
    this.#reader = new FrameReader(limits.preAuthBytes, (type, flags, id, buffer, start, end) => {
      if (this.#exchange === null) this.#greeted(type, flags, id, buffer.subarray(start, end));
      else this.#exchange.frame(type, flags, id, buffer, start, end);
    });
    this.#patience = setTimeout(() => this.fail('CHANNEL_PROTOCOL', `no hello within ${limits.preAuthMs} ms`), limits.preAuthMs);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#data(chunk));
    socket.on('error', (error) => this.#over(unavailable(peer.kind, `the connection to ${this.#who} broke: ${error.message}`, error)));
    socket.on('close', () => this.#over(unavailable(peer.kind, `the connection to ${this.#who} ended`)));
    // the dialer speaks first: who was not let in is not told what runs here
    if (side === 'dialer') this.#hello();
  }

  get clockOffsetMs(): number | null {
    return this.#exchange?.heartbeat.offsetMs ?? null;
  }

  get rttMs(): number | null {
    return this.#exchange?.heartbeat.rttMs ?? null;
  }

  /** Nothing of ours or theirs is under way. */
  get idle(): boolean {
    return this.#exchange?.idle ?? true;
  }

  call(method: string, payload: Uint8Array, options: CallOptions): Promise<Uint8Array> {
    if (this.#exchange === null || this.ended !== null) return Promise.reject(this.ended ?? this.#notYet());
    return this.#exchange.call(method, payload, options);
  }

  open(method: string, argument: Uint8Array): Stream {
    if (this.#exchange === null || this.ended !== null) throw this.ended ?? this.#notYet();
    return this.#exchange.open(method, argument);
  }

  handle(method: string, handler: CallHandler): void {
    this.#exchange?.handle(method, handler);
  }

  handleStream(method: string, handler: StreamHandler): void {
    this.#exchange?.handleStream(method, handler);
  }

  onClose(listener: (reason: InterlockError) => void): void {
    if (this.ended) listener(this.ended);
    else this.#listeners.push(listener);
  }

  close(reason: string): void {
    const ours: PeerKind = this.#options.side === 'dialer' ? 'enforcer' : 'engine';
    this.#tell(unavailable(ours, reason), reason);
  }

  /** The peer broke a rule, or may no longer be here. */
  fail(code: 'CHANNEL_PROTOCOL' | 'CHANNEL_BUSY' | 'CHANNEL_REFUSED', message: string): void {
    if (this.ended) return;
    this.#options.log.warn({ code, peer: this.peer.name, problem: message }, 'a connection of the channel was closed');
    this.#tell(new InterlockError(code, message), message);
  }

  /** Asks the peer to go elsewhere. */
  leave(): void {
    if (this.#exchange && !this.ended) this.#wire.begin(TYPE.leave, 0, 0, 0);
  }

  get #who(): string {
    return `${this.peer.kind} ${this.peer.name}`;
  }

  #notYet(): InterlockError {
    return unavailable(this.peer.kind, `the connection to ${this.#who} is not ready`);
  }

  #hello(): void {
    const { limits, versions, software } = this.#options;
    this.#wire.beginPayload(TYPE.hello, 0, 0, encodeHello({ versions, software, takes: limits }));
  }

  #data(chunk: Buffer): void {
    if (this.ended) return;
    this.#exchange?.heartbeat.heard();
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (error instanceof InterlockError) return this.fail(error.code === 'CHANNEL_BUSY' ? 'CHANNEL_BUSY' : 'CHANNEL_PROTOCOL', error.message);
      this.#options.log.error({ err: error, peer: this.peer.name }, 'a fault of ours while reading a frame; the connection ends');
      this.fail('CHANNEL_PROTOCOL', 'a frame could not be handled');
    }
  }

  /** The first frame decides whether there is a second. */
  #greeted(type: number, flags: number, id: number, body: Buffer): void {
    if (type === TYPE.close) return this.#closedThere(body);
    if (type !== TYPE.hello || flags !== 0 || id !== 0) return this.fail('CHANNEL_PROTOCOL', 'the first frame is no hello');
    const hello = decodeHello(body);
    this.version = agree(this.#options.versions, hello.versions);
    this.software = hello.software;
    if (this.#options.side === 'listener') this.#hello();
    clearTimeout(this.#patience);
    this.#reader.frameBytesMax = this.#options.limits.frameBytes;
    this.#exchange = this.#begin(hello);
    this.#options.onOpen(this);
  }

  #begin({ takes }: Hello): Exchange {
    const { limits, side, clock, log, handlers, fallen, onLeave } = this.#options;
    this.#wire.frameBytes = Math.min(limits.frameBytes, takes.frameBytes);
    return new Exchange({
      link: {
        wire: this.#wire,
        sealer: new Sealer(this.#socket.exportKeyingMaterial(KEY_BYTES, SEAL_LABEL, NOTHING)),
        limits,
        theirs: takes,
        peerKind: this.peer.kind,
        nowUs: () => clock.monotonicUs(),
        fail: (code, message) => this.fail(code, message),
      },
      channel: this,
      side,
      handlers,
      clock,
      log,
      onLeave,
      onClose: (body) => this.#closedThere(body),
      onBeat: () => {
        const why = fallen();
        if (why !== null) this.fail('CHANNEL_REFUSED', why);
      },
    });
  }

  #closedThere(body: Buffer): void {
    const { code, message } = decodeTrouble(body);
    const ours = code === 'CHANNEL_REFUSED' ? code : unavailable(this.peer.kind, '').code;
    this.#over(new InterlockError(ours, `${this.#who} closed the connection: ${message}`));
  }

  #tell(told: InterlockError, reason: string): void {
    if (this.ended) return;
    this.#wire.beginPayload(TYPE.close, 0, 0, encodeTrouble(told));
    this.#wire.flush();
    this.#over(unavailable(this.peer.kind, `the connection to ${this.#who} was closed: ${reason}`));
  }

  #over(reason: InterlockError): void {
    if (this.ended) return;
    this.ended = reason;
    this.#reader.stopped = true;
    clearTimeout(this.#patience);
    this.#exchange?.fail(reason);
    for (const listener of this.#listeners.splice(0)) listener(reason);
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }
}
