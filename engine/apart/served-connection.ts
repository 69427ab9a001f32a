/** The sessions and statements of one enforcer's connection, as the engine holds them. */
import { hash } from 'node:crypto';
import type { Clock } from '#client/clock';
import type { Decided, DecisionService, DecisionSession, Moment, Rewrite, SessionScope, Statement } from '#client/decision-service';
import type { Judgement } from '#schemas/decision';
import { ApprovalContext } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import { Param, type SqlFacts } from '#schemas/sql-facts';
import type { DecisionLimits } from './decision-limits.ts';
import { ACTIONS, ANSWER, ASKED, DECIDED, DIGEST_BYTES, encodeRewrite, piece, READ, Reading, TOLD, TRANSACTIONS, writeU48 } from './decision-wire.ts';
import { encode, form } from './messages.ts';

export interface ServedOptions {
  readonly decisions: DecisionService;
  readonly clock: Clock;
  readonly limits: DecisionLimits;
}

interface Served {
  readonly session: DecisionSession;
  /** By the enforcer's number; one object for each, as the service wants it. */
  readonly settings: Map<number, Readonly<Record<string, string>>>;
  /** Numbers of its statements, the oldest first. */
  readonly statements: Set<number>;
}

interface Known {
  readonly owner: Served;
  readonly statement: Statement;
  /** `sha256:…` of its text: what a decision must be bound to. */
  readonly digest: string;
}

export class ServedConnection {
  readonly #options: ServedOptions;
  readonly #sessions: Map<number, Served> = new Map();
  /** Of all its sessions, the oldest first. */
  readonly #statements: Map<number, Known> = new Map();
  #textBytes = 0;
  #lastSession = 0;
  #lastStatement = 0;
  #closed = false;

  constructor(options: ServedOptions) {
    this.#options = options;
  }

  async open(scope: SessionScope): Promise<Uint8Array> {
    const { decisions, limits } = this.#options;
    if (this.#sessions.size >= limits.sessionsPerConnection) throw new InterlockError('CHANNEL_BUSY', `${this.#sessions.size} sessions are open`);
    const session = await decisions.openSession(scope);
    if (this.#closed) {
      session.close();
      throw new InterlockError('CANCELLED', 'the connection is over');
    }
    const number = ++this.#lastSession;
    this.#sessions.set(number, { session, settings: new Map(), statements: new Set() });
    return encode({ session: number, opening: session.opening });
  }

  read(payload: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const reading = new Reading(payload, 'a text to be read');
    const served = this.#sessions.get(reading.u32());
    const number = reading.u32();
    const flags = reading.u8();
    if (served === undefined) return only(ANSWER.unknownSession);
    const settings = this.#settings(served, number, (flags & READ.settings) !== 0 ? reading : null);
    if (settings === null) return only(ANSWER.unknownSettings);
    // it outlives this message
    const text = Uint8Array.from(reading.rest());
    const statement = served.session.read(text, settings);
    return statement instanceof Promise ? statement.then((done) => this.#readAnswer(served, done)) : this.#readAnswer(served, statement);
  }

  decide(payload: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const reading = new Reading(payload, 'a question');
    const served = this.#sessions.get(reading.u32());
    const known = this.#statements.get(reading.u32());
    if (served === undefined) return only(ANSWER.unknownSession);
    if (known === undefined || known.owner !== served) return only(ANSWER.unknownStatement);
    const settingsNumber = reading.u32();
    const held = { judgement: reading.u48(), rewrite: reading.u48() };
    const action = ACTIONS[reading.u8()];
    const transaction = TRANSACTIONS[reading.u8()];
    const flags = reading.u8();
    const statementId = reading.ascii(reading.u8());
    if (action === undefined || transaction === undefined) throw new InterlockError('CHANNEL_PROTOCOL', 'an action or a transaction that is none');
    const settings = this.#settings(served, settingsNumber, (flags & ASKED.settings) !== 0 ? reading : null);
    if (settings === null) return only(ANSWER.unknownSettings);
    const { statement } = known;
    const params = (flags & ASKED.params) !== 0 ? PARAMS.read(reading.piece(this.#options.limits.paramsBytes)).params : null;
    if ((flags & ASKED.hasParams) !== 0 && params === null && statement.readsParams) return only(ANSWER.paramsNeeded);
    const moment: Moment = {
      action,
      statementId,
      transaction,
      settings,
      params: (flags & ASKED.hasParams) === 0 ? null : (): readonly Param[] => paramsOf(params),
      ...((flags & ASKED.approval) !== 0 && { approval: APPROVAL.read(reading.piece(APPROVAL_BYTES)) }),
    };
    reading.done();
    const decided = served.session.decide(statement, moment);
    return decided instanceof Promise ? decided.then((done) => this.#answer(known, done, held)) : this.#answer(known, decided, held);
  }

  end(number: number): void {
    const served = this.#sessions.get(number);
    if (served === undefined) return;
    this.#sessions.delete(number);
    for (const statement of served.statements) this.#forget(statement);
    served.session.close();
  }

  close(): void {
    this.#closed = true;
    for (const { session } of this.#sessions.values()) session.close();
    this.#sessions.clear();
    this.#statements.clear();
  }

  /** @param reading where their definition follows; null: they were told before. null: they were not */
  #settings(served: Served, number: number, reading: Reading | null): Readonly<Record<string, string>> | null {
    if (reading === null) return served.settings.get(number) ?? null;
    const { limits } = this.#options;
    const { settings } = SETTINGS.read(reading.piece(limits.settingsBytes));
    // the enforcer tells again what is forgotten here
    if (served.settings.size >= limits.settingsPerSession) served.settings.clear();
    served.settings.set(number, settings);
    return settings;
  }

  #readAnswer(served: Served, statement: Statement): Uint8Array {
    const number = ++this.#lastStatement;
    const digest = hash('sha256', statement.text, 'hex');
    this.#keep(number, { owner: served, statement, digest: `sha256:${digest}` });
    const facts = factsBytes(statement.facts);
    const answer = Buffer.allocUnsafe(5 + DIGEST_BYTES + facts.length);
    answer.writeUInt32BE(number);
    answer[4] = statement.readsParams ? READ.readsParams : 0;
    answer.write(digest, 5, 'hex');
    answer.set(facts, 5 + DIGEST_BYTES);
    return answer;
  }

  #keep(number: number, known: Known): void {
    const { limits } = this.#options;
    this.#statements.set(number, known);
    known.owner.statements.add(number);
    this.#textBytes += known.statement.text.length;
    if (known.owner.statements.size > limits.statementsPerSession) this.#forget(first(known.owner.statements));
    while (this.#statements.size > limits.statementsPerConnection || this.#textBytes > limits.textBytesPerConnection) {
      this.#forget(first(this.#statements.keys()));
    }
  }

  #forget(number: number): void {
    const known = this.#statements.get(number);
    if (known === undefined) return;
    this.#statements.delete(number);
    known.owner.statements.delete(number);
    this.#textBytes -= known.statement.text.length;
  }

  #answer(known: Known, decided: Decided, held: { readonly judgement: number; readonly rewrite: number }): Uint8Array {
    const { decision, judgement, rewrite, cached, judgedUs } = decided;
    if (decision.binding.payload !== known.digest) throw new InterlockError('INTERNAL', 'a decision on other bytes');
    const judged = judgementBytes(judgement);
    const rewritten = rewrite === null ? NO_REWRITE : rewriteBytes(rewrite);
    const tellsJudgement = judged.number !== held.judgement;
    const tellsRewrite = rewrite !== null && rewritten.number !== held.rewrite;
    const id = decision.decision_id;
    const head = DECIDED.id + 1 + id.length;
    const size = head + (tellsJudgement ? judged.bytes.length : 0) + (tellsRewrite ? rewritten.bytes.length : 0);
    const answer = Buffer.allocUnsafe(size);
    answer[DECIDED.answer] = ANSWER.decided;
    answer[DECIDED.flags] =
      (cached ? TOLD.cached : 0) |
      (known.statement.readsParams ? TOLD.readsParams : 0) |
      (tellsJudgement ? TOLD.judgement : 0) |
      (rewrite === null ? 0 : TOLD.rewritten) |
      (tellsRewrite ? TOLD.rewrite : 0);
    answer.writeUInt32BE(Math.min(Math.max(0, Math.round(judgedUs)), U32), DECIDED.judgedUs);
    writeU48(answer, judged.number, DECIDED.judgement);
    writeU48(answer, rewritten.number, DECIDED.rewrite);
    answer.writeUInt32BE(this.#expiresInUs(decision.binding.expires_at), DECIDED.expiresInUs);
    answer.write(decision.binding.context.slice(PREFIX), DECIDED.context, 'hex');
    answer[DECIDED.id] = id.length;
    for (let index = 0; index < id.length; index++) answer[DECIDED.id + 1 + index] = id.charCodeAt(index);
    if (tellsJudgement) answer.set(judged.bytes, head);
    if (tellsRewrite) answer.set(rewritten.bytes, size - rewritten.bytes.length);
    return answer;
  }

  /** As a span: the enforcer's clock may be another. */
  #expiresInUs(expiresAt: string): number {
    const leftUs = Date.parse(expiresAt) * 1000 - this.#options.clock.wallUs();
    return Math.min(Math.max(0, Math.round(leftUs)), U32);
  }
}

const U32 = 0xffff_ffff;
const PREFIX = 'sha256:'.length;
const APPROVAL_BYTES = 65_536;
const NO_REWRITE = { number: 0, bytes: Buffer.alloc(0) };

const SETTINGS = form(
  { type: 'object', required: ['settings'], properties: { settings: { type: 'object', additionalProperties: { type: 'string' } } } } as const,
  'the settings of a session',
);
const PARAMS = form(
  { type: 'object', required: ['params'], properties: { params: { type: 'array', items: Param } } } as const,
  'the parameters of a statement',
);
const APPROVAL = form(ApprovalContext, 'an approval');

/** The service asks only where it reads them, and then they were sent. */
function paramsOf(params: readonly Param[] | null): readonly Param[] {
  if (params === null) throw new InterlockError('INTERNAL', 'parameters are read that policy was said not to read');
  return params;
}

/** What is asked again in another way. */
function only(answer: number): Uint8Array {
  return Uint8Array.of(answer);
}

interface Numbered {
  readonly number: number;
  readonly bytes: Buffer;
}

/** Numbers are the engine's, for as long as it runs: the same one for the same object, and never another's. */
const judgements = new WeakMap<Judgement, Numbered>();
const rewrites = new WeakMap<Rewrite, Numbered>();
const facts = new WeakMap<SqlFacts, Buffer>();
let lastNumber = 0;

function judgementBytes(judgement: Judgement): Numbered {
  let known = judgements.get(judgement);
  if (known === undefined) judgements.set(judgement, (known = numbered(piece(Buffer.from(JSON.stringify(judgement))))));
  return known;
}

function rewriteBytes(rewrite: Rewrite): Numbered {
  let known = rewrites.get(rewrite);
  if (known === undefined) rewrites.set(rewrite, (known = numbered(encodeRewrite(rewrite))));
  return known;
}

function numbered(bytes: Buffer): Numbered {
  return { number: ++lastNumber, bytes };
}

function factsBytes(of: SqlFacts): Buffer {
  let known = facts.get(of);
  if (known === undefined) facts.set(of, (known = Buffer.from(JSON.stringify(of))));
  return known;
}

function first(numbers: Iterable<number>): number {
  for (const number of numbers) return number;
  return 0;
}
