/** What runs on a connection once both sides agreed: frames become calls, answers, streams and heartbeats. */
import type { InterlockError } from '#schemas/errors';
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import { Answering } from './answering.ts';
import { Assembly } from './assembly.ts';
import { Calls } from './calls.ts';
import { MORE, TYPE } from './frames.ts';
import { Heartbeat } from './heartbeat.ts';
import { type Link, Methods } from './link.ts';
import type { CallHandler, CallOptions, Channel, Handlers, Stream, StreamHandler } from './parts.ts';
import { Streams } from './streams.ts';

export interface ExchangeOptions {
  readonly link: Omit<Link, 'nextId'>;
  readonly channel: Channel;
  readonly side: 'dialer' | 'listener';
  readonly handlers: Handlers;
  readonly clock: Clock;
  readonly log: Log;
  /** The peer asks us to go elsewhere. */
  readonly onLeave: () => void;
  /** The peer ends the connection, and says why. */
  readonly onClose: (body: Buffer) => void;
  readonly onBeat: () => void;
}

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #assembly: Assembly;
  readonly #methods = new Methods();
  readonly #calls: Calls;
  readonly #answering: Answering;
  readonly #streams: Streams;
  readonly heartbeat: Heartbeat;
  /** Of the peer's ids: odd ones begin at the dialer. */
  readonly #parity: 0 | 1;
  #lastId: number;
  #lastOfPeer = 0;

  constructor(options: ExchangeOptions) {
    const { channel, side, handlers, clock, log, onBeat } = options;
    const link: Link = { ...options.link, nextId: () => (this.#lastId += 2) };
    const { wire, limits } = link;
    this.#options = options;
    this.#parity = side === 'listener' ? 1 : 0;
    this.#lastId = side === 'dialer' ? -1 : 0;
    this.#assembly = new Assembly(limits);
    this.#calls = new Calls(link);
    this.#answering = new Answering(link, channel, log);
    this.#streams = new Streams(link, channel, log);
    for (const [name, handler] of Object.entries(handlers.calls ?? {})) this.#answering.handle(name, handler);
    for (const [name, handler] of Object.entries(handlers.streams ?? {})) this.#streams.handle(name, handler);
    const silent = (ms: number): void => link.fail('CHANNEL_PROTOCOL', `nothing was heard for ${ms} ms`);
    this.heartbeat = new Heartbeat({ wire, clock, everyMs: limits.heartbeatMs, silentBeats: limits.silentHeartbeats, silent, beat: onBeat });
  }

  /** Nothing of ours or theirs is under way. */
  get idle(): boolean {
    return this.#calls.open === 0 && this.#answering.open === 0 && this.#streams.open === 0;
  }

  call(method: string, payload: Uint8Array, options: CallOptions): Promise<Uint8Array> {
    return this.#calls.call(this.#methods.of(method), payload, options);
  }

  open(method: string, argument: Uint8Array): Stream {
    return this.#streams.begin(this.#methods.of(method), argument);
  }

  handle(method: string, handler: CallHandler): void {
    this.#answering.handle(method, handler);
  }

  handleStream(method: string, handler: StreamHandler): void {
    this.#streams.handle(method, handler);
  }

  /** The connection is over. */
  fail(reason: InterlockError): void {
    this.heartbeat.stop();
    this.#calls.fail(reason);
    this.#streams.fail(reason);
    this.#answering.fail(reason);
  }

  frame(type: number, flags: number, id: number, buffer: Buffer, start: number, end: number): void {
    if ((flags & ~MORE) !== 0) return this.#broken(`unknown flags ${flags}`);
    if (type === TYPE.call || type === TYPE.open) {
      if (id <= this.#lastOfPeer || id % 2 !== this.#parity) return this.#broken('an id that is not the next of its side');
      this.#lastOfPeer = id;
    }
    if (type === TYPE.continue) {
      const whole = this.#assembly.add(id, buffer.subarray(start, end), (flags & MORE) === 0);
      if (whole !== null) this.#whole(whole.type, id, whole.body, 0, whole.body.length);
    } else if ((flags & MORE) === 0) this.#whole(type, id, buffer, start, end);
    else if (PARTED.has(type)) this.#assembly.begin(type, id, buffer.subarray(start, end));
    else this.#broken(`a frame of type ${type} in parts`);
  }

  #whole(type: number, id: number, buffer: Buffer, start: number, end: number): void {
    switch (type) {
      case TYPE.call:
        return this.#answering.asked(id, buffer, start, end);
      case TYPE.answer:
      case TYPE.error:
        if (id > this.#lastId || id % 2 === this.#parity) return this.#broken('an answer to what was not asked');
        return this.#calls.answered(type, id, buffer, start, end);
      case TYPE.message:
        return this.#streams.of(id)?.received(Buffer.from(buffer.subarray(start, end)));
      case TYPE.open:
        return this.#streams.opened(id, buffer, start, end);
      case TYPE.cancel:
        this.#assembly.drop(id);
        return this.#answering.cancelled(id);
      default:
        return this.#control(type, id, buffer.subarray(start, end));
    }
  }

  #control(type: number, id: number, body: Buffer): void {
    switch (type) {
      case TYPE.credit:
        if (body.length !== 4) return this.#broken('a credit of another form');
        return this.#streams.of(id)?.credited(body.readUInt32BE(0));
      case TYPE.end:
        return this.#streams.of(id)?.ended();
      case TYPE.reset:
        this.#assembly.drop(id);
        return this.#streams.of(id)?.reset(body);
      case TYPE.ping:
        if (body.length !== 8) return this.#broken('a ping of another form');
        return this.heartbeat.pinged(body);
      case TYPE.pong:
        if (body.length !== 16) return this.#broken('a pong of another form');
        return this.heartbeat.ponged(body);
      case TYPE.leave:
        return this.#options.onLeave();
      case TYPE.close:
        return this.#options.onClose(body);
      default:
        return this.#broken(`a frame of unknown type ${type}`);
    }
  }

  #broken(message: string): void {
    this.#options.link.fail('CHANNEL_PROTOCOL', message);
  }
}

/** What may come in several frames. */
const PARTED: ReadonlySet<number> = new Set([TYPE.call, TYPE.answer, TYPE.error, TYPE.message, TYPE.open, TYPE.reset]);
