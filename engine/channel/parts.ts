/**
 * What others see of the private channel between engine and enforcers: calls and streams, both ways, over one mutually authenticated
 * connection. Transport only: payloads are bytes, methods are names, and nothing here knows what is called. README.md has the wire.
 */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import type { InterlockError } from '#schemas/errors';

export type PeerKind = 'engine' | 'enforcer';

/** Who is at the other end, as `authorise` read it from the certificate. */
export interface Peer {
  readonly name: string;
  readonly kind: PeerKind;
  /** Of the certificate's DER: `sha256:<hex>`. */
  readonly fingerprint: string;
  /** What it may ask for; empty for an engine. */
  readonly targets: readonly string[];
}

/**
 * Called once TLS has verified the certificate against the authority, before the first frame is answered. null, or a throw: refused. A
 * listener lets only enforcers in, a dialer speaks only to engines, whatever this says.
 */
export type Authorise = (certificate: X509Certificate) => Peer | null;

/** PEM. Read again for each connection, and each second: with another certificate a new connection takes the old one's place. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface CallOptions {
  /** From now until the answer is here; then the call rejects and the peer is told to stop. At most 2^32 - 1. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

export interface Caller {
  /**
   * One question, one answer. Rejects with the handler's InterlockError (code, message and hint cross the wire, nothing else), or at once
   * with ENGINE_UNAVAILABLE / ENFORCER_UNAVAILABLE when there is no connection, it dies, or the deadline passes; with CHANNEL_BUSY beyond a
   * limit; with ANSWER_REFUSED when the answer's seal is not that of this question (E6). The answer's memory belongs to the caller.
   * `payload` is copied before this returns.
   */
  call(method: string, payload: Uint8Array, options: CallOptions): Promise<Uint8Array>;
  /** Opens a stream; `argument` is what its handler is given first. @throws InterlockError ENGINE_UNAVAILABLE, ENFORCER_UNAVAILABLE: there is no connection; other trouble shows in the stream */
  open(method: string, argument: Uint8Array): Stream;
}

/** Messages both ways, in order, each side with credit of its own. Leaving the iteration before its end closes the stream. */
export interface Stream extends AsyncIterable<Uint8Array> {
  /** Resolves when the peer's credit covers it; await it, or what waits grows until the stream fails with CHANNEL_BUSY. Rejects when the stream is over. */
  send(message: Uint8Array): Promise<void>;
  /** Nothing more from this side; the other may go on. */
  end(): void;
  /** Ends both directions; without an error, as if cancelled. */
  close(error?: InterlockError): void;
  /** Aborted when the stream is over, for whatever reason. Iterating ends, or throws what ended it. */
  readonly signal: AbortSignal;
  /** Resolves when both sides ended, rejects with what cut it short. */
  readonly closed: Promise<void>;
}

/** What a handler knows of the call it answers. */
export interface CallContext {
  readonly channel: Channel;
  readonly peer: Peer;
  readonly method: string;
  /** By our monotonic clock: later, nobody waits for the answer. */
  readonly deadlineUs: number;
  /** Aborted when the caller gave up or the connection died. Made when first asked for. */
  readonly signal: AbortSignal;
}

/**
 * A value answers in the same tick; only a promise is awaited. `payload` lies in the read buffer: valid while the handler runs
 * synchronously, to be copied if kept. The answer is copied. A throw that is no InterlockError answers INTERNAL and is logged here.
 */
export type CallHandler = (payload: Uint8Array, context: CallContext) => Uint8Array | Promise<Uint8Array>;
/** The stream is closed when the promise settles: with the error it rejects with, if any. */
export type StreamHandler = (stream: Stream, argument: Uint8Array, context: StreamContext) => Promise<void>;
export type StreamContext = Pick<CallContext, 'channel' | 'peer' | 'method'>;

export interface Handlers {
  readonly calls?: Readonly<Record<string, CallHandler>>;
  readonly streams?: Readonly<Record<string, StreamHandler>>;
}

/** One connection. */
export interface Channel extends Caller {
  readonly peer: Peer;
  /** Of the wire, as agreed. */
  readonly version: number;
  /** What the peer says it runs, for people: `0.1.0`. */
  readonly software: string;
  /** 32 bytes of keying material of this TLS connection (RFC 5705), the same at both ends and nowhere else. */
  readonly exporterKey: Uint8Array;
  /** The peer's wall clock minus ours, from the heartbeats; null before the first one is answered. */
  readonly clockOffsetMs: number | null;
  readonly rttMs: number | null;
  /** What ended it; null while it lives. */
  readonly ended: InterlockError | null;
  /** Adds to the handlers it was opened with. */
  handle(method: string, handler: CallHandler): void;
  handleStream(method: string, handler: StreamHandler): void;
  /** Called once; at once if it is over. */
  onClose(listener: (reason: InterlockError) => void): void;
  /** Tells the peer why, and ends. Calls still open reject. */
  close(reason: string): void;
}

/** Wire versions that this build speaks: a range, so that neighbours work together during a rolling upgrade. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

interface CommonOptions {
  readonly tls: () => TlsIdentity;
  readonly authorise: Authorise;
  readonly handlers?: Handlers;
  readonly limits?: Partial<ChannelLimits>;
  readonly clock: Clock;
  readonly log: Log;
  /** Of this build, told to the peer. */
  readonly software: string;
  /** For tests of an upgrade. */
  readonly versions?: VersionRange;
}

export interface ListenerOptions extends CommonOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** A new connection, after both sides agreed; its handlers may still be added here. */
  readonly onChannel?: (channel: Channel) => void;
  /**
   * Another protocol on the same port, by its name (ALPN): the one way in without a certificate, for whoever is to get one. It owns the socket from
   * then on; until it closes it counts among those that have not got far (`preAuthConnections`).
   */
  readonly joining?: { readonly protocol: string; readonly serve: (socket: TLSSocket) => void };
}

export interface Listener {
  readonly address: { readonly host: string; readonly port: number };
  channels(): readonly Channel[];
  /** Ends every connection of this peer, whatever is open on it. How many. */
  disconnect(peerName: string, reason?: string): number;
  /** Asks `authorise` again about every connection: who is refused now is cut off, who may ask for other targets is told by its peer. */
  reauthorise(): void;
  /** Asks every peer to go elsewhere, and takes nothing new; resolves when all are gone, or after `waitMs`. */
  drain(waitMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface DialerOptions extends CommonOptions {
  /** `host:port`, tried in turn from a random one on. */
  readonly engines: readonly string[];
  /** Between 0 and 1, for back-off and the first address. */
  readonly random?: () => number;
}

/** One connection to one of several engines, made anew when it dies. */
export interface Dialer extends Caller {
  /** null: none just now; calls reject at once. */
  readonly channel: Channel | null;
  /** Told of each change, in order. The function takes the listener out again. */
  onChange(listener: (channel: Channel | null) => void): () => void;
  /** Resolves with the channel, as soon as there is one; rejects ENGINE_UNAVAILABLE after `waitMs`. */
  ready(waitMs: number): Promise<Channel>;
  /** The certificate was rotated: look now instead of within a second. */
  rotated(): void;
  status(): DialerStatus;
  close(): Promise<void>;
}

export interface DialerStatus {
  readonly connected: boolean;
  /** Of the engine that is spoken to, or was tried last. */
  readonly engine: string;
  /** Wall clock, milliseconds: since when connected, or not. */
  readonly sinceMs: number;
  /** Attempts since the last connection. */
  readonly attempts: number;
  /** Why there is no connection. */
  readonly error: string | null;
}

/** Every bound on what a peer can make grow (README.md says what happens beyond each). */
export interface ChannelLimits {
  /** One frame, its header included. */
  readonly frameBytes: number;
  /** One question, answer or message of a stream, put together from its frames. */
  readonly payloadBytes: number;
  /** Of one connection: what is being put together, and what waits to be sent. */
  readonly bytesInFlight: number;
  /** Of one connection, of either side: calls that wait for an answer, and streams. */
  readonly calls: number;
  readonly streams: number;
  /** How much a sender may be ahead of its reader, in each direction of a stream. */
  readonly streamBytes: number;
  /** From accepting the connection to both sides' agreement. */
  readonly preAuthMs: number;
  readonly preAuthBytes: number;
  /** Connections of one address that have not got that far, and all. */
  readonly preAuthConnections: number;
  readonly connections: number;
  readonly connectionsPerPeer: number;
  readonly heartbeatMs: number;
  /** Heartbeats without a sign of life. */
  readonly silentHeartbeats: number;
}
