/** One client session that the engine judges. Its statements and settings are told once to each engine that it comes to. */
import type { Clock } from '#client/clock';
import type { Decided, DecisionSession, Moment, SessionScope } from '#client/decision-service';
import { Decision } from '#schemas/decision';
import { InterlockError } from '#schemas/errors';
import { DECISION_LIMITS } from './decision-limits.ts';
import { DIGEST_BYTES, METHOD, READ } from './decision-wire.ts';
import { encode, form } from './messages.ts';
import type { RemoteConnection } from './remote-connection.ts';
import { type Place, SettingNumbers } from './remote-place.ts';
import { decodeAnswer, encodeQuestion, holdingOf, notDecided, type NotDecided, settingsPiece } from './remote-question.ts';
import { type FactsPool, KnownTexts, RemoteStatement, textDigest } from './remote-statement.ts';
import { within } from './remote-within.ts';

/** What a session needs of the service. */
export interface SessionHome {
  readonly clock: Clock;
  readonly facts: FactsPool;
  /** Another number after each catalog: what was read before may read otherwise now. */
  readonly generation: number;
  /** The connection that is asked now; null: there is none. */
  readonly connection: RemoteConnection | null;
  /** Rejects ENGINE_UNAVAILABLE. */
  connected(untilUs: number): Promise<RemoteConnection>;
}

/** A question is asked again in another way, or of another engine, at most so often; the deadline is for all of them together. */
const ATTEMPTS = 5;

export class RemoteSession implements DecisionSession {
  readonly #service: SessionHome;
  readonly #scope: SessionScope;
  readonly #texts = new KnownTexts();
  #generation: number;
  #opening: Decision | null = null;
  #place: Place | null = null;
  #opened: { readonly connection: RemoteConnection; readonly place: Promise<Place> } | null = null;
  #closed = false;

  constructor(service: SessionHome, scope: SessionScope) {
    this.#service = service;
    this.#scope = scope;
    this.#generation = service.generation;
  }

  /** Before anything else. */
  async start(untilUs: number): Promise<void> {
    await this.#placed(untilUs);
  }

  get opening(): Decision {
    if (this.#opening === null) throw new InterlockError('INTERNAL', 'the session was not opened');
    return this.#opening;
  }

  read(text: Uint8Array, settings: Readonly<Record<string, string>>): RemoteStatement | Promise<RemoteStatement> {
    if (this.#generation !== this.#service.generation) {
      this.#generation = this.#service.generation;
      this.#texts.clear();
    }
    return this.#texts.get(settings, text) ?? this.#read(text, settings);
  }

  /** Rejects with an InterlockError for any trouble: the caller refuses the statement. */
  decide(statement: RemoteStatement, moment: Moment): Promise<Decided> {
    const askedUs = this.#service.clock.monotonicUs();
    const untilUs = askedUs + DECISION_LIMITS.answerMs * 1000;
    const place = this.#place;
    if (place === null || !this.#stands(place) || statement.place !== place) return this.#decideAgain(statement, moment, untilUs, null);
    return this.#ask(place, statement, moment, askedUs, untilUs).then(
      (decided) => (typeof decided === 'string' ? this.#decideAgain(statement, moment, untilUs, decided) : decided),
      (error: unknown) => {
        if (!this.#isLost(error, place)) throw error;
        return this.#decideAgain(statement, moment, untilUs, null);
      },
    );
  }

  close(): void {
    this.#closed = true;
    const place = this.#place;
    this.#place = null;
    if (place === null || place.channel.ended) return;
    // it ends with the connection anyway
    place.channel.call(METHOD.close, u32(place.session), { deadlineMs: DECISION_LIMITS.answerMs }).catch(() => {});
  }

  #stands(place: Place): boolean {
    return this.#service.connection?.channel === place.channel;
  }

  /** A question changes nothing, so it may be asked twice. */
  #isLost(error: unknown, place: Place): boolean {
    return place.channel.ended !== null && error instanceof InterlockError && error.code === 'ENGINE_UNAVAILABLE';
  }

  async #decideAgain(statement: RemoteStatement, moment: Moment, untilUs: number, why: NotDecided | null): Promise<Decided> {
    let reason = why;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      this.#prepare(statement, reason);
      const place = await this.#placed(untilUs);
      try {
        if (statement.place !== place) reason = await this.#readAgain(statement, moment.settings, place, untilUs);
        if (reason !== null && statement.place !== place) continue;
        const decided = await this.#ask(place, statement, moment, this.#service.clock.monotonicUs(), untilUs);
        if (typeof decided !== 'string') return decided;
        reason = decided;
      } catch (error) {
        if (!this.#isLost(error, place)) throw error;
        reason = null;
      }
    }
    throw new InterlockError('ENGINE_UNAVAILABLE', `the engine did not decide: ${reason ?? 'the connection was lost again and again'}`);
  }

  /** What the engine no longer knows is told again. */
  #prepare(statement: RemoteStatement | null, why: NotDecided | null): void {
    switch (why) {
      case null:
        return;
      case 'paramsNeeded':
        if (statement) statement.readsParams = true;
        return;
      case 'unknownSettings':
        this.#place?.settings.clear();
        return;
      case 'unknownStatement':
        if (statement) statement.place = null;
        return;
      case 'unknownSession':
        this.#place = null;
        this.#opened = null;
    }
  }

  async #ask(place: Place, statement: RemoteStatement, moment: Moment, askedUs: number, untilUs: number): Promise<Decided | NotDecided> {
    const holding = holdingOf(statement, place, moment);
    const question = encodeQuestion(statement, place, moment, holding);
    const answer = await this.#call(place, METHOD.decide, question, untilUs - askedUs);
    return decodeAnswer(answer, { statement, place, moment, holding }, { clock: this.#service.clock, askedUs });
  }

  /** An engine that was late again and again is not waited for. */
  async #call({ channel, breaker }: Place, method: string, question: Uint8Array, leftUs: number): Promise<Uint8Array> {
    const { clock } = this.#service;
    if (!breaker.closed && !breaker.lets(clock.monotonicUs())) {
      throw new InterlockError('ENGINE_UNAVAILABLE', 'the engine does not answer in time; it is tried again in a moment');
    }
    try {
      const answer = await channel.call(method, question, { deadlineMs: leftUs / 1000 });
      if (!breaker.closed) breaker.answered();
      return answer;
    } catch (error) {
      const late = channel.ended === null && error instanceof InterlockError && error.code === 'ENGINE_UNAVAILABLE';
      if (late) breaker.late(clock.monotonicUs());
      else breaker.answered();
      throw error;
    }
  }

  async #read(text: Uint8Array, settings: Readonly<Record<string, string>>): Promise<RemoteStatement> {
    const untilUs = this.#service.clock.monotonicUs() + DECISION_LIMITS.answerMs * 1000;
    const digest = textDigest(text);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const place = await this.#placed(untilUs);
      const generation = this.#generation;
      try {
        const found = await this.#readAt(place, text, digest, settings, untilUs);
        if (typeof found === 'string') {
          this.#prepare(null, found);
          continue;
        }
        const { number, readsParams, facts } = found;
        const statement = new RemoteStatement(text, this.#service.facts.of(facts), digest, place, number, readsParams);
        if (generation === this.#service.generation) this.#texts.put(settings, statement);
        return statement;
      } catch (error) {
        if (!this.#isLost(error, place)) throw error;
      }
    }
    throw new InterlockError('ENGINE_UNAVAILABLE', 'the engine did not read the text: the connection was lost again and again');
  }

  /** The engine knows it no more, or it is another engine. What it reads must be what was read, or the decision would be on something else. */
  async #readAgain(statement: RemoteStatement, settings: Moment['settings'], place: Place, untilUs: number): Promise<NotDecided | null> {
    const read = await this.#readAt(place, statement.text, statement.digest, settings, untilUs);
    if (typeof read === 'string') return read;
    const { number, readsParams, facts } = read;
    const found = this.#service.facts.of(facts);
    if (found !== statement.facts && JSON.stringify(found) !== JSON.stringify(statement.facts)) {
      throw new InterlockError('PREPARED_STALE', 'the statement now reads otherwise than when it was prepared');
    }
    statement.place = place;
    statement.number = number;
    statement.readsParams = readsParams;
    return null;
  }

  async #readAt(
    place: Place,
    text: Uint8Array,
    digest: string,
    settings: Readonly<Record<string, string>>,
    untilUs: number,
  ): Promise<{ number: number; readsParams: boolean; facts: Buffer } | NotDecided> {
    const leftUs = (): number => untilUs - this.#service.clock.monotonicUs();
    const learned = this.#service.connection?.learned() ?? null;
    if (learned) await within(learned, leftUs());
    const head = Buffer.alloc(9);
    head.writeUInt32BE(place.session);
    const known = place.settings.of(settings);
    head.writeUInt32BE(known === 0 ? place.settings.next(settings) : known, 4);
    head[8] = known === 0 ? READ.settings : 0;
    const question = Buffer.concat(known === 0 ? [head, settingsPiece(settings), text] : [head, text]);
    const bytes = Buffer.from(await this.#call(place, METHOD.read, question, leftUs()));
    if (bytes.length === 1) return notDecided(bytes[0] as number);
    if (bytes.length < 5 + DIGEST_BYTES) throw new InterlockError('ANSWER_REFUSED', 'an answer that is not of its form');
    // what the engine read must be this text, and nothing else
    if (`sha256:${bytes.toString('hex', 5, 5 + DIGEST_BYTES)}` !== digest) throw new InterlockError('ANSWER_REFUSED', 'the engine read another text');
    const flags = bytes[4] as number;
    return { number: bytes.readUInt32BE(0), readsParams: (flags & READ.readsParams) !== 0, facts: bytes.subarray(5 + DIGEST_BYTES) };
  }

  /** This session at the engine that is connected now. */
  async #placed(untilUs: number): Promise<Place> {
    if (this.#closed) throw new InterlockError('CANCELLED', 'the session is closed');
    const place = this.#place;
    if (place !== null && this.#stands(place)) return place;
    const connection = await this.#service.connected(untilUs);
    if (this.#opened?.connection !== connection) {
      const opened = { connection, place: this.#open(connection, untilUs) };
      this.#opened = opened;
      opened.place.catch(() => {
        if (this.#opened === opened) this.#opened = null; // the next one tries again
      });
    }
    this.#place = await within(this.#opened.place, untilUs - this.#service.clock.monotonicUs());
    return this.#place;
  }

  async #open({ channel, shared, breaker }: RemoteConnection, untilUs: number): Promise<Place> {
    const deadlineMs = (untilUs - this.#service.clock.monotonicUs()) / 1000;
    const { session, opening } = OPENED.read(await channel.call(METHOD.open, encode({ scope: this.#scope }), { deadlineMs }));
    // a session that stands is not opened anew by going to another engine
    this.#opening ??= opening;
    return { channel, session, shared, settings: new SettingNumbers(), breaker, last: [null, null] };
  }
}

const OPENED = form(
  { type: 'object', required: ['session', 'opening'], properties: { session: { type: 'integer', minimum: 1 }, opening: Decision } } as const,
  'the opening of a session',
);

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
