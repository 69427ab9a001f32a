/** One request, from its head to the end of its answer: who asks, what is asked, whether it may, and then what the target says. */
import { httpMessageHead, type HttpMessage } from '#client/http-message';
import type { Asked, Scene } from '#enforcers/common/asked';
import { HoldEnded } from '#enforcers/common/asked';
import type { ClearedStatement } from '#enforcers/common/cleared';
import { enforce } from '#enforcers/common/enforce';
import { isPromise } from '#enforcers/common/promise';
import { receive } from '#enforcers/common/receive';
import { refusal, refusalOf, type Refusal } from '#enforcers/common/refusal';
import { refuse } from '#enforcers/common/refuse';
import { NO_SURVEY } from '#enforcers/common/survey';
import { InterlockError } from '#schemas/errors';
import type { AskedHeaders } from './asked-headers.ts';
import { forward } from './forward.ts';
import { Malformed } from './head.ts';
import type { House } from './house.ts';
import type { OpenHouse } from './sessions.ts';
import { answerProblem } from './problem.ts';
import type { Incoming, Reply } from './reply.ts';
import type { HttpSession, Running } from './session.ts';
import { UNSUPPORTED, unsupported } from './support.ts';
import type { TargetConnection } from './target-connection.ts';
import type { Standing, Visitor } from './visitor.ts';

/** Answers on `incoming.reply`, whatever happens. */
export async function serve(incoming: Incoming, visitor: Visitor, house: OpenHouse): Promise<void> {
  const { reply } = incoming;
  try {
    const admitted = visitor.admit(incoming.head, house);
    const standing = isPromise(admitted) ? await admitted : admitted;
    if ('refused' in standing) return answer(reply, standing, house);
    const { session } = standing;
    const exchange = new Exchange(incoming, standing, house);
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

/** The same object for each request: it is interned by identity. */
const SETTINGS: Readonly<Record<string, string>> = {};

class Exchange implements Running {
  readonly #incoming: Incoming;
  readonly #session: HttpSession;
  readonly #headers: AskedHeaders;
  readonly #house: House;
  readonly #statementId: string;
  #hold: { readonly approvalId: string; readonly controller: AbortController } | null = null;
  #reserved: TargetConnection | null = null;
  #stopped: Refusal | null = null;
  #left = false;
  /** What is under way at the target is broken off. */
  #breakOff: (() => void) | null = null;

  constructor(incoming: Incoming, { session, headers }: Standing, house: House) {
    this.#incoming = incoming;
    this.#session = session;
    this.#headers = headers;
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
    const coming = this.#incoming.body(this.#house.limits.statementBytes);
    const body = isPromise(coming) ? await coming : coming;
    this.#session.bytesIn += body.length + head.target.length;
    const target = head.target === '*' ? '*' : this.#house.place.prefix + head.target;
    const message: HttpMessage = { method: head.method, target, headers: this.#headers.judged, body };
    const asked = this.#asked(message, body);
    const objection = objectionTo(head.method, head.target, this.#headers);
    if (objection !== null) return this.#refuse(asked, objection);
    const judged = enforce(asked, this.#scene());
    const outcome = isPromise(judged) ? await judged : judged;
    if (outcome.refused) return this.#refused(outcome);
    await this.#pass(outcome, message);
    if (this.#left) reply.abort();
  }

  async #pass(cleared: ClearedStatement, message: HttpMessage): Promise<void> {
    const stopped = this.#stopped;
    const forwarding = {
      cleared,
      message,
      headers: this.#headers,
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

  #asked({ method, target }: HttpMessage, body: Buffer): Asked {
    return {
      statementId: this.#statementId,
      action: 'http.request',
      mode: `http/${this.#incoming.head.version}`,
      payload: this.#session.payload(httpMessageHead(method, target, this.#headers.lines), body),
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
    const waitMs = Math.min(approvals.waitMs, this.#headers.waitMs ?? approvals.waitMs);
    return {
      ...this.#session.parts.scene,
      asksOnly: this.#headers.asksOnly,
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
function objectionTo(method: string, target: string, { encoded }: AskedHeaders): Objection | null {
  if (method === 'CONNECT') return { refusal: unsupported(UNSUPPORTED.connect) };
  if (method === 'TRACE') return { refusal: unsupported(UNSUPPORTED.trace) };
  if (!METHODS.has(method)) return { refusal: unsupported(UNSUPPORTED.method) };
  if (!target.startsWith('/') && target !== '*') return { refusal: unsupported(UNSUPPORTED.absolute), status: 400 };
  return encoded ? { refusal: unsupported(UNSUPPORTED.encoding), status: 415 } : null;
}

function isUpgrade(facts: object): boolean {
  return 'upgrade' in facts && facts.upgrade !== undefined;
}
