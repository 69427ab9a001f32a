/** One connection, from the first frame on: hello, then calls and streams both ways until it ends. */
import type { TLSSocket } from 'node:tls';
import { InterlockError } from '#schemas/errors';
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import { Answering } from './answering.ts';
import { Assembly } from './assembly.ts';
import { Calls } from './calls.ts';
import { FrameReader, MORE, TYPE } from './frames.ts';
import { Heartbeat } from './heartbeat.ts';
import { agree, decodeHello, encodeHello, type Hello } from './hello.ts';
import { type Link, Methods } from './link.ts';
import type { CallHandler, CallOptions, Channel, ChannelLimits, Handlers, Peer, PeerKind, Stream, StreamHandler, VersionRange } from './parts.ts';
import { KEY_BYTES, KEY_LABEL, SEAL_LABEL, Sealer } from './seal.ts';
import { Streams } from './streams.ts';
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
  /** With each heartbeat: whether it may still stand. Its words are why not. */
  readonly standing: () => string | null;
}

/** After telling the peer why, it has so long to read it. */
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
  readonly #assembly: Assembly;
  readonly #methods = new Methods();
  readonly #sealer: Sealer;
  readonly #listeners: ((reason: InterlockError) => void)[] = [];
  readonly #patience: NodeJS.Timeout;
  #calls: Calls | null = null;
  #answering: Answering | null = null;
  #streams: Streams | null = null;
  #heartbeat: Heartbeat | null = null;
  #lastId: number;
  #lastOfPeer = 0;

  constructor(options: ConnectionOptions) {
    const { socket, side, peer, limits } = options;
    this.#options = options;
    this.#socket = socket;
    this.peer = peer;
    this.#lastId = side === 'dialer' ? -1 : 0;
    this.exporterKey = socket.exportKeyingMaterial(KEY_BYTES, KEY_LABEL, NOTHING);
    this.#sealer = new Sealer(socket.exportKeyingMaterial(KEY_BYTES, SEAL_LABEL, NOTHING));
    this.#wire = new Wire(socket, limits.frameBytes);
    this.#assembly = new Assembly(limits);
    // until the first frame, which decides, no more than that is kept
    this.#reader = new FrameReader(limits.preAuthBytes, (type, flags, id, buffer, start, end) => this.#frame(type, flags, id, buffer, start, end));
    this.#patience = setTimeout(() => this.fail('CHANNEL_PROTOCOL', `no hello within ${limits.preAuthMs} ms`), limits.preAuthMs);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#data(chunk));
    socket.on('error', (error) => this.#over(unavailable(peer.kind, `the connection to ${this.#who} broke: ${error.message}`, error)));
    socket.on('close', () => this.#over(unavailable(peer.kind, `the connection to ${this.#who} ended`)));
    // the dialer speaks first: who was not let in is not told what runs here
    if (side === 'dialer') this.#hello();
  }

  get clockOffsetMs(): number | null {
    return this.#heartbeat?.offsetMs ?? null;
  }

  get rttMs(): number | null {
    return this.#heartbeat?.rttMs ?? null;
  }

  /** Nothing of ours or theirs is under way. */
  get idle(): boolean {
    return (this.#calls?.open ?? 0) === 0 && (this.#answering?.open ?? 0) === 0 && (this.#streams?.open ?? 0) === 0;
  }

  call(method: string, payload: Uint8Array, options: CallOptions): Promise<Uint8Array> {
    if (this.#calls === null || this.ended !== null) return Promise.reject(this.ended ?? this.#notYet());
    return this.#calls.call(this.#methods.of(method), payload, options);
  }

  open(method: string, argument: Uint8Array): Stream {
    if (this.#streams === null) throw this.#notYet();
    const stream = this.#streams.begin(this.#methods.of(method), argument);
    if (this.ended !== null) this.#streams.fail(this.ended);
    return stream;
  }

  handle(method: string, handler: CallHandler): void {
    this.#answering?.handle(method, handler);
  }

  handleStream(method: string, handler: StreamHandler): void {
    this.#streams?.handle(method, handler);
  }

  onClose(listener: (reason: InterlockError) => void): void {
    if (this.ended) listener(this.ended);
    else this.#listeners.push(listener);
  }

  close(reason: string): void {
    const ours: PeerKind = this.#options.side === 'dialer' ? 'enforcer' : 'engine';
    this.#tell(unavailable(ours, reason), unavailable(this.peer.kind, `the connection to ${this.#who} was closed: ${reason}`));
  }

  /** The peer broke a rule, or may no longer be here. */
  fail(code: 'CHANNEL_PROTOCOL' | 'CHANNEL_BUSY' | 'CHANNEL_REFUSED', message: string): void {
    if (this.ended) return;
    this.#options.log.warn({ code, peer: this.peer.name, problem: message }, 'a connection of the channel was closed');
    this.#tell(new InterlockError(code, message), unavailable(this.peer.kind, `the connection to ${this.#who} was closed: ${message}`));
  }

  /** Asks the peer to go elsewhere. */
  leave(): void {
    if (this.version > 0 && !this.ended) this.#wire.begin(TYPE.leave, 0, 0, 0);
  }

  get #who(): string {
    return `${this.peer.kind} ${this.peer.name}`;
  }

  #notYet(): InterlockError {
    return unavailable(this.peer.kind, `the connection to ${this.#who} is not ready`);
  }

  #tell(told: InterlockError, ended: InterlockError): void {
    if (this.ended) return;
    this.#wire.beginPayload(TYPE.close, 0, 0, encodeTrouble(told));
    this.#wire.flush();
    this.#over(ended);
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  #over(reason: InterlockError): void {
    if (this.ended) return;
    this.ended = reason;
    this.#reader.stopped = true;
    clearTimeout(this.#patience);
    this.#heartbeat?.stop();
    this.#calls?.fail(reason);
    this.#streams?.fail(reason);
    this.#answering?.fail(reason);
    for (const listener of this.#listeners.splice(0)) listener(reason);
    if (!this.#socket.writableEnded && this.#socket.destroyed === false) this.#socket.end();
  }

  #hello(): void {
    const { limits, versions, software } = this.#options;
    this.#wire.beginPayload(TYPE.hello, 0, 0, encodeHello({ versions, software, takes: limits }));
  }

  #data(chunk: Buffer): void {
    if (this.ended) return;
    this.#heartbeat?.heard();
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (error instanceof InterlockError) return this.fail(error.code === 'CHANNEL_BUSY' ? 'CHANNEL_BUSY' : 'CHANNEL_PROTOCOL', error.message);
      this.#options.log.error({ err: error, peer: this.peer.name }, 'a fault of ours while reading a frame; the connection ends');
      this.fail('CHANNEL_PROTOCOL', 'a frame could not be handled');
    }
  }

  #frame(type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    if (this.version === 0) return this.#greeted(type, flags, id, buffer.subarray(start, end));
    if ((flags & ~MORE) !== 0) return this.fail('CHANNEL_PROTOCOL', `unknown flags ${flags}`);
    if (type === TYPE.call || type === TYPE.open) {
      if (id <= this.#lastOfPeer || id % 2 !== this.#parity) return this.fail('CHANNEL_PROTOCOL', 'an id that is not the next of its side');
      this.#lastOfPeer = id;
    }
    if (type === TYPE.continue) {
      const whole = this.#assembly.add(id, buffer.subarray(start, end), (flags & MORE) === 0);
      if (whole !== null) this.#whole(whole.type, id, whole.body, 0, whole.body.length);
    } else if ((flags & MORE) === 0) this.#whole(type, id, buffer, start, end);
    else if (PARTED.has(type)) this.#assembly.begin(type, id, buffer.subarray(start, end));
    else this.fail('CHANNEL_PROTOCOL', `a frame of type ${type} in parts`);
  }

  #whole(type: number, id: number, buffer: Buffer, start: number, end: number): void {
    switch (type) {
      case TYPE.call:
        return this.#answering?.asked(id, buffer, start, end);
      case TYPE.answer:
      case TYPE.error:
        if (id > this.#lastId || id % 2 === this.#parity) return this.fail('CHANNEL_PROTOCOL', 'an answer to what was not asked');
        return this.#calls?.answered(type, id, buffer, start, end);
      case TYPE.message:
        return this.#streams?.of(id)?.received(Buffer.from(buffer.subarray(start, end)));
      case TYPE.open:
        return this.#streams?.opened(id, buffer, start, end);
      case TYPE.cancel:
        this.#assembly.drop(id);
        return this.#answering?.cancelled(id);
      default:
        return this.#control(type, id, buffer.subarray(start, end));
    }
  }

  #control(type: number, id: number, body: Buffer): void {
    switch (type) {
      case TYPE.credit:
        if (body.length !== 4) return this.fail('CHANNEL_PROTOCOL', 'a credit of another form');
        return this.#streams?.of(id)?.credited(body.readUInt32BE(0));
      case TYPE.end:
        return this.#streams?.of(id)?.ended();
      case TYPE.reset:
        this.#assembly.drop(id);
        return this.#streams?.of(id)?.reset(body);
      case TYPE.ping:
        if (body.length !== 8) return this.fail('CHANNEL_PROTOCOL', 'a ping of another form');
        return this.#heartbeat?.pinged(body);
      case TYPE.pong:
        if (body.length !== 16) return this.fail('CHANNEL_PROTOCOL', 'a pong of another form');
        return this.#heartbeat?.ponged(body);
      case TYPE.leave:
        return this.#options.onLeave();
      case TYPE.close:
        return this.#closedThere(body);
      default:
        return this.fail('CHANNEL_PROTOCOL', `a frame of unknown type ${type}`);
    }
  }

  #closedThere(body: Buffer): void {
    const { code, message } = decodeTrouble(body);
    const { kind } = this.peer;
    const ours = code === 'CHANNEL_REFUSED' ? code : unavailable(kind, '').code;
    this.#over(new InterlockError(ours, `${this.#who} closed the connection: ${message}`));
  }

  /** The first frame decides whether there is a second. */
  #greeted(type: number, flags: number, id: number, body: Buffer): void {
    if (type === TYPE.close) return this.#closedThere(body);
    if (type !== TYPE.hello || flags !== 0 || id !== 0) return this.fail('CHANNEL_PROTOCOL', 'the first frame is no hello');
    const hello = decodeHello(body);
    const version = agree(this.#options.versions, hello.versions);
    if (this.#options.side === 'listener') this.#hello();
    clearTimeout(this.#patience);
    this.version = version;
    this.software = hello.software;
    this.#reader.frameBytesMax = this.#options.limits.frameBytes;
    this.#start(hello);
    this.#options.onOpen(this);
  }

  #start(hello: Hello): void {
    const { limits, clock, log, handlers, standing } = this.#options;
    const link: Link = {
      wire: this.#wire,
      sealer: this.#sealer,
      limits,
      theirs: hello.takes,
      peerKind: this.peer.kind,
      nowUs: () => clock.monotonicUs(),
      nextId: () => (this.#lastId += 2),
      fail: (code, message) => this.fail(code, message),
    };
    this.#wire.frameBytes = Math.min(limits.frameBytes, hello.takes.frameBytes);
    this.#calls = new Calls(link);
    this.#answering = new Answering(link, this, log);
    this.#streams = new Streams(link, this, log);
    for (const [name, handler] of Object.entries(handlers.calls ?? {})) this.#answering.handle(name, handler);
    for (const [name, handler] of Object.entries(handlers.streams ?? {})) this.#streams.handle(name, handler);
    this.#heartbeat = new Heartbeat({
      wire: this.#wire,
      clock,
      everyMs: limits.heartbeatMs,
      silentBeats: limits.silentHeartbeats,
      silent: (ms) => this.fail('CHANNEL_PROTOCOL', `nothing was heard for ${ms} ms`),
      beat: () => {
        const fallen = standing();
        if (fallen !== null) this.fail('CHANNEL_REFUSED', fallen);
      },
    });
  }

  /** Of the peer's ids: odd ones begin at the dialer. */
  get #parity(): number {
    return this.#options.side === 'listener' ? 1 : 0;
  }
}

/** What may come in several frames. */
const PARTED: ReadonlySet<number> = new Set([TYPE.call, TYPE.answer, TYPE.error, TYPE.message, TYPE.open, TYPE.reset]);
