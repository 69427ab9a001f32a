/** A client from its first byte to its session: start-up, identity, session policy, lease, target — in this order, each before the next. */
import type { Socket } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import { timestamp } from '#client/clock';
import type { Principal } from '#client/identity';
import type { DecisionSession } from '#client/decision-service';
import type { Client, Resource } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import { leased, roleOfLease, type Leased } from '#enforcers/common/leased';
import { LIMITS } from '#enforcers/common/limits';
import { HandshakeReader, ReadEnded } from '#enforcers/common/reader';
import { policyRefusal, refusal, refusalOf, type Refusal } from '#enforcers/common/refusal';
import type { House } from './house.ts';
import { PINS } from './pins.ts';
import { B, int32, message, ready, report, TRANSACTION } from './protocol.ts';
import { PostgresSession } from './session.ts';
import { startUp, type CancelRequest, type Login } from './startup.ts';
import { connectTarget, type TargetConnection } from './upstream.ts';
import { errorFields } from './words.ts';

/** Declared to policy: nothing that is not really enforced here. */
export const SUPPORTED_OBLIGATIONS: readonly string[] = ['mask'];

export async function admit(raw: Socket, house: House): Promise<void> {
  const guest = new Guest(raw, house);
  try {
    const asked = await guest.startUp();
    if (asked.kind === 'cancel') return house.cancel(asked.pid, asked.secret, guest.address, () => guest.socket.end());
    await guest.open(asked);
  } catch (error) {
    guest.refuse(error);
  } finally {
    guest.settled();
  }
}

class Guest {
  readonly #house: House;
  readonly address: string;
  socket: Socket;
  #reader: HandshakeReader;
  #secure = false;
  #detached = false;
  #client: Client | null = null;
  #settled = false;

  constructor(raw: Socket, house: House) {
    this.#house = house;
    this.socket = raw;
    this.address = raw.remoteAddress ?? '';
    raw.setNoDelay(true);
    raw.on('error', () => {});
    this.#reader = new HandshakeReader(raw, { ms: LIMITS.preAuthMs, bytesMax: LIMITS.preAuthBytes });
    house.arrived(this.address);
  }

  /** No longer one of those who have not proved who they are. */
  settled(): void {
    if (!this.#settled) this.#house.left(this.address);
    this.#settled = true;
  }

  async startUp(): Promise<Login | CancelRequest> {
    const { target } = this.#house;
    const steps = startUp({
      reader: () => this.#reader,
      tlsOffered: this.#house.tls !== null,
      secure: () => this.#secure,
      plainAllowed: this.#house.tls === null && isLoopback(this.address),
    });
    for (;;) {
      const step = await steps.next();
      if (step.done) return step.value;
      if ('send' in step.value) this.socket.write(step.value.send);
      else if (this.#house.tls) await this.#encrypt(this.#house.tls, step.value.secure);
      else throw new InterlockError('INTERNAL', `no certificate for ${target.name}`);
    }
  }

  async #encrypt(secureContext: SecureContext, answer: Buffer): Promise<void> {
    if (this.#reader.detach().length > 0) throw new InterlockError('PROTOCOL', 'received unencrypted data after an encryption request');
    const raw = this.socket;
    const secure = new TLSSocket(raw, { isServer: true, secureContext });
    secure.on('error', () => raw.destroy());
    raw.write(answer);
    this.socket = secure;
    this.#secure = true;
    this.#reader = new HandshakeReader(secure, { ms: LIMITS.preAuthMs, bytesMax: LIMITS.preAuthBytes });
  }

  async open(login: Login): Promise<void> {
    const { deps, target } = this.#house;
    const client: Client = { address: this.address, application: login.parameters['application_name'] ?? '', tls: this.#secure };
    this.#client = client;
    const principal = await deps.identity.authenticate(login.token, { scope: 'connect' });
    if (principal.subject.properties.login !== login.user) throw new InterlockError('AUTH_LOGIN_MISMATCH', `the token is not for "${login.user}"`);
    this.settled();
    this.#house.room();
    if (!target.upstream.databases.includes(login.database))
      throw new InterlockError('SESSION_DENIED', `database "${login.database}" is not offered here`);
    const lease = await leased(deps.credentials, target.name);
    try {
      await this.#signIn(login, principal, client, lease);
    } catch (error) {
      lease.over();
      throw error;
    }
  }

  async #signIn(login: Login, principal: Principal, client: Client, lease: Leased): Promise<void> {
    const { deps, target } = this.#house;
    const sessionId = deps.ids.next('ses');
    const resource: Resource = {
      type: 'postgresql',
      id: target.name,
      properties: {
        env: target.env,
        labels: { ...target.labels },
        database: login.database,
        role: roleOfLease(lease),
        server_version: this.#house.serverVersion,
      },
    };
    const decisions = await deps.decisions.openSession({
      sessionId,
      subject: principal.subject,
      resource,
      client,
      supportedObligations: SUPPORTED_OBLIGATIONS,
    });
    if (decisions.opening.effect !== 'allow') {
      decisions.close();
      throw new Denied(denial(decisions));
    }
    const opened = await deps.journal.durable(
      deps.journal.append({
        type: 'session.opened',
        session_id: sessionId,
        target: target.name,
        subject: principal.subject.id,
        subject_detail: principal.subject,
        resource,
        client,
        protocol: 'postgresql',
        decision_id: decisions.opening.decision_id,
        revision: decisions.opening.revision,
        lease: lease.id,
      }),
    );
    try {
      await this.#house.catalogs.current(login.database);
      const connection = await connectTarget(target.upstream, lease, { database: login.database, ...login.parameters, ...PINS });
      if (lease.role !== undefined) this.#house.sets.calls(lease.user, lease.role, connection.socket);
      await this.#enter(login, principal, client, sessionId, decisions, connection, opened, roleOfLease(lease));
    } catch (error) {
      decisions.close();
      deps.journal.append({
        type: 'session.closed',
        session_id: sessionId,
        target: target.name,
        reason: 'fault',
        statements: 0,
        bytes_in: 0,
        bytes_out: 0,
      });
      throw error;
    }
  }

  async #enter(
    login: Login,
    principal: Principal,
    client: Client,
    sessionId: string,
    decisions: DecisionSession,
    connection: TargetConnection,
    opened: ConstructorParameters<typeof PostgresSession>[0]['opened'],
    role: string,
  ): Promise<void> {
    const { deps, target } = this.#house;
    const told = new Map(connection.parameters);
    const settings = await this.#house.sets.first(connection);
    if (this.socket.destroyed) {
      connection.socket.destroy();
      throw new ReadEnded('closed', 'the client left');
    }
    const leftover = this.#reader.detach();
    this.#detached = true;
    const greeting = [message(B.authentication, int32(0))];
    for (const [name, value] of told) greeting.push(message(B.parameterStatus, name, value));
    const session = new PostgresSession(
      {
        client: this.socket,
        target: connection.socket,
        scene: {
          journal: deps.journal,
          decisions,
          approvals: deps.approvals,
          clock: deps.clock,
          ids: deps.ids,
          sessionId,
          subject: principal.subject,
          target: target.name,
          database: login.database,
          role,
          enforcer: this.#house.enforcerId,
          supported: SUPPORTED_OBLIGATIONS,
          meter: deps.meters.of(principal.subject),
          asksOnly: login.asksOnly,
          approvalRules: target.approvals,
        },
        decisions: deps.decisions,
        sets: this.#house.sets,
        catalog: this.#house.catalogs.of(login.database),
        surveyor: this.#house.surveyor,
        log: deps.log,
        statementBytes: this.#house.limits.statementBytes,
        opened,
        told,
        closed: (ended, reason) => this.#house.gone(ended, reason),
      },
      settings,
    );
    const key = this.#house.entered(session, {
      address: this.address,
      client,
      subject: principal.subject,
      openedAt: timestamp(deps.clock.wallUs()),
      expiresAtMs: principal.expiresAtMs,
      targetKey: connection.key,
    });
    greeting.push(message(B.backendKey, int32(key.pid), key.secret), ready(TRANSACTION.idle));
    this.socket.write(Buffer.concat(greeting));
    session.begin(leftover);
  }

  refuse(error: unknown): void {
    if (!this.#detached) this.#reader.detach();
    if (error instanceof ReadEnded && error.why === 'closed') return void this.socket.destroy();
    const why = error instanceof Denied ? error.refusal : error instanceof ReadEnded ? refusal('PROTOCOL', error.message) : refusalOf(error);
    const { deps, target } = this.#house;
    deps.log.warn({ target: target.name, code: why.code, address: this.address, err: error }, 'a session was refused');
    try {
      deps.journal.append({
        type: 'session.refused',
        target: target.name,
        code: why.code,
        client: this.#client ?? { address: this.address, application: '', tls: this.#secure },
      });
    } catch {
      // the journal is dead: the refusal stands all the same
    }
    this.socket.end(report(B.error, errorFields(said(why), 'FATAL')));
    this.socket.destroySoon();
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

function denial(decisions: DecisionSession): Refusal {
  return { ...policyRefusal(decisions.opening), sqlstate: '42501' };
}

/** Of a failed authentication, and of what a credential is read from, a client learns no more than that it failed. */
function said(why: Refusal): Refusal {
  return why.code === 'AUTH_FAILED' || why.code === 'CREDENTIAL_UNAVAILABLE' ? refusal(why.code) : why;
}

function isLoopback(address: string): boolean {
  return address === '::1' || address === '' || /^(::ffff:)?127\./.test(address);
}
