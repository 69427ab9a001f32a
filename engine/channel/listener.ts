/** The engine's end: takes connections of enforcers, and cuts off those that may no longer be there. */
import type { X509Certificate } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { listen } from '#client/listen';
import { InterlockError } from '#schemas/errors';
import { Connection } from './connection.ts';
import { TYPE } from './frames.ts';
import { VERSIONS } from './hello.ts';
import { LIMITS } from './limits.ts';
import type { Channel, ChannelLimits, Listener, ListenerOptions, Peer, TlsIdentity } from './parts.ts';
import { authorised, listenerTls, sameIdentity, verifiedPeer } from './secure.ts';
import { encodeTrouble, troubleOf } from './trouble.ts';
import { Wire } from './wire.ts';

/** Rejects PORT_TAKEN when the address is in use, CONFIG_INVALID when certificate and key do not fit. */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const listener = new ChannelListener(options);
  await listener.start();
  return listener;
}

interface Standing {
  readonly connection: Connection;
  readonly certificate: X509Certificate;
}

class ChannelListener implements Listener {
  readonly #options: ListenerOptions;
  readonly #limits: ChannelLimits;
  readonly #server: Server;
  readonly #standing: Set<Standing> = new Set();
  /** TCP connections, whatever became of them, and those that did not get as far as an agreement: `address port` → address. */
  readonly #sockets: Set<Socket> = new Set();
  readonly #unknown: Map<string, string> = new Map();
  address: Listener['address'];
  #tls: TlsIdentity;
  #rotation: NodeJS.Timeout | null = null;
  #draining = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.address = options.listen;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#tls = options.tls();
    try {
      this.#server = createServer(listenerTls(this.#tls, this.#limits.preAuthMs, options.joining?.protocol ?? null));
    } catch (error) {
      throw new InterlockError('CONFIG_INVALID', 'the channel’s certificate and key cannot be used', { cause: error });
    }
  }

  async start(): Promise<void> {
    this.#server.on('connection', (socket) => this.#accepted(socket));
    this.#server.on('secureConnection', (socket) => this.#secured(socket));
    this.#server.on('tlsClientError', (error, socket) => this.#notSecured(error, socket));
    await listen(this.#server, this.#options.listen);
    const { address, port: taken } = this.#server.address() as AddressInfo;
    this.address = { host: address, port: taken };
    this.#rotation = setInterval(() => this.#rotated(), this.#limits.heartbeatMs).unref();
  }

  channels(): readonly Channel[] {
    return [...this.#standing].map(({ connection }) => connection).filter(({ version }) => version > 0);
  }

  disconnect(peerName: string, reason: string = 'it was removed'): number {
    const gone = [...this.#standing].filter(({ connection }) => connection.peer.name === peerName);
    for (const { connection } of gone) connection.fail('CHANNEL_REFUSED', reason);
    return gone.length;
  }

  reauthorise(): void {
    for (const standing of this.#standing) {
      const fallen = this.#fallen(standing);
      if (fallen !== null) standing.connection.fail('CHANNEL_REFUSED', fallen);
    }
  }

  async drain(waitMs: number): Promise<void> {
    this.#draining = true;
    for (const { connection } of this.#standing) connection.leave();
    const gone = Promise.all([...this.#standing].map(({ connection }) => new Promise<void>((resolve) => connection.onClose(() => resolve()))));
    const waited = Promise.withResolvers<void>();
    const timer = setTimeout(waited.resolve, waitMs);
    await Promise.race([gone, waited.promise]);
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    if (this.#rotation) clearInterval(this.#rotation);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const { connection } of this.#standing) connection.close('the engine is shutting down');
    // those that said nothing yet have nothing to be told; the others have had their last frame
    setImmediate(() => {
      for (const socket of this.#sockets) socket.destroy();
    });
    await closed;
  }

  #accepted(socket: Socket): void {
    const { connections, preAuthConnections } = this.#limits;
    const host = socket.remoteAddress ?? '';
    const unknown = this.#unknown.values().reduce((count, other) => (other === host ? count + 1 : count), 0);
    if (this.#draining || this.#sockets.size >= connections || unknown >= preAuthConnections) {
      this.#options.log.warn({ address: host, connections: this.#sockets.size, unknown }, 'a connection of the channel was not taken: too many');
      socket.destroy();
      return;
    }
    const address = addressOf(socket);
    this.#sockets.add(socket);
    this.#unknown.set(address, host);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#unknown.delete(address);
    });
  }

  #notSecured(error: Error, socket: TLSSocket): void {
    const why = socket.authorizationError;
    this.#options.log.warn(
      { address: socket.remoteAddress, problem: why ? String(why) : error.message },
      'a connection of the channel was not let in',
    );
  }

  #secured(socket: TLSSocket): void {
    const { authorise, clock, log, handlers = {}, versions = VERSIONS, software, joining } = this.#options;
    if (joining !== undefined && socket.alpnProtocol === joining.protocol) return joining.serve(socket);
    try {
      const { peer, certificate } = verifiedPeer(socket, 'enforcer', authorise, clock.wallUs() / 1000);
      this.#makeRoom(peer);
      const connection = new Connection({
        socket,
        side: 'listener',
        peer,
        limits: this.#limits,
        handlers,
        versions,
        software,
        clock,
        log,
        onOpen: () => {
          this.#unknown.delete(addressOf(socket));
          log.info({ peer: peer.name, version: connection.version, software: connection.software }, 'an enforcer is connected');
          this.#options.onChannel?.(connection);
        },
        onLeave: () => {},
        fallen: () => this.#fallen(standing),
      });
      const standing = { connection, certificate };
      this.#standing.add(standing);
      connection.onClose(({ message }) => {
        this.#standing.delete(standing);
        if (connection.version > 0) log.info({ peer: peer.name, problem: message }, 'an enforcer is no longer connected');
      });
    } catch (error) {
      // whatever went wrong, it is not let in
      const told = troubleOf(error, () => new InterlockError('CHANNEL_REFUSED', 'it could not be judged'));
      log.warn({ address: socket.remoteAddress, problem: error instanceof Error ? error.message : String(error) }, 'an enforcer was not let in');
      refuse(socket, told);
    }
  }

  /** Of one peer so many; the oldest goes, it may be dead without our knowing. */
  #makeRoom(peer: Peer): void {
    const its = [...this.#standing].filter(({ connection }) => connection.peer.name === peer.name);
    if (its.length >= this.#limits.connectionsPerPeer)
      its[0]?.connection.fail('CHANNEL_BUSY', 'a newer connection of the same enforcer takes its place');
  }

  /** Why it may no longer stand; null: it may, and for the targets that it has now. */
  #fallen({ connection, certificate }: Standing): string | null {
    try {
      connection.peer = authorised(certificate, 'enforcer', this.#options.authorise, this.#options.clock.wallUs() / 1000);
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** New connections see the new certificate; those that stand keep what they have. */
  #rotated(): void {
    try {
      const tls = this.#options.tls();
      if (sameIdentity(tls, this.#tls)) return;
      this.#server.setSecureContext(listenerTls(tls, this.#limits.preAuthMs, this.#options.joining?.protocol ?? null));
      this.#tls = tls;
      this.#options.log.info({}, 'the channel uses a new certificate');
    } catch (error) {
      this.#options.log.error({ err: error }, 'the channel’s new certificate cannot be used; the last one stays');
    }
  }
}

function addressOf({ remoteAddress, remotePort }: { remoteAddress?: string | undefined; remotePort?: number | undefined }): string {
  return `${remoteAddress ?? ''} ${remotePort ?? 0}`;
}

/** The one frame that who is not let in gets. */
function refuse(socket: TLSSocket, error: InterlockError): void {
  socket.on('error', () => {}); // it is over anyway
  const wire = new Wire(socket, LIMITS.preAuthBytes);
  wire.beginPayload(TYPE.close, 0, 0, encodeTrouble(error));
  wire.flush();
  socket.end();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

const LINGER_MS = 1_000;
