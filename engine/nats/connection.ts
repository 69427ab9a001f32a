/**
 * One connection to NATS that is there whenever a server is: made in the background, made again after any loss, with credentials and certificates
 * read anew. Nothing waits for it at start; who needs it asks `connection()`, and hears of losses by `onChange`.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { inboxOf, readIdentity } from './identity.ts';
import { LIMITS, SERVER_MIN } from './limits.ts';
import type { NatsSettings } from './settings.ts';

export interface NatsParts {
  /** How this process shows in the server's monitoring: its name, nothing secret. */
  readonly identity: string;
  readonly log: Log;
  readonly clock: Clock;
}

export interface NatsStatus {
  readonly connected: boolean;
  /** `host:port` */
  readonly server: string | null;
  /** How often a connection was lost. */
  readonly losses: number;
  /** Why there is none; null while there is one. */
  readonly error: string | null;
  /** Since when it is as it is, monotonic µs. */
  readonly sinceUs: number;
}

/** Connects in the background; never throws. */
export function openNats(settings: NatsSettings, parts: NatsParts): NatsLink {
  return new NatsLink(settings, parts);
}

export class NatsLink {
  readonly settings: NatsSettings;
  readonly #parts: NatsParts;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<(connected: boolean) => void>();
  #waiting: PromiseWithResolvers<NatsConnection> = withResolvers();
  #connection: NatsConnection | null = null;
  #connected = false;
  #losses = 0;
  #error: string | null = 'not connected yet';
  #sinceUs: number;
  readonly #running: Promise<void>;

  /** Use `openNats`. */
  constructor(settings: NatsSettings, parts: NatsParts) {
    this.settings = settings;
    this.#parts = parts;
    this.#sinceUs = parts.clock.monotonicUs();
    this.#running = this.#run();
  }

  get connected(): boolean {
    return this.#connected;
  }

  /**
   * The connection that works now, or the next one that does. It may be lost at any time after: what is sent then fails or is lost.
   * @throws InterlockError ARCHIVE_UNAVAILABLE when the link is closed before there is one
   */
  connection(): Promise<NatsConnection> {
    if (this.#connected && this.#connection !== null) return Promise.resolve(this.#connection);
    return this.#waiting.promise;
  }

  /** The connection if it works now. */
  get current(): NatsConnection | null {
    return this.#connected ? this.#connection : null;
  }

  /** Told of every connection and every loss; answers how to stop. */
  onChange(listener: (connected: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  status(): NatsStatus {
    const server = this.#connected ? (this.#connection?.getServer() ?? null) : null;
    return { connected: this.#connected, server, losses: this.#losses, error: this.#error, sinceUs: this.#sinceUs };
  }

  /** Idempotent. What waits for a connection is rejected. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return this.#running;
    this.#closing.abort();
    this.#waiting.reject(new InterlockError('ARCHIVE_UNAVAILABLE', 'the connection to NATS is closed'));
    await this.#connection?.close();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** A connection mends itself; one that ended for good (refused twice) is made anew, with what the files say then. */
  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const connection = await this.#connect();
        this.#connection = connection;
        if (signal.aborted) await connection.close();
        else {
          this.#up();
          await this.#watch(connection);
        }
      } catch (error) {
        this.#down(reasonOf(error));
      }
      await wait(LIMITS.reconnectWaitMs, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
    }
  }

  async #connect(): Promise<NatsConnection> {
    const { servers, tls } = this.settings;
    const { publicKey, authenticator } = readIdentity(await this.settings.credentials());
    const options: NodeConnectionOptions = {
      servers: servers.map((server) => server.replace(/^[a-z]+:\/\//, '')),
      name: this.#parts.identity,
      authenticator,
      inboxPrefix: inboxOf(publicKey),
      timeout: LIMITS.connectMs,
      reconnectTimeWait: LIMITS.reconnectWaitMs,
      reconnectJitter: LIMITS.reconnectJitterMs,
      reconnectJitterTLS: LIMITS.reconnectJitterMs,
      maxReconnectAttempts: -1,
      pingInterval: LIMITS.pingEveryMs,
      maxPingOut: LIMITS.pingsOutMax,
      // nodes that a cluster tells of are not in the configuration: nothing connects to what it does not name
      ignoreClusterUpdates: true,
      tls: tls === null ? null : await tlsOptions(tls),
    };
    const connection = await connect(options);
    const version = connection.info?.version ?? '0.0';
    if (!atLeast(version)) {
      await connection.close();
      throw new InterlockError('ARCHIVE_SETUP', `nats-server is ${version}; needed: ${SERVER_MIN.join('.')} or newer`);
    }
    return connection;
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') this.#down('the connection was lost');
      else if (status.type === 'reconnect') this.#up();
      else if (status.type === 'error') this.#refused(status.error);
    }
    const end = await connection.closed();
    this.#down(end instanceof Error ? reasonOf(end) : 'the connection was closed');
  }

  #up(): void {
    if (this.#connected || this.#connection === null) return;
    this.#connected = true;
    this.#error = null;
    this.#sinceUs = this.#parts.clock.monotonicUs();
    this.#parts.log.info({ server: this.#connection.getServer() }, 'connected to NATS');
    this.#waiting.resolve(this.#connection);
    this.#tell();
  }

  #down(reason: string): void {
    const told = this.#error === reason && !this.#connected;
    this.#error = reason;
    if (this.#connected) {
      this.#connected = false;
      this.#losses++;
      this.#sinceUs = this.#parts.clock.monotonicUs();
      this.#waiting = withResolvers();
      if (this.#closing.signal.aborted) this.#waiting.reject(new InterlockError('ARCHIVE_UNAVAILABLE', 'the connection to NATS is closed'));
      this.#tell();
    }
    if (!told && !this.#closing.signal.aborted) this.#parts.log.warn({ reason }, 'no connection to NATS; trying again');
  }

  /** A permission that the server does not give, or the like: the connection stands. */
  #refused(error: Error): void {
    this.#parts.log.error({ reason: reasonOf(error) }, 'NATS refused something');
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.#connected);
  }
}

async function tlsOptions({ caFile, certFile, keyFile }: NonNullable<NatsSettings['tls']>): Promise<NonNullable<NodeConnectionOptions['tls']>> {
  const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(textOf));
  // the handshake comes first: a server that offers no TLS, or somebody who strips the offer, is no server of ours
  return {
    handshakeFirst: true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function textOf(file: string | null): Promise<string | undefined> {
  return file === null ? Promise.resolve(undefined) : readFile(file, 'utf8');
}

function atLeast(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return major > SERVER_MIN[0] || (major === SERVER_MIN[0] && minor >= SERVER_MIN[1]);
}

/** The chain of causes, shortly: the client's own errors often say the reason in the cause alone. */
function reasonOf(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at instanceof Error && parts.length < 3; at = at.cause) {
    if (at.message !== '' && !parts.includes(at.message)) parts.push(at.message);
  }
  return parts.join(': ') || String(error);
}

/** Nobody may be waiting when it rejects. */
function withResolvers(): PromiseWithResolvers<NatsConnection> {
  const resolvers = Promise.withResolvers<NatsConnection>();
  resolvers.promise.catch(() => undefined);
  return resolvers;
}
