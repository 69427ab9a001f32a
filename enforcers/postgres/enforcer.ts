/** The PostgreSQL enforcement point: listens, lets clients in, keeps the book of sessions. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { listen } from '#client/listen';
import type { Catalog } from '#schemas/catalog';
import { InterlockError } from '#schemas/errors';
import type { Enforcer, EnforcerChange, EnforcerDeps, SessionInfo } from '#enforcers/common/enforcer';
import { leased } from '#enforcers/common/leased';
import { LIMITS } from '#enforcers/common/limits';
import { refusal, type Refusal } from '#enforcers/common/refusal';
import { Buckets, CancelKeys, type CancelKey } from './cancel.ts';
import { CatalogKeeper } from './catalog-keeper.ts';
import { admit } from './door.ts';
import type { House, Resident } from './house.ts';
import { openOwnClient } from './own-client.ts';
import { B, CODE, int32, report } from './protocol.ts';
import type { CloseReason } from './ending.ts';
import type { PostgresSession } from './session.ts';
import { SettingSets } from './settings.ts';
import { Surveyor } from './surveyor.ts';
import type { PostgresTarget } from './target.ts';
import { openTarget } from './upstream.ts';
import { errorFields } from './words.ts';

export interface PostgresEnforcerOptions extends EnforcerDeps {
  readonly target: PostgresTarget;
}

/** The majors whose grammar we read (M2). */
export const SERVER_MAJORS: readonly number[] = [15, 17];

/**
 * Reads the target's version over a connection of its own, then listens.
 * @throws InterlockError TARGET_UNREACHABLE, CREDENTIAL_UNAVAILABLE, CATALOG_UNAVAILABLE, PARSER_UNAVAILABLE (another server major), PORT_TAKEN
 */
export async function startPostgresEnforcer(options: PostgresEnforcerOptions): Promise<Enforcer> {
  const enforcer = new PostgresEnforcer(options, await versionOf(options));
  await enforcer.start();
  return enforcer;
}

async function versionOf(options: PostgresEnforcerOptions): Promise<string> {
  const { upstream, name } = options.target;
  const [database] = upstream.databases;
  if (database === undefined) throw new InterlockError('CONFIG_INVALID', `target ${name} offers no database`);
  const client = await openOwnClient(upstream, await leased(options.credentials, name), database);
  try {
    const version = (await client.query('SHOW server_version'))[0]?.[0] ?? '';
    const encoding = (await client.query('SHOW server_encoding'))[0]?.[0] ?? '';
    if (encoding !== 'UTF8') throw new InterlockError('CONFIG_INVALID', `target ${name}: server_encoding is ${encoding}; only UTF8 is supported`);
    if (!SERVER_MAJORS.includes(Number.parseInt(version, 10))) {
      throw new InterlockError('PARSER_UNAVAILABLE', `target ${name} is PostgreSQL ${version}; supported are ${SERVER_MAJORS.join(' and ')}`);
    }
    return version;
  } finally {
    client.close();
  }
}

interface Inhabitant extends Resident {
  readonly key: CancelKey;
  /** Its activity when it was last looked at, and since when that is the same. */
  seen: number;
  sinceMs: number;
}

class PostgresEnforcer implements Enforcer, House {
  readonly protocol = 'postgresql';
  readonly deps: EnforcerDeps;
  readonly target: PostgresTarget;
  tls: SecureContext | null;
  limits: PostgresTarget['limits'];
  readonly enforcerId: string;
  readonly serverVersion: string;
  readonly sets: SettingSets = new SettingSets();
  readonly catalogs: CatalogKeeper;
  readonly surveyor: Surveyor;
  readonly #server: Server;
  readonly #residents: Map<PostgresSession, Inhabitant> = new Map();
  readonly #keys: CancelKeys<PostgresSession> = new CancelKeys();
  readonly #buckets: Buckets;
  readonly #arriving: Map<string, number> = new Map();
  readonly #sockets: Set<Socket> = new Set();
  #draining = false;
  #reaper: NodeJS.Timeout | null = null;
  #empty: (() => void) | null = null;

  constructor(options: PostgresEnforcerOptions, serverVersion: string) {
    this.deps = options;
    this.target = options.target;
    this.serverVersion = serverVersion;
    this.enforcerId = `postgresql/${options.target.name}`;
    this.tls = options.target.tls ? contextOf(options.target.tls) : null;
    this.limits = options.target.limits;
    this.#buckets = new Buckets(options.clock);
    this.catalogs = new CatalogKeeper({
      target: options.target.name,
      upstream: options.target.upstream,
      lease: () => leased(options.credentials, options.target.name),
      decisions: options.decisions,
      log: options.log,
    });
    this.surveyor = new Surveyor({ upstream: options.target.upstream, lease: () => leased(options.credentials, options.target.name) });
    this.#server = createServer({ noDelay: true, pauseOnConnect: true, allowHalfOpen: false }, (socket) => this.#accept(socket));
    options.journal.onFault(() => this.#endAll('fault', refusal('JOURNAL_UNAVAILABLE')));
  }

  async start(): Promise<void> {
    for (const database of this.target.upstream.databases) await this.catalogs.current(database);
    await listen(this.#server, this.target.listen);
    this.#reaper = setInterval(() => this.#reap(), LIMITS.reapMs);
    this.#reaper.unref();
  }

  get address(): { readonly host: string; readonly port: number } {
    const address = this.#server.address() as AddressInfo | null;
    return { host: address?.address ?? this.target.listen.host, port: address?.port ?? this.target.listen.port };
  }

  get databases(): readonly string[] {
    return this.target.upstream.databases;
  }

  get accepting(): boolean {
    return this.#server.listening && !this.#draining;
  }

  get draining(): boolean {
    return this.#draining;
  }

  peek(): Promise<Catalog> {
    return this.catalogs.peek(this.target.upstream.databases[0] ?? '');
  }

  sessions(): readonly SessionInfo[] {
    return [...this.#residents].map(([session, resident]) => ({
      session_id: session.id,
      subject: resident.subject,
      target: this.target.name,
      client: resident.client,
      opened_at: resident.openedAt,
      statements: session.statements,
      state: session.state,
      approval_id: session.approvalId,
    }));
  }

  renew({ limits, tls }: EnforcerChange): void {
    if (this.tls !== null && tls !== null) {
      try {
        this.tls = contextOf(tls);
      } catch (error) {
        throw new InterlockError('CONFIG_INVALID', `certificate and key of target ${this.target.name} cannot be used together`, { cause: error });
      }
    }
    this.limits = limits;
  }

  terminate(sessionId: string): boolean {
    for (const session of this.#residents.keys()) {
      if (session.id !== sessionId) continue;
      session.end('terminated', refusal('DRAINING', 'terminated by an administrator', { hint: undefined }));
      return true;
    }
    return false;
  }

  async drain(): Promise<void> {
    this.#draining = true;
    this.#server.close();
    this.#endWaiting();
    if (this.#residents.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#empty = resolve;
    const timer = setTimeout(resolve, LIMITS.drainMs);
    await promise;
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    this.#draining = true;
    if (this.#reaper) clearInterval(this.#reaper);
    this.#server.close();
    this.#endWaiting();
    this.#endAll('drain', refusal('DRAINING'));
    for (const socket of this.#sockets) socket.destroy();
    this.catalogs.close();
    this.surveyor.close();
    await Promise.resolve();
  }

  // — the house —

  arrived(address: string): void {
    this.#arriving.set(address, (this.#arriving.get(address) ?? 0) + 1);
  }

  left(address: string): void {
    const rest = (this.#arriving.get(address) ?? 1) - 1;
    if (rest > 0) this.#arriving.set(address, rest);
    else this.#arriving.delete(address);
  }

  room(): void {
    if (this.#draining) throw new InterlockError('DRAINING', 'the gateway is shutting down');
    if (this.#residents.size >= this.limits.connections) {
      throw new InterlockError('BUDGET_CONNECTIONS', `the limit of ${this.limits.connections} connections is reached`);
    }
  }

  entered(session: PostgresSession, resident: Resident): CancelKey {
    const key = this.#keys.issue(session, resident.address);
    this.#residents.set(session, { ...resident, key, seen: session.activity, sinceMs: this.deps.clock.monotonicUs() / 1000 });
    return key;
  }

  gone(session: PostgresSession, reason: CloseReason): void {
    const resident = this.#residents.get(session);
    if (!resident) return;
    this.#keys.withdraw(resident.key);
    this.#residents.delete(session);
    const { in: bytes_in, out: bytes_out } = session.bytes;
    try {
      this.deps.journal.append({
        type: 'session.closed',
        session_id: session.id,
        target: this.target.name,
        reason,
        statements: session.statements,
        bytes_in,
        bytes_out,
      });
    } catch (error) {
      this.deps.log.error({ session: session.id, err: error }, 'the end of a session could not be recorded');
    }
    if (this.#residents.size === 0) this.#empty?.();
  }

  cancel(pid: number, secret: Buffer, address: string, done: () => void): void {
    // the client learns nothing, whatever becomes of it
    const session = this.#buckets.take(address) ? this.#keys.find(pid, secret, address) : null;
    const resident = session && this.#residents.get(session);
    if (!session || !resident || session.cancel() !== 'running') return done();
    this.#cancelAtTarget(resident.targetKey).then(done, (error: unknown) => {
      this.deps.log.warn({ session: session.id, err: error }, 'a cancel request did not reach the target');
      done();
    });
  }

  async #cancelAtTarget(key: Buffer): Promise<void> {
    const socket = await openTarget(this.target.upstream);
    socket.end(Buffer.concat([int32(8 + key.length), int32(CODE.cancel), key]));
    socket.resume();
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  }

  // — clients —

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    if (this.#draining) return turnAway(socket, refusal('DRAINING'));
    if ((this.#arriving.get(address) ?? 0) >= LIMITS.preAuthConnectionsPerAddress) {
      return turnAway(socket, refusal('BUDGET_CONNECTIONS', 'too many connections of this address that have not authenticated'));
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    void admit(socket, this);
  }

  /** Sessions end with their token, and when nobody uses them. */
  #reap(): void {
    const wallMs = this.deps.clock.wallUs() / 1000;
    const nowMs = this.deps.clock.monotonicUs() / 1000;
    for (const [session, resident] of this.#residents) {
      if (session.state !== 'idle' || session.activity !== resident.seen) {
        resident.seen = session.activity;
        resident.sinceMs = nowMs;
      }
      if (wallMs >= resident.expiresAtMs) session.end('policy', refusal('SESSION_EXPIRED'));
      else if (nowMs - resident.sinceMs > this.limits.idleMs) session.end('policy', idle());
    }
    if (this.#draining) this.#endWaiting();
  }

  /** What runs may finish. Nothing of what is held has run: its request outlives this process, and so nobody waits for a verdict here. */
  #endWaiting(): void {
    for (const session of this.#residents.keys()) {
      if (session.state === 'idle') session.end('drain', refusal('DRAINING'));
      else if (session.state === 'held') session.end('drain', heldAtDrain(session.approvalId));
    }
  }

  #endAll(reason: CloseReason, why: Refusal): void {
    for (const session of this.#residents.keys()) session.end(reason, why);
  }
}

function contextOf({ cert, key }: { readonly cert: string; readonly key: string }): SecureContext {
  return createSecureContext({ cert, key, minVersion: 'TLSv1.2' });
}

function heldAtDrain(approvalId: string | null): Refusal {
  if (approvalId === null) return refusal('DRAINING');
  return refusal('APPROVAL_PENDING', `the gateway is shutting down: ${approvalId} stays open`, {
    detail: `code=APPROVAL_PENDING approval=${approvalId}`,
    hint: 'Connect again and run the same statement: it joins the request, or runs if it was approved meanwhile.',
  });
}

function turnAway(socket: Socket, why: Refusal): void {
  socket.on('error', () => {});
  socket.end(report(B.error, errorFields(why, 'FATAL')));
  socket.destroySoon();
}

function idle(): Refusal {
  return { ...refusal('SESSION_EXPIRED', 'terminating connection due to idle-session timeout'), sqlstate: '57P05' };
}
