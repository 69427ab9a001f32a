/** A cleared request on its way: the last that can be said against it, the disk, the target, and its answer to the client. */
import { headerLines, type HttpMessage } from '#client/http-message';
import type { DurablePosition } from '#client/journal';
import type { ClearedStatement } from '#enforcers/common/cleared';
import { finishedEvent, type Finish } from '#enforcers/common/events';
import { Outbox } from '#enforcers/common/outbox';
import { isPromise } from '#enforcers/common/promise';
import { refusal, refusalOf, type Refusal } from '#enforcers/common/refusal';
import type { Answering, AnswerHead, AnswerPlan, HeaderList } from './answer.ts';
import { passedHeaders } from './answer-headers.ts';
import type { AskedHeaders } from './asked-headers.ts';
import type { Malformed } from './head.ts';
import type { House } from './house.ts';
import type { Reply } from './reply.ts';
import { type AnswerRows, answerRows } from './response/answer-rows.ts';
import type { HttpSession } from './session.ts';
import { signIn, tokenOf } from '#enforcers/common/service/signing-in';
import { UNSUPPORTED, unsupported } from './support.ts';
import type { AnswerSink, TargetConnection } from './target-connection.ts';

export interface Forwarding {
  readonly cleared: ClearedStatement;
  /** What the cleared bytes say. */
  readonly message: HttpMessage;
  readonly headers: AskedHeaders;
  readonly house: House;
  readonly session: HttpSession;
  readonly reply: Reply;
  /** Reserved when its approval was used; null: none yet. */
  readonly connection: TargetConnection | null;
  /** Why it does not leave any more. */
  readonly abandoned: Refusal | null;
  readonly breaksOff: (breakOff: () => void) => void;
}

export interface Refused {
  readonly refusal: Refusal;
  readonly status?: number;
}

const DEFAULT_ANSWER_MS = 60_000;

/** null: the target's answer is on its way to the client, whole or broken off. There is exactly one `statement.finished`. */
export async function forward(forwarding: Forwarding): Promise<Refused | null> {
  const { cleared, house, session, abandoned } = forwarding;
  const { obligations } = cleared.decided.decision;
  const { facts } = cleared.statement;
  const answering = facts.dialect === 'http' ? house.answering({ facts, obligations }) : refusal('INTERNAL');
  const objection = abandoned ?? (cleared.rewrite !== null ? refusal('INTERNAL') : 'refused' in answering ? answering : upgradeOf(facts));
  if (objection !== null || 'refused' in answering) return withheld(forwarding, objection ?? refusal('INTERNAL'));
  let connection: TargetConnection | null = forwarding.connection ?? session.parts.pool.known();
  try {
    connection ??= await session.parts.pool.fresh();
    const written = wireOf(forwarding, answering);
    const wire = isPromise(written) ? await written : written;
    const placed = house.deps.journal.durable(cleared.intent);
    const durable = isPromise(placed) ? await placed : placed;
    if (session.ended !== null) return withheld(forwarding, session.ended, connection);
    if (!forwarding.reply.open) return withheld(forwarding, refusal('CANCELLED', 'the client left'), connection);
    return await new Passage(forwarding, answering).run(connection, letOut(forwarding, wire, durable));
  } catch (error) {
    house.deps.log.warn({ target: house.target.name, statement: cleared.statementId, err: error }, 'a request could not be sent');
    const why = refusalOf(error);
    return withheld(forwarding, why.code === 'TARGET_UNREACHABLE' ? refusal('TARGET_UNREACHABLE') : why, connection);
  }
}

/** A request as it goes to the target, and which of its headers sign in there. */
interface Wire {
  readonly pieces: readonly Uint8Array[];
  readonly credential: HeaderList;
}

/** @throws InterlockError INTERNAL: its intent is not on stable storage, or its decision is too old (invariants 1 and 2) */
function letOut({ cleared, house }: Forwarding, { pieces, credential }: Wire, durable: DurablePosition): Wire {
  const leaving: Uint8Array[] = [];
  const outbox = new Outbox((bytes) => leaving.push(bytes));
  for (const piece of pieces) outbox.stage(cleared, piece);
  outbox.release(outbox.take(), durable, house.deps.clock.monotonicUs());
  return { pieces: leaving, credential };
}

function upgradeOf(facts: object): Refusal | null {
  return 'upgrade' in facts && facts.upgrade !== undefined ? unsupported(UNSUPPORTED.upgrade) : null;
}

/** Its intent stands in the journal, but it never leaves. */
function withheld({ cleared, house, session, connection }: Forwarding, why: Refusal, taken: TargetConnection | null = connection): Refused {
  if (taken !== null) session.parts.pool.give(taken);
  record(cleared, house, session, { outcome: 'aborted', rows: 0, bytes: 0, tag: null, masked: {} });
  return { refusal: why };
}

/** Up to this a body is copied behind its head, for one write. */
const JOINED_BYTES = 16_384;

/** The request with our own framing, the target's authority, and what signs in: in one piece, or with a long body behind its head. */
function wireOf(forwarding: Forwarding, answering: Answering): Wire | Promise<Wire> {
  const { message, headers: asked, house, session } = forwarding;
  const { place, tokens, deps } = house;
  const leaving = asked.leaving(answering, () => ownHeaders(house, session));
  const request = { method: message.method, target: message.target, authority: place.authority, headers: leaving.headers, body: message.body };
  const credential = signIn(request, session.parts.lease, tokens, deps.clock);
  if (!isPromise(credential)) return written(message, place.authority, leaving.lines, credential);
  return credential.then((fetched) => written(message, place.authority, leaving.lines, fetched));
}

function written({ method, target, body }: HttpMessage, authority: string, lines: string, credential: HeaderList): Wire {
  const framing = body.length > 0 || TAKES_BODY.has(method) ? `content-length: ${body.length}\r\n` : '';
  const head = `${method} ${target} HTTP/1.1\r\nhost: ${authority}\r\n${lines}${headerLines(credential)}${framing}\r\n`;
  if (body.length === 0) return { pieces: [Buffer.from(head, 'latin1')], credential };
  if (body.length > JOINED_BYTES) return { pieces: [Buffer.from(head, 'latin1'), body], credential };
  const whole = Buffer.allocUnsafe(head.length + body.length);
  whole.write(head, 0, head.length, 'latin1');
  whole.set(body, head.length);
  return { pieces: [whole], credential };
}

/** What is said of a header here is said instead of the client. */
function ownHeaders({ target }: House, { parts }: HttpSession): HeaderList {
  return [
    ['x-forwarded-for', forwardedFor(parts.client.address)],
    ['x-forwarded-proto', parts.client.tls ? 'https' : 'http'],
    ...Object.entries(target.headers?.set ?? {}),
    ['accept-encoding', 'identity'],
  ];
}

/** Servers that are told of no length of these ask for it (411). */
const TAKES_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

function forwardedFor(address: string): string {
  return address.replace(/^::ffff:/, '');
}

/** From the target to the client, chunk by chunk, no faster than the client takes it. */
class Passage implements AnswerSink {
  readonly #forwarding: Forwarding;
  readonly #answering: Answering;
  readonly #settled = Promise.withResolvers<Refused | null>();
  #connection: TargetConnection | null = null;
  #wire: Wire = { pieces: [], credential: [] };
  /** It was sent with another token. */
  #again = false;
  #plan: AnswerPlan | null = null;
  /** Of an answer that is changed: what may leave, and has not yet. */
  #held: Uint8Array[] | null = null;
  #status = 0;
  #bytes = 0;
  /** null: nobody is counted, or nothing counts. */
  #rows: AnswerRows | null = null;
  #over = false;

  constructor(forwarding: Forwarding, answering: Answering) {
    this.#forwarding = forwarding;
    this.#answering = answering;
  }

  run(connection: TargetConnection, wire: Wire): Promise<Refused | null> {
    this.#forwarding.breaksOff(() => this.#broken());
    this.#wire = wire;
    this.#send(connection);
    return this.#settled.promise;
  }

  #send(connection: TargetConnection): void {
    const { house, message } = this.#forwarding;
    const { pieces } = this.#wire;
    this.#connection = connection;
    connection.send(message.method, house.target.upstream.answerMs ?? DEFAULT_ANSWER_MS, this, (socket) => {
      const [whole, body] = pieces;
      if (whole !== undefined && body === undefined) return void socket.write(whole);
      socket.cork();
      for (const piece of pieces) socket.write(piece);
      socket.uncork();
    });
  }

  head(head: AnswerHead): void {
    this.#status = head.status;
    const { house, session, reply } = this.#forwarding;
    const { lease } = session.parts;
    if (head.status === 401 && lease.scheme?.kind === 'oauth_client') {
      house.tokens.refused(lease, lease.scheme, tokenOf(this.#wire.credential));
      if (!this.#again && saysInvalidToken(head.headers)) return void this.#signInAgain();
    }
    const headers = passedHeaders(head.headers, house);
    if ('refused' in headers) return this.#refuse(headers);
    const plan = this.#answering.head({ ...head, headers });
    if ('refused' in plan) return this.#refuse(plan);
    this.#plan = plan;
    if (session.parts.scene.meter !== null) this.#rows = answerRows(head);
    if (plan.body === null) reply.head(plan.head.status, plan.head.headers, plan.head.bodiless);
    else this.#held = [];
    if (this.#held !== null && isStream(plan.head.headers)) this.#begin();
  }

  /** By its answer the target carried out nothing: the same bytes go once more, with another token. */
  async #signInAgain(): Promise<void> {
    const { cleared, house, session } = this.#forwarding;
    const { pool } = session.parts;
    let taken: TargetConnection | null = null;
    this.#again = true;
    this.#connection?.destroy();
    try {
      const wire = await wireOf(this.#forwarding, this.#answering);
      const durable = await house.deps.journal.durable(cleared.intent);
      taken = await pool.fresh();
      if (this.#over) return pool.give(taken);
      this.#wire = letOut(this.#forwarding, wire, durable);
      this.#status = 0;
      this.#send(taken);
    } catch (error) {
      if (taken !== null) pool.give(taken);
      house.deps.log.warn({ target: house.target.name, statement: cleared.statementId, err: error }, 'a request could not be sent again');
      this.#finish('error', { refusal: refusalOf(error) });
    }
  }

  /** What is masked waits for the rest of what has just come: a short answer is refused whole, or goes with its length. */
  #begin(): void {
    const held = this.#held;
    if (held === null || this.#plan === null || this.#over) return;
    this.#held = null;
    const { status, headers, bodiless } = this.#plan.head;
    this.#forwarding.reply.head(status, headers, bodiless);
    if (!this.#write(held)) this.#connection?.pause();
  }

  /** The whole of an answer that has not begun. */
  #whole(pieces: readonly Uint8Array[]): void {
    const { reply } = this.#forwarding;
    const { status, headers, bodiless } = (this.#plan as AnswerPlan).head;
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const told = bodiless || headers.some(([name]) => name === 'content-length');
    reply.head(status, told ? headers : [...headers, ['content-length', String(bytes)]], bodiless);
    for (const piece of pieces) reply.write(piece);
  }

  data(bytes: Buffer): boolean {
    this.#bytes += bytes.length;
    this.#rows?.push(bytes);
    const body = this.#plan?.body ?? null;
    if (body === null) return this.#write([bytes]);
    const pieces = body.push(bytes);
    if ('refused' in pieces) {
      this.#refuse(pieces);
      return true;
    }
    if (this.#held === null) return this.#write(pieces);
    if (this.#held.length === 0 && pieces.length > 0) queueMicrotask(() => this.#begin());
    this.#held.push(...pieces);
    return true;
  }

  end(): void {
    if (this.#over) return;
    const pieces = this.#plan?.body?.end() ?? [];
    if ('refused' in pieces) return this.#refuse(pieces);
    const { reply, session } = this.#forwarding;
    if (this.#held !== null) this.#whole([...this.#held, ...pieces]);
    else for (const piece of pieces) reply.write(piece);
    this.#held = null;
    reply.end();
    if (this.#connection !== null) session.parts.pool.give(this.#connection);
    this.#finish(this.#status < 400 ? 'ok' : 'error', null);
  }

  failed(why: Malformed, answered: boolean): void {
    if (this.#over) return;
    const { cleared, message, house, session } = this.#forwarding;
    // the target closed an idle connection while the request was on its way: reading once more does no harm
    const stale = !answered && why.status === 502 && (this.#connection?.carried ?? 0) > 1 && REPEATABLE.has(message.method) && cleared.use === null;
    house.deps.log.warn(
      { target: house.target.name, statement: cleared.statementId, reason: why.message, again: stale },
      'the target did not answer',
    );
    if (stale)
      return void session.parts.pool.fresh().then(
        (connection) => this.#send(connection),
        (error: unknown) => this.#lost(refusalOf(error), why.status),
      );
    this.#lost(
      refusal('TARGET_UNREACHABLE', why.status === 504 ? 'the target did not answer in time' : 'the target gave no answer that can be understood'),
      why.status,
    );
  }

  #lost(why: Refusal, status: number): void {
    if (this.#over) return;
    const { reply } = this.#forwarding;
    if (reply.begun) reply.abort();
    this.#finish('unknown', reply.begun ? null : { refusal: why, status });
  }

  #write(pieces: readonly Uint8Array[]): boolean {
    const { reply } = this.#forwarding;
    let keepsUp = true;
    for (const piece of pieces) keepsUp = reply.write(piece);
    if (!keepsUp) reply.drained(() => this.#connection?.resume());
    return keepsUp;
  }

  /** The answer must not pass: what is left of it is dropped with its connection. */
  #refuse(why: Refusal): void {
    this.#connection?.destroy();
    const { reply } = this.#forwarding;
    if (reply.begun) reply.abort();
    this.#finish(this.#status < 400 ? 'ok' : 'error', reply.begun ? null : { refusal: why, status: 502 });
  }

  /** The client left, or the session ends. */
  #broken(): void {
    if (this.#over) return;
    this.#connection?.destroy();
    const { reply, session } = this.#forwarding;
    if (reply.begun) reply.abort();
    const why = session.ended ?? refusal('CANCELLED', 'the client left');
    this.#finish(this.#status === 0 ? 'unknown' : 'cancelled', reply.begun ? null : { refusal: why });
  }

  #finish(outcome: Finish['outcome'], refused: Refused | null): void {
    if (this.#over) return;
    this.#over = true;
    const { cleared, house, session } = this.#forwarding;
    const masked = this.#plan?.body?.masked ?? {};
    const rows = refused === null ? (this.#rows?.rows ?? 0) : 0;
    try {
      record(cleared, house, session, { outcome, rows, bytes: this.#bytes, tag: this.#status === 0 ? null : String(this.#status), masked });
    } catch (error) {
      return this.#settled.reject(error);
    }
    this.#settled.resolve(refused);
  }
}

/** The token has ended, or was taken back, and another may do (RFC 6750 §3.1). A 401 without this may be of the service's own users. */
function saysInvalidToken(headers: HeaderList): boolean {
  return headers.some(
    ([name, value]) => name === 'www-authenticate' && /^\s*Bearer\b/i.test(value) && /\berror\s*=\s*"?invalid_token\b/i.test(value),
  );
}

/** Its client waits for the head, and may wait long for the first event. */
function isStream(headers: HeaderList): boolean {
  return headers.some(([name, value]) => name === 'content-type' && /^text\/event-stream\b/i.test(value));
}

interface Ending {
  readonly outcome: Finish['outcome'];
  readonly rows: number;
  readonly bytes: number;
  readonly tag: string | null;
  readonly masked: Readonly<Record<string, number>>;
}

function record(cleared: ClearedStatement, { deps }: House, { parts }: HttpSession, { outcome, rows, bytes, tag, masked }: Ending): void {
  const durationUs = deps.clock.monotonicUs() - cleared.decidedUs;
  const finish: Finish = { statementId: cleared.statementId, outcome, rows, bytes, tag, sqlstate: null, masked, durationUs };
  deps.journal.append(finishedEvent(finish, parts.scene));
}
