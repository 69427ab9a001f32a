/** The sessions of one target: by their token and address, or by their name. A name is no proof of anything: the token decides. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '#client/identity';
import type { Client } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import type { Refusal } from '#enforcers/common/refusal';
import type { CloseReason, EndedSession, House } from './house.ts';
import type { Era, RpcId } from './protocol.ts';
import { openSession, type McpSession } from './session.ts';
import type { Introduction } from './upstream/link.ts';

/** Who stands at the door. */
export interface Visitor {
  readonly token: string;
  /** Of the token. */
  readonly digest: string;
  readonly address: string;
  readonly tls: boolean;
  /** The endpoint that the token must be for. */
  readonly resource: string;
}

interface Entry {
  readonly session: McpSession;
  /** Under which it is found. */
  readonly key: string;
  readonly name: string;
  readonly expiresAtMs: number;
  seen: number;
  sinceMs: number;
}

export class Sessions {
  readonly #house: House;
  readonly #byKey = new Map<string, Entry>();
  readonly #entries = new Map<EndedSession, Entry>();
  readonly #opening = new Map<string, Promise<McpSession>>();
  readonly #calls = new Map<string, AbortController>();

  constructor(house: House) {
    this.#house = house;
  }

  get size(): number {
    return this.#entries.size;
  }

  all(): readonly McpSession[] {
    return [...this.#entries.values()].map(({ session }) => session);
  }

  /** @throws InterlockError AUTH_FAILED, AUTH_SCOPE … */
  async authenticate({ token, resource }: Visitor): Promise<Principal> {
    const { deps, target } = this.#house;
    const principal = await deps.identity.authenticate(token, { scope: 'connect', resource });
    const { targets } = principal.subject.properties;
    // a token that names what it is for opens nothing else (RFC 8707)
    if (targets !== undefined && !targets.includes(target.name)) throw new InterlockError('AUTH_FAILED', 'the token is for another target');
    return principal;
  }

  /** null: none of this visitor's. */
  known(visitor: Visitor, name: string | null): McpSession | null {
    const entry = this.#byKey.get(name === null ? modernKey(visitor) : legacyKey(name));
    if (entry === undefined || !entry.session.alive || entry.session.arrival.token !== visitor.digest) return null;
    if (this.#house.deps.clock.wallUs() / 1000 >= entry.expiresAtMs) {
      entry.session.end('policy');
      return null;
    }
    return entry.session;
  }

  /** @throws Denied, InterlockError AUTH_FAILED, AUTH_SCOPE, DRAINING, BUDGET_CONNECTIONS … */
  async open(visitor: Visitor, who: Introduction, begins: boolean): Promise<McpSession> {
    if (begins) return this.#opened(visitor, who, randomBytes(24).toString('base64url'));
    const known = this.known(visitor, null);
    if (known !== null) return known;
    const key = modernKey(visitor);
    const opening = this.#opening.get(key) ?? this.#opened(visitor, who, null).finally(() => this.#opening.delete(key));
    this.#opening.set(key, opening);
    return opening;
  }

  async #opened(visitor: Visitor, who: Introduction, name: string | null): Promise<McpSession> {
    const { deps, limits, draining } = this.#house;
    if (draining) throw new InterlockError('DRAINING', 'the gateway is shutting down');
    if (this.#entries.size + this.#opening.size >= limits.connections)
      throw new InterlockError('BUDGET_CONNECTIONS', `the limit of ${limits.connections} sessions is reached`);
    const principal = await this.authenticate(visitor);
    const client: Client = { address: visitor.address, application: applicationOf(who), tls: visitor.tls };
    const session = await openSession({ principal, client, who, token: visitor.digest }, this.#house);
    const key = name === null ? modernKey(visitor) : legacyKey(name);
    const sinceMs = deps.clock.monotonicUs() / 1000;
    const entry: Entry = { session, key, name: name ?? '', expiresAtMs: principal.expiresAtMs, seen: session.activity, sinceMs };
    this.#byKey.set(key, entry);
    this.#entries.set(session, entry);
    return session;
  }

  /** What an older client calls its session. */
  nameOf(session: McpSession): string {
    return this.#entries.get(session)?.name ?? '';
  }

  refused({ address, tls }: Visitor, { code }: Refusal): void {
    try {
      this.#house.deps.journal.append({ type: 'session.refused', target: this.#house.target.name, code, client: { address, application: '', tls } });
    } catch {
      // the journal is dead, or takes nothing new: the refusal stands all the same
    }
  }

  gone(session: EndedSession): void {
    const entry = this.#entries.get(session);
    if (entry === undefined) return;
    this.#entries.delete(session);
    if (this.#byKey.get(entry.key) === entry) this.#byKey.delete(entry.key);
  }

  /** Aborts when the client leaves, takes the request back, or the session ends. */
  leaving(
    session: McpSession,
    id: RpcId,
    era: Era,
    request: IncomingMessage,
    response: ServerResponse,
  ): Disposable & { readonly signal: AbortSignal } {
    const controller = new AbortController();
    const left = (): void => {
      // an older client may come back for the rest of the stream; a newer one says by leaving that it does not want it
      if (!response.writableEnded && (era === 'modern' || !request.complete)) controller.abort(new InterlockError('CANCELLED', 'the client left'));
    };
    response.once('close', left);
    const key = `${session.id} ${typeof id} ${id}`;
    if (era === 'legacy') this.#calls.set(key, controller);
    const signal = AbortSignal.any([controller.signal, session.ended.signal]);
    return {
      signal,
      [Symbol.dispose]: () => {
        response.off('close', left);
        if (this.#calls.get(key) === controller) this.#calls.delete(key);
      },
    };
  }

  cancel(session: McpSession, id: unknown): void {
    this.#calls.get(`${session.id} ${typeof id} ${String(id)}`)?.abort(new InterlockError('CANCELLED', 'the client took the request back'));
  }

  /** Sessions end with their token, and when nobody uses them. */
  reap(): void {
    const wallMs = this.#house.deps.clock.wallUs() / 1000;
    const nowMs = this.#house.deps.clock.monotonicUs() / 1000;
    for (const entry of this.#entries.values()) {
      const { session } = entry;
      if (session.running > 0 || session.streams > 0 || session.activity !== entry.seen) {
        entry.seen = session.activity;
        entry.sinceMs = nowMs;
      }
      if (wallMs >= entry.expiresAtMs) session.end('policy');
      else if (nowMs - entry.sinceMs > this.#house.limits.idleMs) session.end('policy');
    }
  }

  endAll(reason: CloseReason): void {
    for (const session of this.all()) session.end(reason);
  }
}

function modernKey({ digest, address }: Visitor): string {
  return `t ${digest} ${address}`;
}

function legacyKey(name: string): string {
  return `s ${name}`;
}

function applicationOf({ info }: Introduction): string {
  return `${String(info['name'])}/${String(info['version'])}`.slice(0, 128);
}
