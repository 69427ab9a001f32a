/** The sessions of one target: opened by the first request with a token, one for each token and address, found again by the next. */
import { hash } from 'node:crypto';
import { timestamp } from '#client/clock';
import type { Principal } from '#client/identity';
import { leased, roleOfLease, type Leased } from '#enforcers/common/leased';
import { policyRefusal, refusal, refusalOf, type Refusal } from '#enforcers/common/refusal';
import type { Client, Resource } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import type { House, Peer } from './house.ts';
import { HTTP_LIMITS } from './limits.ts';
import { Pool } from './pool.ts';
import { type CloseReason, HttpSession } from './session.ts';
import type { PresentedToken } from './token.ts';

export interface Arrival extends Peer {
  readonly presented: PresentedToken;
  /** Of `user-agent`. */
  readonly application: string;
}

/** With the book of who is there. */
export interface OpenHouse extends House {
  readonly book: Sessions;
}

export class Sessions {
  readonly #house: House;
  readonly #byKey = new Map<string, HttpSession>();
  readonly #opening = new Map<string, Promise<HttpSession | Refusal>>();
  #empty: (() => void) | null = null;

  constructor(house: House) {
    this.#house = house;
  }

  get all(): readonly HttpSession[] {
    return [...this.#byKey.values()];
  }

  /** A value where the session is there. Never rejects. */
  of(arrival: Arrival): HttpSession | Promise<HttpSession | Refusal> {
    const { presented, address, tls } = arrival;
    // the token itself is kept nowhere
    const key = `${hash('sha256', presented.token, 'base64')} ${presented.login ?? ''} ${address} ${tls ? 's' : 'p'}`;
    const known = this.#byKey.get(key);
    if (known !== undefined && this.lives(known)) return known;
    let opening = this.#opening.get(key);
    if (opening === undefined) {
      opening = this.#open(key, arrival).finally(() => this.#opening.delete(key));
      this.#opening.set(key, opening);
    }
    return opening;
  }

  /** It has not ended, nor has its token. */
  lives(session: HttpSession): boolean {
    return session.ended === null && !this.#late(session);
  }

  find(id: string): HttpSession | null {
    return this.all.find((session) => session.id === id) ?? null;
  }

  /** Sessions end with their token, and when nobody uses them. */
  reap(): void {
    const nowMs = this.#nowMs();
    for (const session of this.#byKey.values()) {
      if (this.#late(session)) continue;
      if (session.running === 0 && nowMs - session.lastMs > this.#house.limits.idleMs) session.end('client', refusal('SESSION_EXPIRED'));
    }
  }

  endAll(reason: CloseReason, why: Refusal): void {
    for (const session of this.#byKey.values()) session.end(reason, why);
  }

  /** Resolves when the last one is gone. */
  emptied(): Promise<void> {
    if (this.#byKey.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#empty = resolve;
    });
  }

  #late(session: HttpSession): boolean {
    if (this.#house.deps.clock.wallUs() / 1000 < session.parts.expiresAtMs) return false;
    session.end('policy', refusal('SESSION_EXPIRED'));
    return true;
  }

  async #open(key: string, arrival: Arrival): Promise<HttpSession | Refusal> {
    const { address, application, tls } = arrival;
    const client: Client = { address, application, tls };
    let principal: Principal | null = null;
    try {
      principal = await this.#authenticate(arrival);
      if (this.#house.draining) throw new InterlockError('DRAINING', 'the gateway is shutting down');
      if (this.#byKey.size >= HTTP_LIMITS.sessionsMax)
        throw new InterlockError('BUDGET_CONNECTIONS', `there are ${HTTP_LIMITS.sessionsMax} sessions`);
      const lease = await leased(this.#house.deps.credentials, this.#house.target.name);
      try {
        return await this.#admit(key, principal, client, lease);
      } catch (error) {
        lease.over();
        throw error;
      }
    } catch (error) {
      return this.#refused(error, client, principal);
    }
  }

  async #authenticate({ presented: { token, login } }: Arrival): Promise<Principal> {
    const principal = await this.#house.deps.identity.authenticate(token, { scope: 'connect' });
    if (login !== null && login !== principal.subject.properties.login)
      throw new InterlockError('AUTH_LOGIN_MISMATCH', 'the token is not for this user name');
    if (this.#house.deps.clock.wallUs() / 1000 >= principal.expiresAtMs) throw new InterlockError('SESSION_EXPIRED', 'the token has ended');
    return principal;
  }

  async #admit(key: string, principal: Principal, client: Client, lease: Leased): Promise<HttpSession> {
    const { deps, target, enforcerId, place, supported } = this.#house;
    const sessionId = deps.ids.next('ses');
    const role = roleOfLease(lease);
    const resource: Resource = {
      type: 'http',
      id: target.name,
      properties: { env: target.env, labels: { ...target.labels }, ...(role !== '' && { role }) },
    };
    const { subject } = principal;
    const decisions = await deps.decisions.openSession({ sessionId, subject, resource, client, supportedObligations: supported });
    const { opening } = decisions;
    if (opening.effect !== 'allow') {
      decisions.close();
      throw new Denied(policyRefusal(opening));
    }
    try {
      const position = deps.journal.append({
        type: 'session.opened',
        session_id: sessionId,
        target: target.name,
        subject: subject.id,
        subject_detail: subject,
        resource,
        client,
        protocol: 'http',
        decision_id: opening.decision_id,
        revision: opening.revision,
        lease: lease.id,
      });
      await deps.journal.durable(position);
    } catch (error) {
      decisions.close();
      throw error;
    }
    const { journal, approvals, clock, ids } = deps;
    const meter = deps.meters.of(subject);
    const names = { target: target.name, database: '', role, enforcer: enforcerId };
    const scene = { journal, decisions, approvals, clock, ids, sessionId, subject, ...names, supported, meter };
    const session = new HttpSession(
      {
        scene,
        client,
        subject,
        openedAt: timestamp(clock.wallUs()),
        expiresAtMs: principal.expiresAtMs,
        lease,
        pool: new Pool(place),
        closed: (ended, reason) => this.#closed(key, ended, reason),
      },
      this.#nowMs(),
    );
    this.#byKey.set(key, session);
    return session;
  }

  #closed(key: string, session: HttpSession, reason: CloseReason): void {
    if (this.#byKey.get(key) === session) this.#byKey.delete(key);
    const { deps, target } = this.#house;
    try {
      deps.journal.append({
        type: 'session.closed',
        session_id: session.id,
        target: target.name,
        reason,
        statements: session.statements,
        bytes_in: session.bytesIn,
        bytes_out: session.bytesOut,
      });
    } catch (error) {
      deps.log.error({ session: session.id, err: error }, 'the end of a session could not be recorded');
    }
    if (this.#byKey.size === 0) this.#empty?.();
  }

  #refused(error: unknown, client: Client, principal: Principal | null): Refusal {
    const why = error instanceof Denied ? error.refusal : refusalOf(error);
    const { deps, target } = this.#house;
    deps.log.warn({ target: target.name, code: why.code, address: client.address, err: error }, 'a session was refused');
    try {
      const subject = principal === null ? {} : { subject: principal.subject.id };
      deps.journal.append({ type: 'session.refused', target: target.name, code: why.code, client, ...subject });
    } catch {
      // the journal is dead: the refusal stands all the same
    }
    // of a failed authentication, and of what a credential is read from, a client learns no more than that it failed
    return why.code === 'AUTH_FAILED' || why.code === 'CREDENTIAL_UNAVAILABLE' ? refusal(why.code) : why;
  }

  #nowMs(): number {
    return this.#house.deps.clock.monotonicUs() / 1000;
  }
}

/** A session that policy denied. */
class Denied extends Error {
  readonly refusal: Refusal;
  constructor(why: Refusal) {
    super(why.message);
    this.refusal = why;
  }
}
