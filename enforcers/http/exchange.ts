/** One request, from its head to the end of its answer: who asks, what is asked, whether it may, and then what the target says. */
import { writeHttpMessage, type HttpMessage } from '#client/http-message';
import type { Asked, Scene } from '#enforcers/common/asked';
import { HoldEnded } from '#enforcers/common/asked';
import type { ClearedStatement } from '#enforcers/common/cleared';
import { enforce } from '#enforcers/common/enforce';
import { receive } from '#enforcers/common/receive';
import { refusal, refusalOf, type Refusal } from '#enforcers/common/refusal';
import { refuse } from '#enforcers/common/refuse';
import { NO_SURVEY } from '#enforcers/common/survey';
import { InterlockError } from '#schemas/errors';
import type { HeaderList } from './answer.ts';
import { forward } from './forward.ts';
import { Malformed } from './head.ts';
import type { House, Peer } from './house.ts';
import type { OpenHouse } from './sessions.ts';
import { HTTP_LIMITS } from './limits.ts';
import { answerProblem } from './problem.ts';
import type { Incoming, Reply } from './reply.ts';
import { preferredWaitMs, screenHeaders } from './request-headers.ts';
import type { HttpSession, Running } from './session.ts';
import { credentialHeader } from './signing-in.ts';
import { UNSUPPORTED, unsupported } from './support.ts';
import type { TargetConnection } from './target-connection.ts';
import { presentedToken } from './token.ts';

/** Answers on `incoming.reply`, whatever happens. */
export async function serve(incoming: Incoming, peer: Peer, house: OpenHouse): Promise<void> {
  const { reply } = incoming;
  try {
    const session = await admitted(incoming, peer, house);
    if ('refused' in session) return answer(reply, session, house);
    const exchange = new Exchange(incoming, session, house);
    session.began(exchange);
    try {
      await exchange.run();
    } finally {
      session.bytesOut += reply.bytes;
      session.over(exchange, house.deps.clock.monotonicUs() / 1000);
    }
  } catch (error) {
    fault(error, reply, house);
  }
}

/** What cannot be understood: it is nobody's request, and the connection ends. */
export function answerMalformed(reply: Reply, why: Malformed, house: House): void {
  reply.last();
  const code = why.status === 413 || why.status === 431 ? 'BUDGET_TEXT' : 'PROTOCOL';
  answerProblem(reply, { refusal: refusal(code, why.message), status: why.status, publicUrl: house.target.publicUrl });
}

function answer(reply: Reply, why: Refusal, house: House, status?: number): void {
  if (why.code === 'AUTH_FAILED' || why.code === 'DRAINING') reply.last();
  answerProblem(reply, { refusal: why, publicUrl: house.target.publicUrl, ...(status !== undefined && { status }) });
}

function fault(error: unknown, reply: Reply, house: House): void {
  if (error instanceof Malformed) return answerMalformed(reply, error, house);
  if (!(error instanceof InterlockError)) house.deps.log.error({ target: house.target.name, err: error }, 'a request failed');
  answer(reply, refusalOf(error), house);
}

async function admitted({ head }: Incoming, peer: Peer, house: OpenHouse): Promise<HttpSession | Refusal> {
  if (house.draining) return refusal('DRAINING');
  const presented = presentedToken(head.headers);
  if (presented === null)
    return refusal('AUTH_FAILED', 'an Interlock token is needed: Authorization: Bearer TOKEN', { hint: 'curl -H "Authorization: Bearer $TOKEN" …' });
  if (!peer.tls && !isLoopback(peer.address)) return refusal('AUTH_TLS_REQUIRED');
  const application = head.headers.find(([name]) => name === 'user-agent')?.[1] ?? '';
  const session = await house.book.of({ ...peer, presented, application: application.slice(0, 200) });
  if ('refused' in session || session.running < HTTP_LIMITS.requestsPerSession) return session;
  return refusal('RATE_LIMITED', `more than ${HTTP_LIMITS.requestsPerSession} requests of this session at a time`);
}

function isLoopback(address: string): boolean {
  return address === '::1' || address === '' || /^(::ffff:)?127\./.test(address);
}

/** The same object for each request: it is interned by identity. */
const SETTINGS: Readonly<Record<string, string>> = {};

class Exchange implements Running {
  readonly #incoming: Incoming;
  readonly #session: HttpSession;
  readonly #house: House;
  readonly #statementId: string;
  #hold: { readonly approvalId: string; readonly controller: AbortController } | null = null;
  #reserved: TargetConnection | null = null;
  #stopped: Refusal | null = null;
  #left = false;
  /** What is under way at the target is broken off. */
  #breakOff: (() => void) | null = null;

  constructor(incoming: Incoming, session: HttpSession, house: House) {
    this.#incoming = incoming;
    this.#session = session;
    this.#house = house;
    this.#statementId = house.deps.ids.next('stm');
    incoming.reply.left(() => {
      this.#left = true;
      this.#endHold('disconnect');
      this.#breakOff?.();
    });
  }

  get approvalId(): string | null {
    return this.#hold?.approvalId ?? null;
  }

  stop(why: Refusal): void {
    this.#stopped ??= why;
    this.#endHold('disconnect');
    this.#breakOff?.();
  }

  async run(): Promise<void> {
    const { head, reply } = this.#incoming;
    const body = await this.#incoming.body(this.#house.limits.statementBytes);
    this.#session.bytesIn += body.length + head.target.length;
    const credential = credentialHeader(this.#session.parts.lease);
    const { judged, incidental } = screenHeaders(head.headers, { rules: this.#house.target.headers ?? {}, credential });
    const headers = understoodHeaders(judged);
    const target = head.target === '*' ? '*' : this.#house.place.prefix + head.target;
    const message: HttpMessage = { method: head.method, target, headers, body };
    const asked = this.#asked(message);
    const objection = objectionTo(head.method, head.target, judged);
    if (objection !== null) return this.#refuse(asked, objection);
    const outcome = await enforce(asked, this.#scene());
    if (outcome.refused) return this.#refused(outcome);
    await this.#pass(outcome, message, incidental);
    if (this.#left) reply.abort();
  }

  async #pass(cleared: ClearedStatement, message: HttpMessage, incidental: HeaderList): Promise<void> {
    const stopped = this.#stopped;
    const forwarding = {
      cleared,
      message,
      incidental,
      house: this.#house,
      session: this.#session,
      reply: this.#incoming.reply,
      connection: this.#reserved,
      abandoned: stopped ?? (this.#left ? refusal('CANCELLED', 'the client left') : null),
      breaksOff: (breakOff: () => void) => {
        this.#breakOff = breakOff;
      },
    };
    this.#reserved = null;
    const refused = await forward(forwarding);
    this.#breakOff = null;
    if (refused !== null) answer(this.#incoming.reply, this.#stopped ?? refused.refusal, this.#house, refused.status);
  }

  #asked(message: HttpMessage): Asked {
    return {
      statementId: this.#statementId,
      action: 'http.request',
      mode: `http/${this.#incoming.head.version}`,
      payload: this.#session.payload(Buffer.from(writeHttpMessage(message))),
      params: null,
      decoded: null,
      known: null,
      transaction: 'idle',
      settings: SETTINGS,
      before: NOTHING_BEFORE,
      approval: null,
    };
  }

  #scene(): Scene {
    const { approvals } = this.#house.target;
    const waitMs = Math.min(approvals.waitMs, preferredWaitMs(this.#incoming.head.headers) ?? approvals.waitMs);
    return {
      ...this.#session.parts.scene,
      approvalRules: { waitMs, inTransaction: 'any' },
      objects: () => null,
      voice: {
        held: (approvalId, controller) => {
          this.#hold = { approvalId, controller };
          if (!this.#alive) this.#endHold('disconnect');
        },
        released: () => {
          this.#hold = null;
        },
        alive: () => this.#alive,
        notice: () => {}, // HTTP has one answer: it says so when the wait is over
      },
      examiner: {
        objection: (_, statement) => (isUpgrade(statement.facts) ? unsupported(UNSUPPORTED.upgrade) : null),
        survey: async (_, __, purpose) => {
          // an approval is not used up for a target that is not there
          if (purpose === 'using') this.#reserved ??= await this.#session.parts.pool.take();
          return NO_SURVEY;
        },
      },
    };
  }

  get #alive(): boolean {
    return !this.#left && this.#stopped === null && this.#incoming.reply.open;
  }

  #endHold(why: HoldEnded['why']): void {
    this.#hold?.controller.abort(new HoldEnded(why));
  }

  /** Before it is judged: the record says what was asked, and that it was refused. */
  #refuse(asked: Asked, { refusal: why, status }: Objection): void {
    const scene = this.#scene();
    answer(this.#incoming.reply, receive(asked, scene) ?? refuse(asked, why, scene), this.#house, status);
  }

  #refused(why: Refusal): void {
    if (this.#reserved !== null) this.#session.parts.pool.give(this.#reserved);
    this.#reserved = null;
    if (this.#left) return this.#incoming.reply.abort();
    answer(this.#incoming.reply, this.#stopped ?? why, this.#house);
  }
}

const NOTHING_BEFORE: readonly string[] = [];

interface Objection {
  readonly refusal: Refusal;
  readonly status?: number;
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** What this enforcer does not do, whatever policy says. */
function objectionTo(method: string, target: string, headers: HeaderList): Objection | null {
  if (method === 'CONNECT') return { refusal: unsupported(UNSUPPORTED.connect) };
  if (method === 'TRACE') return { refusal: unsupported(UNSUPPORTED.trace) };
  if (!METHODS.has(method)) return { refusal: unsupported(UNSUPPORTED.method) };
  if (!target.startsWith('/') && target !== '*') return { refusal: unsupported(UNSUPPORTED.absolute), status: 400 };
  if (headers.some(([name, value]) => name === 'content-encoding' && value.toLowerCase() !== 'identity')) {
    return { refusal: unsupported(UNSUPPORTED.encoding), status: 415 };
  }
  return null;
}

/** What means nothing is not judged: no encoding, and the upgrade to HTTP/2 that clients offer of themselves. */
function understoodHeaders(headers: HeaderList): HeaderList {
  return headers.filter(
    ([name, value]) => !(name === 'content-encoding' && value.toLowerCase() === 'identity') && !(name === 'upgrade' && value.toLowerCase() === 'h2c'),
  );
}

function isUpgrade(facts: object): boolean {
  return 'upgrade' in facts && facts.upgrade !== undefined;
}
