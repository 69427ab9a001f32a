/** The enforcer's end: one connection to one of several engines, made anew when it dies, and replaced before it ends where that can be foreseen. */
import { InterlockError } from '#schemas/errors';
import { type Attempt, attemptEngine } from './attempt.ts';
import type { Connection } from './connection.ts';
import { LIMITS } from './limits.ts';
import type { CallOptions, Channel, ChannelLimits, Dialer, DialerOptions, DialerStatus, Stream, TlsIdentity } from './parts.ts';
import { sameIdentity } from './secure.ts';
import { unavailable } from './trouble.ts';

/** Starts connecting, and goes on until it is closed. @throws InterlockError CONFIG_INVALID for an address that is none */
export function openDialer(options: DialerOptions): Dialer {
  const dialer = new ChannelDialer(options);
  dialer.start();
  return dialer;
}

/** After a round over all engines: from the first to the last, doubled each time, and anything between half of it and all. */
const BACKOFF_MS = { first: 100, last: 5_000 } as const;
/** A connection that was replaced ends when nothing of it is under way, or after so long. */
const RETIRE_MS = 30_000;
const RETIRE_LOOK_MS = 100;

interface Address {
  readonly host: string;
  readonly port: number;
  readonly text: string;
}

interface Current {
  readonly connection: Connection;
  readonly tls: TlsIdentity;
  readonly engine: number;
}

class ChannelDialer implements Dialer {
  readonly #options: DialerOptions;
  readonly #limits: ChannelLimits;
  readonly #addresses: readonly Address[];
  readonly #random: () => number;
  readonly #listeners: Set<(channel: Channel | null) => void> = new Set();
  readonly #retired: Set<Connection> = new Set();
  #current: Current | null = null;
  /** Its engine asked us to go elsewhere. */
  #leaving: Connection | null = null;
  /** Index of the engine that is tried next. */
  #next: number;
  #attempts = 0;
  #error: string | null = 'not connected yet';
  #sinceMs: number;
  #waiting: NodeJS.Timeout | null = null;
  #rotation: NodeJS.Timeout | null = null;
  /** An attempt is under way. */
  #connecting: Attempt | null = null;
  #closed = false;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#addresses = options.engines.map(addressOf);
    if (this.#addresses.length === 0) throw new InterlockError('CONFIG_INVALID', 'no address of an engine');
    this.#random = options.random ?? Math.random;
    this.#next = Math.floor(this.#random() * this.#addresses.length) % this.#addresses.length;
    this.#sinceMs = options.clock.wallUs() / 1000;
  }

  start(): void {
    this.#attempt();
    this.#rotation = setInterval(() => this.rotated(), this.#limits.heartbeatMs);
    this.#rotation.unref();
  }

  get channel(): Channel | null {
    return this.#current?.connection ?? null;
  }

  call(method: string, payload: Uint8Array, options: CallOptions): Promise<Uint8Array> {
    const current = this.#current;
    return current === null ? Promise.reject(this.#none()) : current.connection.call(method, payload, options);
  }

  /** @throws InterlockError ENGINE_UNAVAILABLE */
  open(method: string, argument: Uint8Array): Stream {
    if (this.#current === null) throw this.#none();
    return this.#current.connection.open(method, argument);
  }

  onChange(listener: (channel: Channel | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ready(waitMs: number): Promise<Channel> {
    if (this.#current) return Promise.resolve(this.#current.connection);
    return new Promise((resolve, reject) => {
      const done = this.onChange((channel) => {
        if (channel === null) return;
        finish();
        resolve(channel);
      });
      const timer = setTimeout(() => {
        finish();
        reject(this.#none());
      }, waitMs);
      const finish = (): void => {
        clearTimeout(timer);
        done();
      };
    });
  }

  rotated(): void {
    const current = this.#current;
    if (current === null || this.#connecting !== null) return;
    const tls = this.#identity();
    if (tls === null || sameIdentity(tls, current.tls)) return;
    this.#options.log.info({ engine: this.#address(current.engine).text }, 'a new certificate: the connection to the engine is made anew');
    this.#next = current.engine;
    this.#attempt();
  }

  status(): DialerStatus {
    const engine = this.#address(this.#current?.engine ?? this.#next).text;
    return { connected: this.#current !== null, engine, sinceMs: this.#sinceMs, attempts: this.#attempts, error: this.#current ? null : this.#error };
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#rotation) clearInterval(this.#rotation);
    if (this.#waiting) clearTimeout(this.#waiting);
    this.#connecting?.abort();
    const ending = [...this.#retired, ...(this.#current ? [this.#current.connection] : [])];
    await Promise.all(ending.map((connection) => ended(connection)));
  }

  #none(): InterlockError {
    return unavailable('engine', `no engine is connected: ${this.#error ?? 'the connection just ended'}`);
  }

  #address(index: number): Address {
    return this.#addresses[index % this.#addresses.length] as Address;
  }

  #identity(): TlsIdentity | null {
    try {
      return this.#options.tls();
    } catch (error) {
      this.#error = `our own certificate cannot be read: ${error instanceof Error ? error.message : String(error)}`;
      return null;
    }
  }

  #attempt(): void {
    if (this.#waiting) clearTimeout(this.#waiting);
    this.#waiting = null;
    if (this.#closed || this.#connecting !== null) return;
    const engine = this.#next % this.#addresses.length;
    const tls = this.#identity();
    if (tls === null) return this.#failed(this.#error ?? '');
    this.#connecting = this.#connect(engine, tls);
  }

  #connect(engine: number, tls: TlsIdentity): Attempt {
    const { host, port, text } = this.#address(engine);
    return attemptEngine({
      ...this.#options,
      host,
      port,
      tls,
      limits: this.#limits,
      onOpen: (connection) => {
        this.#connecting = null;
        this.#connected({ connection, tls, engine });
      },
      onFailed: (why) => {
        this.#connecting = null;
        this.#failed(`${text}: ${why}`);
      },
      onLeave: (connection) => this.#left(connection),
    });
  }

  #connected(current: Current): void {
    const before = this.#current;
    const { connection } = current;
    this.#current = current;
    this.#attempts = 0;
    this.#error = null;
    this.#sinceMs = this.#options.clock.wallUs() / 1000;
    if (this.#closed) return connection.close('it is shutting down');
    this.#options.log.info(
      { engine: this.#address(current.engine).text, name: connection.peer.name, version: connection.version },
      'connected to an engine',
    );
    connection.onClose((reason) => this.#lost(connection, reason));
    if (before) this.#retire(before.connection);
    this.#tell(connection);
  }

  #lost(connection: Connection, reason: InterlockError): void {
    if (this.#current?.connection !== connection) return;
    const { engine } = this.#current;
    this.#current = null;
    this.#sinceMs = this.#options.clock.wallUs() / 1000;
    this.#error = reason.message;
    if (this.#closed) return;
    this.#options.log.warn({ engine: this.#address(engine).text, problem: reason.message }, 'the connection to the engine is lost');
    this.#tell(null);
    // another engine, if there is one, at once
    this.#next = (engine + 1) % this.#addresses.length;
    if (this.#connecting === null) this.#attempt();
  }

  /** An engine that is going down asks for it: the next one first, then this one again, for as long as it stands. */
  #left(connection: Connection): void {
    const current = this.#current;
    if (current?.connection !== connection || this.#connecting !== null || this.#addresses.length === 1) return;
    this.#leaving = connection;
    this.#next = (current.engine + 1) % this.#addresses.length;
    this.#attempt();
  }

  #retire(connection: Connection): void {
    this.#retired.add(connection);
    const untilUs = this.#options.clock.monotonicUs() + RETIRE_MS * 1000;
    const timer = setInterval(() => {
      if (connection.idle || this.#options.clock.monotonicUs() > untilUs) connection.close('another connection took its place');
    }, RETIRE_LOOK_MS);
    connection.onClose(() => {
      clearInterval(timer);
      this.#retired.delete(connection);
    });
  }

  #failed(why: string): void {
    if (this.#closed) return;
    this.#attempts++;
    this.#error = why;
    this.#next = (this.#next + 1) % this.#addresses.length;
    const rounds = Math.floor(this.#attempts / this.#addresses.length);
    this.#options.log.warn({ problem: why, attempts: this.#attempts }, 'an engine could not be reached');
    if (this.#current) {
      // what was to be replaced stands; a rotation is tried again with the next second
      if (this.#current.connection === this.#leaving) this.#waiting = setTimeout(() => this.#attempt(), BACKOFF_MS.first);
      return;
    }
    const inRound = this.#attempts % this.#addresses.length !== 0;
    const most = Math.min(BACKOFF_MS.last, BACKOFF_MS.first * 2 ** Math.min(rounds - 1, 10));
    this.#waiting = setTimeout(() => this.#attempt(), inRound ? 0 : most * (0.5 + this.#random() / 2));
  }

  #tell(channel: Channel | null): void {
    for (const listener of this.#listeners) listener(channel);
  }
}

/** `engine-1:8443`, `[::1]:8443` */
function addressOf(text: string): Address {
  const at = text.lastIndexOf(':');
  const host = text.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  const port = Number(text.slice(at + 1));
  if (at < 1 || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new InterlockError('CONFIG_INVALID', `${text} is no address of an engine (host:port)`);
  return { host, port, text };
}

function ended(connection: Connection): Promise<void> {
  return new Promise((resolve) => {
    connection.onClose(() => resolve());
    connection.close('the enforcer is shutting down');
  });
}
