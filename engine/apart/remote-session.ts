/** One client session that the engine judges. Its statements and settings are told once to each engine that it comes to. */
import type { Clock } from '#client/clock';
import type { Decided, DecisionSession, Moment, SessionScope } from '#client/decision-service';
import type { Decision } from '#schemas/decision';
import { InterlockError } from '#schemas/errors';
import { Deadline } from './deadline.ts';
import { DECISION_LIMITS } from './decision-limits.ts';
import { DIGEST_BYTES, METHOD, READ } from './decision-wire.ts';
import { type Connections, Placement } from './placement.ts';
import type { Place } from './remote-place.ts';
import { decodeAnswer, encodeQuestion, holdingOf, notDecided, type NotDecided, settingsPiece } from './remote-question.ts';
import { type FactsPool, KnownTexts, RemoteStatement, textDigest } from './remote-statement.ts';

/** What a session needs of the service. */
export interface SessionHome extends Connections {
  readonly clock: Clock;
  readonly facts: FactsPool;
  /** Another number after each catalog: what was read before may read otherwise now. */
  readonly generation: number;
}

/** A question is asked again in another way, or of another engine, at most so often; the deadline is for all of them together. */
const ATTEMPTS = 5;

export class RemoteSession implements DecisionSession {
  readonly #service: SessionHome;
  readonly #placement: Placement;
  readonly #texts = new KnownTexts();
  #generation: number;

  constructor(service: SessionHome, scope: SessionScope) {
    this.#service = service;
    this.#placement = new Placement(service, scope);
    this.#generation = service.generation;
  }

  /** Before anything else. */
  async start(): Promise<void> {
    await this.#placement.placed(this.#deadline());
  }

  get opening(): Decision {
    return this.#placement.opening;
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
    const deadline = this.#deadline();
    const { now: place } = this.#placement;
    if (place === null || statement.place !== place) return this.#decideAgain(statement, moment, deadline, null);
    return this.#ask(place, statement, moment, deadline).then(
      (decided) => (typeof decided === 'string' ? this.#decideAgain(statement, moment, deadline, decided) : decided),
      (error: unknown) => {
        if (!isLost(error, place)) throw error;
        return this.#decideAgain(statement, moment, deadline, null);
      },
    );
  }

  close(): void {
    this.#placement.close();
  }

  #deadline(): Deadline {
    return new Deadline(this.#service.clock, DECISION_LIMITS.answerMs);
  }

  async #decideAgain(statement: RemoteStatement, moment: Moment, deadline: Deadline, why: NotDecided | null): Promise<Decided> {
    let reason = why;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      this.#prepare(statement, reason);
      const place = await this.#placement.placed(deadline);
      try {
        if (statement.place !== place) reason = await this.#readAgain(statement, moment.settings, place, deadline);
        if (reason !== null && statement.place !== place) continue;
        const decided = await this.#ask(place, statement, moment, deadline);
        if (typeof decided !== 'string') return decided;
        reason = decided;
      } catch (error) {
        if (!isLost(error, place)) throw error;
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
        this.#placement.now?.settings.clear();
        return;
      case 'unknownStatement':
        if (statement) statement.place = null;
        return;
      case 'unknownSession':
        this.#placement.forget();
    }
  }

  async #ask(place: Place, statement: RemoteStatement, moment: Moment, deadline: Deadline): Promise<Decided | NotDecided> {
    const askedUs = this.#service.clock.monotonicUs();
    const holding = holdingOf(statement, place, moment);
    const question = encodeQuestion(statement, place, moment, holding);
    const answer = await this.#call(place, METHOD.decide, question, deadline);
    return decodeAnswer(answer, { statement, place, moment, holding }, { clock: this.#service.clock, askedUs });
  }

  /** An engine that was late again and again is not waited for. */
  async #call({ channel, breaker }: Place, method: string, question: Uint8Array, deadline: Deadline): Promise<Uint8Array> {
    const { clock } = this.#service;
    if (!breaker.closed && !breaker.lets(clock.monotonicUs())) {
      throw new InterlockError('ENGINE_UNAVAILABLE', 'the engine does not answer in time; it is tried again in a moment');
    }
    try {
      const answer = await channel.call(method, question, { deadlineMs: deadline.leftMs });
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
    const deadline = this.#deadline();
    const digest = textDigest(text);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const place = await this.#placement.placed(deadline);
      const generation = this.#generation;
      try {
        const found = await this.#readAt(place, text, digest, settings, deadline);
        if (typeof found === 'string') {
          this.#prepare(null, found);
          continue;
        }
        const { number, readsParams, facts } = found;
        const statement = new RemoteStatement(text, this.#service.facts.of(facts), digest, place, number, readsParams);
        if (generation === this.#service.generation) this.#texts.put(settings, statement);
        return statement;
      } catch (error) {
        if (!isLost(error, place)) throw error;
      }
    }
    throw new InterlockError('ENGINE_UNAVAILABLE', 'the engine did not read the text: the connection was lost again and again');
  }

  /** The engine knows it no more, or it is another engine. What it reads must be what was read, or the decision would be on something else. */
  async #readAgain(statement: RemoteStatement, settings: Moment['settings'], place: Place, deadline: Deadline): Promise<NotDecided | null> {
    const read = await this.#readAt(place, statement.text, statement.digest, settings, deadline);
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
    deadline: Deadline,
  ): Promise<{ number: number; readsParams: boolean; facts: Buffer } | NotDecided> {
    const learned = this.#service.connection?.learned() ?? null;
    // as where a catalog is read from the target: it is waited for, and that is not the engine's time to answer
    if (learned) await deadline.besides(learned, DECISION_LIMITS.learnWaitMs);
    const head = Buffer.alloc(9);
    head.writeUInt32BE(place.session);
    const known = place.settings.of(settings);
    head.writeUInt32BE(known === 0 ? place.settings.next(settings) : known, 4);
    head[8] = known === 0 ? READ.settings : 0;
    const question = Buffer.concat(known === 0 ? [head, settingsPiece(settings), text] : [head, text]);
    const bytes = Buffer.from(await this.#call(place, METHOD.read, question, deadline));
    if (bytes.length === 1) return notDecided(bytes[0] as number);
    if (bytes.length < 5 + DIGEST_BYTES) throw new InterlockError('ANSWER_REFUSED', 'an answer that is not of its form');
    // what the engine read must be this text, and nothing else
    if (`sha256:${bytes.toString('hex', 5, 5 + DIGEST_BYTES)}` !== digest) throw new InterlockError('ANSWER_REFUSED', 'the engine read another text');
    const flags = bytes[4] as number;
    return { number: bytes.readUInt32BE(0), readsParams: (flags & READ.readsParams) !== 0, facts: bytes.subarray(5 + DIGEST_BYTES) };
  }
}

/** A question changes nothing, so it may be asked twice. */
function isLost(error: unknown, place: Place): boolean {
  return place.channel.ended !== null && error instanceof InterlockError && error.code === 'ENGINE_UNAVAILABLE';
}
