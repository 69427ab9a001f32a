/** The HTTP enforcement point: listens, lets clients in, keeps the book of sessions. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Enforcer, EnforcerChange, EnforcerDeps, SessionInfo } from '#enforcers/common/enforcer';
import { LIMITS } from '#enforcers/common/limits';
import { refusal, type Refusal } from '#enforcers/common/refusal';
import { InterlockError } from '#schemas/errors';
import { ClientConnection, type ConnectionHost } from './connection.ts';
import { answerMalformed, serve } from './exchange.ts';
import type { House, Peer } from './house.ts';
import { type Http2Door, openHttp2 } from './http2.ts';
import { Place } from '#enforcers/common/service/place';
import { ANSWER_OBLIGATIONS, answering } from './response/answering.ts';
import { Sessions } from './sessions.ts';
import type { HttpTarget } from './target.ts';
import { Tokens } from '#enforcers/common/service/tokens';
import { Turn } from './turn.ts';
import { Visitor } from './visitor.ts';

export interface HttpEnforcerOptions extends EnforcerDeps {
  readonly target: HttpTarget;
  /** Names of targets → addresses; the system's resolver. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/**
 * Learns the target's operations, then listens. The target itself is not asked for anything before its first request.
 * @throws InterlockError CONFIG_INVALID, PORT_TAKEN
 */
export async function startHttpEnforcer(options: HttpEnforcerOptions): Promise<Enforcer> {
  const enforcer = new HttpEnforcer(options);
  await enforcer.start();
  return enforcer;
}

class HttpEnforcer implements Enforcer, House {
  readonly protocol = 'http';
  readonly deps: EnforcerDeps;
  readonly target: HttpTarget;
  readonly enforcerId: string;
  readonly place: Place;
  readonly tokens: Tokens;
  readonly book: Sessions;
  readonly answering = answering;
  readonly supported: readonly string[] = ANSWER_OBLIGATIONS;
  limits: HttpTarget['limits'];
  draining = false;
  readonly #server: Server;
  readonly #http2: Http2Door;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<ClientConnection>();
  readonly #turn = new Turn();
  readonly #byAddress = new Map<string, number>();
  #reaper: NodeJS.Timeout | null = null;

  constructor(options: HttpEnforcerOptions) {
    const { target, resolve, clock } = options;
    const nowMs = (): number => clock.monotonicUs() / 1000;
    this.deps = options;
    this.target = target;
    this.limits = target.limits;
    this.enforcerId = `http/${target.name}`;
    this.place = new Place({ upstream: target.upstream, target: target.name, nowMs, ...(resolve !== undefined && { resolve }) });
    this.tokens = new Tokens({ target: target.name, ca: target.upstream.ca, nowMs });
    this.book = new Sessions(this);
    this.#http2 = openHttp2(nowMs);
    this.#server = target.tls === undefined ? createServer(PLAIN, (socket) => this.#accept(socket)) : this.#secured(target.tls);
    options.journal.onFault(() => this.book.endAll('fault', refusal('JOURNAL_UNAVAILABLE')));
  }

  async start(): Promise<void> {
    this.deps.decisions.learn(this.target.name, this.target.catalog);
    const { host, port } = this.target.listen;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          error.code === 'EADDRINUSE'
            ? new InterlockError('PORT_TAKEN', `${host}:${port} is in use`, { cause: error })
            : new InterlockError('CONFIG_INVALID', `cannot listen on ${host}:${port}: ${error.message}`, { cause: error }),
        ),
      );
      this.#server.listen(port, host, resolve);
    });
    this.#reaper = setInterval(() => this.book.reap(), LIMITS.reapMs).unref();
  }

  get address(): { readonly host: string; readonly port: number } {
    const address = this.#server.address() as AddressInfo | null;
    return { host: address?.address ?? this.target.listen.host, port: address?.port ?? this.target.listen.port };
  }

  get accepting(): boolean {
    return this.#server.listening && !this.draining;
  }

  sessions(): readonly SessionInfo[] {
    return this.book.all.map((session) => ({
      session_id: session.id,
      subject: session.parts.subject,
      target: this.target.name,
      client: session.parts.client,
      opened_at: session.parts.openedAt,
      statements: session.statements,
      state: session.state,
      approval_id: session.approvalId,
    }));
  }

  renew({ limits, tls, catalog }: EnforcerChange): void {
    if (tls !== null && 'setSecureContext' in this.#server) {
      try {
        (this.#server as Server & { setSecureContext(options: TlsOptions): void }).setSecureContext(contextOf(tls));
      } catch (error) {
        throw new InterlockError('CONFIG_INVALID', `certificate and key of target ${this.target.name} cannot be used together`, { cause: error });
      }
    }
    this.limits = limits;
    if (catalog !== undefined) this.deps.decisions.learn(this.target.name, catalog);
  }

  terminate(sessionId: string): boolean {
    const session = this.book.find(sessionId);
    session?.end('terminated', refusal('DRAINING', 'terminated by an administrator', { hint: undefined }));
    return session !== null;
  }

  async drain(): Promise<void> {
    this.draining = true;
    this.#server.close();
    this.#http2.drain();
    for (const connection of this.#connections) connection.finish();
    for (const session of this.book.all) {
      session.endHeld(heldAtDrain);
      if (session.running === 0) session.end('drain', refusal('DRAINING'));
    }
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, LIMITS.drainMs);
    const ending = setInterval(() => this.#endIdle(), LIMITS.reapMs);
    await Promise.race([this.book.emptied(), late.promise]);
    clearTimeout(timer);
    clearInterval(ending);
  }

  async close(): Promise<void> {
    this.draining = true;
    if (this.#reaper !== null) clearInterval(this.#reaper);
    this.#server.close();
    this.book.endAll('drain', refusal('DRAINING'));
    // what was refused just now is told
    await new Promise((resolve) => setImmediate(resolve));
    this.#http2.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #endIdle(): void {
    for (const session of this.book.all) if (session.running === 0) session.end('drain', refusal('DRAINING'));
  }

  // — clients —

  #secured(tls: { readonly cert: string; readonly key: string }): Server {
    const server = createTlsServer({ ...contextOf(tls), ...PLAIN, ALPNProtocols: ['h2', 'http/1.1'], handshakeTimeout: LIMITS.preAuthMs });
    server.on('connection', (socket: Socket) => this.#admits(socket));
    server.on('secureConnection', (socket: TLSSocket) => this.#speak(socket, true));
    server.on('tlsClientError', (_, socket) => socket.destroy());
    return server;
  }

  #accept(socket: Socket): void {
    if (this.#admits(socket)) this.#speak(socket, false);
  }

  /** false: there are too many, in all or from there. Before a handshake, so that none is made for nothing. */
  #admits(socket: Socket): boolean {
    const address = socket.remoteAddress ?? '';
    const from = this.#byAddress.get(address) ?? 0;
    socket.on('error', () => socket.destroy());
    if (this.draining || this.#sockets.size >= this.limits.connections || from >= this.limits.connections / 2 + LIMITS.preAuthConnectionsPerAddress) {
      socket.destroy();
      return false;
    }
    this.#sockets.add(socket);
    this.#byAddress.set(address, from + 1);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      const rest = (this.#byAddress.get(address) ?? 1) - 1;
      if (rest > 0) this.#byAddress.set(address, rest);
      else this.#byAddress.delete(address);
    });
    return true;
  }

  #speak(socket: Socket | TLSSocket, tls: boolean): void {
    const peer: Peer = { address: socket.remoteAddress ?? '', tls };
    const host = this.#host(peer);
    if ('alpnProtocol' in socket && socket.alpnProtocol === 'h2') return this.#http2.take(socket, host);
    const connection = new ClientConnection(socket, host);
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
  }

  #host(peer: Peer): ConnectionHost {
    const draining = (): boolean => this.draining;
    const visitor = new Visitor(peer);
    return {
      request: (incoming) => serve(incoming, visitor, this),
      malformed: (reply, why) => answerMalformed(reply, why, this),
      turn: this.#turn,
      get draining() {
        return draining();
      },
    };
  }
}

const PLAIN = { noDelay: true, allowHalfOpen: false } as const;

function contextOf({ cert, key }: { readonly cert: string; readonly key: string }): { cert: string; key: string; minVersion: 'TLSv1.2' } {
  return { cert, key, minVersion: 'TLSv1.2' };
}

function heldAtDrain(approvalId: string): Refusal {
  return refusal('APPROVAL_PENDING', `the gateway is shutting down: ${approvalId} stays open`, {
    detail: `code=APPROVAL_PENDING approval=${approvalId}`,
    hint: 'Send the same request again: it joins the request for approval, or runs if it was approved meanwhile.',
  });
}
