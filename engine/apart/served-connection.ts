/** The sessions and statements of one enforcer's connection, as the engine holds them. */
import { hash } from 'node:crypto';
import type { Clock } from '#client/clock';
import type { Decided, DecisionService, DecisionSession, Moment, SessionScope, Statement } from '#client/decision-service';
import { ApprovalContext, Usage } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import { Param } from '#schemas/sql-facts';
import type { DecisionLimits } from './decision-limits.ts';
import { ACTIONS, ANSWER, ASKED, DIGEST_BYTES, READ, Reading, TRANSACTIONS } from './decision-wire.ts';
import { encode, form } from './messages.ts';
import { decidedAnswer, factsBytes } from './served-answer.ts';

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
      ...((flags & ASKED.usage) !== 0 && { usage: USAGE.read(reading.piece(USAGE_BYTES)) }),
    };
    reading.done();
    const answer = (done: Decided): Uint8Array => decidedAnswer(known, done, held, this.#options.clock.wallUs());
    const decided = served.session.decide(statement, moment);
    return decided instanceof Promise ? decided.then((done) => answer(done)) : answer(decided);
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
}

const APPROVAL_BYTES = 65_536;
const USAGE_BYTES = 1_024;

const SETTINGS = form(
  { type: 'object', required: ['settings'], properties: { settings: { type: 'object', additionalProperties: { type: 'string' } } } } as const,
  'the settings of a session',
);
const PARAMS = form(
  { type: 'object', required: ['params'], properties: { params: { type: 'array', items: Param } } } as const,
  'the parameters of a statement',
);
const APPROVAL = form(ApprovalContext, 'an approval');
const USAGE = form(Usage, 'what an agent did');

/** The service asks only where it reads them, and then they were sent. */
function paramsOf(params: readonly Param[] | null): readonly Param[] {
  if (params === null) throw new InterlockError('INTERNAL', 'parameters are read that policy was said not to read');
  return params;
}

/** What is asked again in another way. */
function only(answer: number): Uint8Array {
  return Uint8Array.of(answer);
}

function first(numbers: Iterable<number>): number {
  for (const number of numbers) return number;
  return 0;
}
