/** The MCP enforcement point: one endpoint for each server, with the book of its sessions. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InterlockError } from '#schemas/errors';
import type { Enforcer, EnforcerChange, EnforcerDeps, SessionInfo } from '#enforcers/common/enforcer';
import { leased } from '#enforcers/common/leased';
import { LIMITS } from '#enforcers/common/limits';
import { ToolKeeper } from './catalog.ts';
import { serveMcp, type EndpointParts, type Site } from './endpoint.ts';
import type { CloseReason, EndedSession, House } from './house.ts';
import { isMetadata, McpListeners, type Share } from './listener.ts';
import { MCP_LIMITS } from './limits.ts';
import { metadata } from './metadata.ts';
import { Questions } from './relay.ts';
import { KeptResults } from './results.ts';
import { openSealer, type Sealer } from './seal.ts';
import { Sessions } from './sessions.ts';
import type { McpTarget } from './target.ts';
import type { Introduction, Link } from './upstream/link.ts';
import { upstreamOf, type Upstream } from './upstream/upstream.ts';

export type MountedHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** Another server of this process, on which the endpoint stands too: the API's. */
export interface McpMount {
  /** Answers what comes to `/mcp/<target>` and its metadata, until it is taken away. */
  add(target: string, handler: MountedHandler): () => void;
}

export interface McpEnforcerOptions extends EnforcerDeps {
  readonly target: McpTarget;
  /** Of this process: targets of one address share its listener. */
  readonly listeners?: McpListeners;
  /** null: nowhere else. */
  readonly mount?: McpMount | null;
  /** Who makes tokens, for the metadata of the resource. */
  readonly issuers?: () => readonly string[];
}

/**
 * Looks at the server's tools, then listens. A server that cannot be reached is no reason not to start: nothing can be called until it is.
 * @throws InterlockError PORT_TAKEN, CONFIG_INVALID (pins that were edited, a certificate that does not fit)
 */
export async function startMcpEnforcer(options: McpEnforcerOptions): Promise<Enforcer> {
  const enforcer = new McpEnforcer(options);
  await enforcer.start();
  return enforcer;
}

class McpEnforcer implements Enforcer, House {
  readonly protocol = 'mcp';
  readonly deps: EnforcerDeps;
  readonly target: McpTarget;
  readonly enforcerId: string;
  readonly keeper: ToolKeeper;
  readonly sealer: Sealer;
  readonly results: KeptResults = new KeptResults();
  limits: McpTarget['limits'];
  readonly #options: McpEnforcerOptions;
  readonly #sessions: Sessions;
  readonly #questions: Questions = new Questions();
  readonly #upstream: Upstream;
  readonly #links = new Set<Link>();
  #share: Share | null = null;
  #unmount: (() => void) | null = null;
  #draining = false;
  #closed = false;
  #reaper: NodeJS.Timeout | null = null;
  #watcher: NodeJS.Timeout | null = null;
  #empty: (() => void) | null = null;

  constructor(options: McpEnforcerOptions) {
    const { target, log, journal, decisions } = options;
    this.#options = options;
    this.deps = options;
    this.target = target;
    this.limits = target.limits;
    this.enforcerId = `mcp/${target.name}`;
    this.sealer = openSealer(target.stateDir, target.name);
    this.#upstream = upstreamOf(target.upstream, { target: target.name, clock: options.clock, log });
    this.#sessions = new Sessions(this);
    this.keeper = new ToolKeeper({ target, decisions, log, open: (who) => this.open(who), changed: (tool, what) => this.#changed(tool, what) });
    journal.onFault(() => this.#sessions.endAll('fault'));
  }

  async start(): Promise<void> {
    this.keeper.refresh();
    await this.#look();
    const { listen, tls, name } = this.target;
    if (listen !== null) {
      const listeners = this.#options.listeners ?? new McpListeners();
      this.#share = await listeners.share({ ...listen, tls: tls ?? null }, name, (request, response, at) =>
        this.#serve(request, response, this.#listenSite(at)),
      );
    }
    this.#unmount = this.#options.mount?.add(name, (request, response) => this.#serve(request, response, this.#mountedSite())) ?? null;
    if (this.#share === null && this.#unmount === null) throw new InterlockError('CONFIG_INVALID', `target ${name} has no \`listen\``);
    this.#reaper = setInterval(() => this.#reap(), LIMITS.reapMs);
    this.#watcher = setInterval(() => void this.#look(), MCP_LIMITS.pinsEveryMs);
    this.#reaper.unref();
    this.#watcher.unref();
  }

  get address(): { readonly host: string; readonly port: number } {
    if (this.#share !== null) return this.#share.address;
    const { hostname, port, protocol } = new URL(this.target.publicUrl);
    return { host: hostname, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
  }

  get accepting(): boolean {
    return !this.#draining && (this.#share?.listening ?? this.#unmount !== null);
  }

  get draining(): boolean {
    return this.#draining;
  }

  sessions(): readonly SessionInfo[] {
    return this.#sessions.all().map((session) => session.info);
  }

  renew({ limits, tls }: EnforcerChange): void {
    if (tls !== null) this.#share?.renew(tls);
    this.limits = limits;
  }

  terminate(sessionId: string): boolean {
    const session = this.#sessions.all().find(({ id }) => id === sessionId);
    session?.end('terminated');
    return session !== undefined;
  }

  async drain(): Promise<void> {
    this.#draining = true;
    this.#endIdle();
    if (this.#sessions.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#empty = resolve;
    const timer = setTimeout(resolve, LIMITS.drainMs);
    await promise;
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    this.#draining = true;
    this.#closed = true;
    if (this.#reaper) clearInterval(this.#reaper);
    if (this.#watcher) clearInterval(this.#watcher);
    this.#unmount?.();
    this.#sessions.endAll('drain');
    this.#share?.close();
    for (const link of this.#links) link.close();
    await Promise.resolve();
  }

  // — the house —

  async open(who: Introduction): Promise<Link> {
    const { target, deps } = this;
    const era = this.keeper.self?.era === 'legacy' ? 'legacy' : who.era;
    const lease = await leased(deps.credentials, target.name);
    try {
      return this.#kept(await this.#upstream.open(lease, { ...who, era }), lease.over);
    } catch (error) {
      lease.over();
      throw error;
    }
  }

  #kept(link: Link, over: () => void): Link {
    this.#links.add(link);
    const close = link.close.bind(link);
    link.close = () => {
      this.#links.delete(link);
      close();
      over();
    };
    if (this.#closed) link.close();
    return link;
  }

  gone(session: EndedSession, reason: CloseReason): void {
    this.#sessions.gone(session);
    this.#questions.forget(session);
    const { statements, bytesIn: bytes_in, bytesOut: bytes_out } = session;
    try {
      const { journal } = this.deps;
      journal.append({ type: 'session.closed', session_id: session.id, target: this.target.name, reason, statements, bytes_in, bytes_out });
    } catch (error) {
      this.deps.log.error({ session: session.id, err: error }, 'the end of a session could not be recorded');
    }
    if (this.#sessions.size === 0) this.#empty?.();
  }

  // — tools —

  async #look(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.keeper.look();
    } catch (error) {
      this.deps.log.warn({ target: this.target.name, err: error }, 'the server could not be asked for its tools');
    }
  }

  /** Recorded, so that a reader sees from when on a tool was disabled. */
  #changed(tool: string, what: 'drifted' | 'restored'): void {
    try {
      const before = what === 'drifted' ? 'pinned' : 'drifted';
      const after = what === 'drifted' ? 'drifted: disabled' : 'pinned';
      this.deps.journal.append({ type: 'admin.changed', by: this.enforcerId, what: `tool ${tool}`, before, after, target: this.target.name });
    } catch {
      // the journal is dead, and everything ends by itself
    }
  }

  // — clients —

  #serve(request: IncomingMessage, response: ServerResponse, site: Site): void {
    response.on('error', () => {});
    if (isMetadata(request.url ?? '')) return this.#describe(request, response, site);
    const { target, limits, deps } = this;
    const bytesMax = Math.min(limits.statementBytes, MCP_LIMITS.messageBytes);
    const parts: EndpointParts = { target, sessions: this.#sessions, questions: this.#questions, bytesMax, log: deps.log };
    void serveMcp(request, response, site, parts);
  }

  #describe(request: IncomingMessage, response: ServerResponse, { origin, hosts }: Site): void {
    const known = request.method === 'GET' && hosts.has(request.headers.host?.toLowerCase() ?? '');
    const body = known ? JSON.stringify(metadata(this.target, origin, this.#options.issuers?.() ?? [])) : '';
    response.writeHead(known ? 200 : 404, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'content-length': Buffer.byteLength(body),
    });
    response.end(body);
  }

  #listenSite({ port, tls }: { readonly port: number; readonly tls: boolean }): Site {
    const { listen, hosts } = this.target;
    const named = (listen?.host ?? '').includes(':') ? `[${listen?.host ?? ''}]` : (listen?.host ?? '');
    const own = [named, ...(isLoopback(listen?.host ?? '') ? ['localhost', '127.0.0.1', '[::1]'] : [])].map((name) => `${name}:${port}`);
    const origin = `${tls ? 'https' : 'http'}://${hosts[0] ?? own[0] ?? ''}`;
    return { origin, hosts: new Set([...own, ...hosts].map((name) => name.toLowerCase())), tls };
  }

  #mountedSite(): Site {
    const { publicUrl, hosts } = this.target;
    const { origin, host, protocol } = new URL(publicUrl);
    return { origin, hosts: new Set([host, ...hosts].map((name) => name.toLowerCase())), tls: protocol === 'https:' };
  }

  #reap(): void {
    this.#sessions.reap();
    try {
      this.keeper.refresh();
    } catch (error) {
      this.deps.log.error({ target: this.target.name, err: error }, 'the pinned tools cannot be read; the last ones count');
    }
    if (this.#draining) this.#endIdle();
  }

  /** What runs may finish; what only waits for a verdict has not run. */
  #endIdle(): void {
    for (const session of this.#sessions.all()) if (session.running === session.waiting) session.end('drain');
  }
}

function isLoopback(host: string): boolean {
  return host === '::1' || host === 'localhost' || host.startsWith('127.');
}
