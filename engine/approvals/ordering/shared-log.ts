/**
 * Several engines: one stream that all of them follow (ADR 0018). A change is published on the condition that nothing else has happened on its
 * owner's subject, and is true once the follower has it back, in order, and this engine's own journal has it durably; whoever made it. An
 * acknowledgement alone says nothing.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type Clock, timestamp } from '#client/clock';
import type { Payload } from '#client/journal';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import type { Event, PayloadRef } from '#schemas/event';
import { parseUs } from '../deadline.ts';
import { Serial } from '../serial.ts';
import { type Claim, Engines } from './engines.ts';
import { Follower, type Received, type SharedJournal } from './follower.ts';
import { LOG_LIMITS } from './limits.ts';
import { kindOf } from './local-log.ts';
import { type Carried, type CarriedEvent, type ChangeMessage, encodeBye, encodeChange, encodeEnd } from './message.ts';
import type { Applied, FollowedLog, OrderedEvent, OrderedKind, Proposed, SharedEnd } from './parts.ts';
import { Past } from './past.ts';
import { decodePresence, encodePresence } from './presence.ts';
import { payloadsIn, stored } from './stored.ts';
import type { OrderedStream, StreamInfo } from './stream.ts';
import { unavailable, Waiting } from './waiting.ts';

export interface SharedLogOptions {
  readonly stream: OrderedStream;
  readonly journal: SharedJournal;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this engine, the same after a restart. */
  readonly engine: string;
  readonly limits?: Partial<Record<keyof typeof LOG_LIMITS, number>>;
}

export function openSharedLog(options: SharedLogOptions): FollowedLog {
  return new SharedLog(options);
}

/** A change of this engine's that is under way. */
interface Pending {
  readonly proposed: Proposed;
  readonly told: PromiseWithResolvers<void>;
  done: boolean;
}

class SharedLog implements FollowedLog {
  readonly shared = true;
  readonly #options: SharedLogOptions;
  readonly #limits: Readonly<Record<keyof typeof LOG_LIMITS, number>>;
  readonly #serial = new Serial();
  readonly #listeners = new Map<OrderedKind, (applied: Applied) => void>();
  readonly #endListeners: ((end: SharedEnd) => void)[] = [];
  readonly #troubleListeners: ((trouble: Error) => void)[] = [];
  readonly #past: Past;
  readonly #engines: Engines;
  readonly #follower: Follower;
  readonly #lost = Promise.withResolvers<Error>();
  readonly #started = Promise.withResolvers<void>();
  /** Last sequence of each subject, as far as it was told. */
  readonly #subjects = new Map<string, number>();
  readonly #changes = new Set<string>();
  readonly #pending = new Map<string, Pending>();
  readonly #waiting = new Waiting();
  /** Last sequence that was told. */
  #told = 0;
  #own: Claim = null;
  /** Whether others may take its word: what the stream forgot is closed. */
  #speaks = false;
  /** What stood in the stream when it was last resumed: it must be told before this engine takes part (again). */
  #boundary = 0;
  /** Counts the interruptions: what was planned before one is planned anew. */
  #epoch = 0;
  #live = false;
  #trouble: Error | null = new Error('the log of the engines was not read yet');
  #closed = false;
  #cutOff: NodeJS.Timeout | null = null;
  #presence: NodeJS.Timeout | null = null;
  #catching: Promise<void> | null = null;
  #catchingNext: Promise<void> | null = null;

  constructor(options: SharedLogOptions) {
    const { stream, journal, log, engine } = options;
    this.#options = options;
    this.#limits = { ...LOG_LIMITS, ...options.limits };
    this.#past = new Past(engine);
    this.#engines = new Engines(engine);
    this.#follower = new Follower({
      stream,
      journal,
      log,
      past: this.#past,
      limits: this.#limits,
      draftsOf: (change) => this.#pending.get(change)?.proposed.drafts ?? null,
      tell: (received) => this.#tell(received),
      resumed: (info) => this.#resumed(info),
      interrupted: () => this.#interrupted(),
      ended: (error) => this.#ended(error),
    });
    this.#started.promise.catch(() => {}); // who waits for the start is told
  }

  get trouble(): Error | null {
    return this.#trouble;
  }

  get lost(): Promise<Error> {
    return this.#lost.promise;
  }

  get forgotten(): ReadonlySet<string> {
    return this.#follower.forgotten;
  }

  onTrouble(listener: (trouble: Error) => void): void {
    this.#troubleListeners.push(listener);
  }

  follow(kind: OrderedKind, listener: (applied: Applied) => void): void {
    this.#listeners.set(kind, listener);
  }

  onEnd(listener: (end: SharedEnd) => void): void {
    this.#endListeners.push(listener);
  }

  remember(event: Event): void {
    this.#past.see(event);
  }

  start(): Promise<void> {
    this.#own = this.#past.own;
    this.#options.stream.hear((body) => this.#heard(body));
    this.#presence = setInterval(() => this.#say(), this.#limits.presenceMs).unref();
    this.#follower.start();
    return this.#started.promise;
  }

  speak(): void {
    this.#speaks = true;
    this.#say(true);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { stream, engine, clock } = this.#options;
    if (this.#presence) clearInterval(this.#presence);
    this.#calm();
    const bye = encodeBye({ engine, time: timestamp(clock.wallUs()) });
    if (this.#live && this.#speaks) await stream.publish(`${SUBJECT}.engines`, bye, { id: randomUUID() });
    await this.#follower.close();
    this.#fail(new InterlockError('DRAINING', 'the engine is shutting down'));
  }

  async commit(owner: string, plan: () => Proposed | null): Promise<void> {
    const subject = subjectOf(owner);
    await this.#serial.run(subject, () => this.#commit(subject, plan));
  }

  /** Whoever comes while it runs needs one that begins after they came; all of them the same. */
  async catchUp(): Promise<void> {
    this.#check();
    if (this.#catching) {
      this.#catchingNext ??= this.#catching.catch(() => {}).then(() => this.#catchUpNow());
      return this.#catchingNext;
    }
    return this.#catchUpNow();
  }

  whyIncomplete(position: number): string | null {
    if (this.#trouble) return this.#trouble.message;
    if (!this.#live) return 'the connection to the stream was lost a moment ago';
    if (position > this.#boundary) return null;
    return this.#engines.whyIncomplete(this.#nowMs(), (change) => this.#changes.has(change));
  }

  tellEnd(end: SharedEnd): void {
    const { stream, engine } = this.#options;
    // tells, decides nothing: nobody waits for it, and if it does not arrive a use is shown without an end
    void stream.publish(`${SUBJECT}.ends`, encodeEnd({ engine, end }), { id: randomUUID() });
  }

  async #commit(subject: string, plan: () => Proposed | null): Promise<void> {
    const until = performance.now() + this.#limits.commitMs;
    let seen = -1;
    for (let attempt = 0; attempt < this.#limits.attemptsMax; attempt++) {
      this.#check();
      const expected = { lastOfSubject: this.#subjects.get(subject) ?? 0, last: this.#told };
      let proposed: Proposed | null;
      try {
        proposed = plan();
      } catch (refusal) {
        // it may rest on what another engine has changed already: refused is refused once all that was there was seen
        if (this.#told === seen) throw refusal;
        await this.catchUp();
        seen = this.#told;
        continue;
      }
      if (proposed === null) return;
      const message = this.#messageOf(proposed);
      const pending: Pending = { proposed, told: Promise.withResolvers(), done: false };
      this.#pending.set(message.change, pending);
      try {
        if (await this.#send({ subject, message, pending, expected, until, epoch: this.#epoch })) return;
      } finally {
        this.#pending.delete(message.change);
      }
    }
    throw unavailable('other engines were faster every time');
  }

  /** Whether it stands; false: it does not, and what is there instead was told. The same message is sent again until it is known. */
  async #send(sending: Sending): Promise<boolean> {
    const { subject, message, pending, expected, until } = sending;
    const { stream } = this.#options;
    const body = encodeChange(message);
    if (body.length > stream.bytesMax) throw unavailable(`it has ${body.length} bytes, and a message of the log holds ${stream.bytesMax}`);
    const { lastOfSubject, last } = expected;
    const condition = { id: message.change, lastOfSubject, ...(pending.proposed.alone && { last }) };
    for (;;) {
      const published = await Promise.race([stream.publish(subject, body, condition), pending.told.promise]);
      if (pending.done || published === undefined) return true;
      if (published.kind === 'stored') {
        await this.#until(() => pending.done, until);
        return true;
      }
      if (published.kind === 'refused') {
        await this.#until(() => pending.done || this.#told >= published.last, until);
        if (!pending.done && (this.#subjects.get(subject) ?? 0) === lastOfSubject && this.#told === last) await this.#reconcile(subject);
        return pending.done;
      }
      if (performance.now() > until) throw unavailable(published.reason);
      await Promise.race([this.#pause(), pending.told.promise]);
      if (await this.#brokenOff(sending)) return pending.done;
    }
  }

  /** After an interruption it is not sent again: once all that is there was told it is known whether it stands, and else it is planned anew. */
  async #brokenOff({ epoch, until, pending }: Sending): Promise<boolean> {
    if (epoch === this.#epoch && this.#live) return false;
    await this.#until(() => pending.done || this.#live, until);
    return true;
  }

  /** The stream says another position than is known here, and there is nothing new: the messages of the subject grew old, or were lost. */
  async #reconcile(subject: string): Promise<void> {
    const { first } = await this.#options.stream.info();
    if ((this.#subjects.get(subject) ?? 0) < first) this.#subjects.delete(subject);
    else this.#follower.again();
  }

  #messageOf({ stream, drafts }: Proposed): ChangeMessage {
    const { engine, clock, journal } = this.#options;
    const carried = new Map(drafts.flatMap(payloadsIn).map((payload) => [payload, journal.carry(payload)] as const));
    const refOf = (payload: Payload): PayloadRef => {
      const { digest, length, clear } = carried.get(payload) as Carried;
      return { digest, bytes: length, form: clear ? 'clear' : 'absent' };
    };
    return {
      kind: 'change',
      change: `chg_${randomUUID()}`,
      engine,
      time: timestamp(clock.wallUs()),
      stream,
      events: drafts.map((draft) => stored(draft, refOf) as CarriedEvent),
      beside: new Map([...carried.values()].map((one) => [one.digest, one])),
    };
  }

  #tell({ seq, subject, message }: Received): void {
    this.#subjects.set(subject, seq);
    forgetOldest(this.#subjects, this.#limits.subjectsMax);
    this.#told = seq;
    switch (message.kind) {
      case 'bye':
        this.#engines.left(message.engine);
        break;
      case 'end':
        for (const listener of this.#endListeners) listener(message.end);
        break;
      case 'change':
        this.#changed(seq, message);
    }
    this.#progress();
  }

  #changed(seq: number, message: ChangeMessage): void {
    const { change, engine, stream, events, time, beside } = message;
    this.#changes.add(change);
    forgetOldest(this.#changes, this.#limits.changesMax);
    this.#engines.wrote(engine, parseUs(time) / 1000);
    const here = engine === this.#options.engine;
    if (here) this.#own = { log: this.#follower.log, seq, change };
    const pending = this.#pending.get(change);
    const bytes = new Map([...beside].flatMap(([digest, { clear }]): [string, Uint8Array][] => (clear ? [[digest, clear.bytes]] : [])));
    const told = events.map((event) => ({ ...event, seq, time }) as unknown as OrderedEvent);
    this.#listeners.get(kindOf(told))?.({ stream, events: told, bytes, proposed: pending?.proposed ?? null, here });
    if (!pending) return;
    pending.done = true;
    pending.told.resolve();
  }

  /** Somebody may wait for what was just told; all of it may have been told. */
  #progress(): void {
    if (!this.#live && this.#resumedAt === this.#epoch && this.#told >= this.#boundary && !this.#closed) {
      this.#live = true;
      this.#trouble = null;
      this.#calm();
      this.#past.forget();
      this.#started.resolve();
    }
    this.#waiting.look();
  }

  #resumedAt = -1;

  #resumed({ first, last }: StreamInfo): void {
    this.#boundary = last;
    this.#told = Math.max(this.#told, first - 1);
    this.#resumedAt = this.#epoch;
    this.#engines.interrupted();
    this.#say(true);
    this.#progress();
  }

  #interrupted(): void {
    this.#live = false;
    this.#epoch++;
    if (this.#closed || this.#trouble || this.#cutOff) return;
    this.#cutOff = setTimeout(() => {
      this.#cutOff = null;
      if (!this.#live) this.#fail(new Error('the stream that orders the approvals of all engines is not reachable'));
    }, this.#limits.cutOffMs).unref();
  }

  #ended(error: Error): void {
    this.#options.log.error({ err: error }, 'the log of the engines cannot be followed any more');
    this.#calm();
    this.#closed = true;
    this.#fail(error);
    this.#started.reject(error);
    this.#lost.resolve(error);
  }

  #calm(): void {
    if (this.#cutOff) clearTimeout(this.#cutOff);
    this.#cutOff = null;
  }

  #fail(trouble: Error): void {
    this.#trouble = trouble;
    this.#waiting.fail(unavailable(trouble.message, trouble));
    for (const listener of this.#troubleListeners) listener(trouble);
  }

  #check(): void {
    if (this.#trouble) throw unavailable(this.#trouble.message, this.#trouble);
  }

  #catchUpNow(): Promise<void> {
    this.#catchingNext = null;
    const mine = this.#tellAll().finally(() => {
      if (this.#catching === mine) this.#catching = null;
    });
    this.#catching = mine;
    return mine;
  }

  async #tellAll(): Promise<void> {
    const until = performance.now() + this.#limits.commitMs;
    const info = await this.#options.stream.info().catch((cause: unknown) => {
      throw unavailable('the stream does not answer', cause);
    });
    await this.#until(() => this.#told >= info.last, until);
  }

  async #until(met: () => boolean, until: number): Promise<void> {
    if (!met()) this.#check();
    await this.#waiting.until(met, until);
  }

  async #pause(): Promise<void> {
    await wait(this.#limits.retryMs);
  }

  #say(who: boolean = false): void {
    const { stream, engine } = this.#options;
    if (this.#speaks && stream.connected && !this.#closed) stream.say(encodePresence({ engine, claim: this.#own, who }));
  }

  #heard(body: Uint8Array): void {
    const said = decodePresence(body);
    if (!said || said.engine === this.#options.engine) return;
    const { engine, claim, who } = said;
    if (this.#resumedAt === this.#epoch && (claim === null || claim.log === this.#follower.log)) this.#engines.said(engine, claim, this.#nowMs());
    if (who) this.#say();
  }

  #nowMs(): number {
    return this.#options.clock.wallUs() / 1000;
  }
}

interface Sending {
  readonly subject: string;
  readonly message: ChangeMessage;
  readonly pending: Pending;
  readonly expected: { readonly lastOfSubject: number; readonly last: number };
  /** `performance.now()` */
  readonly until: number;
  readonly epoch: number;
}

/** Subjects are `approvals.<owner>`; an owner's name is nobody's business here. */
const SUBJECT = 'approvals';
const OWNER_DIGITS = 32;

function subjectOf(owner: string): string {
  return `${SUBJECT}.${createHash('sha256').update(owner).digest('hex').slice(0, OWNER_DIGITS)}`;
}

function forgetOldest(all: { keys(): IterableIterator<string>; delete(key: string): boolean; readonly size: number }, max: number): void {
  if (all.size > max) all.delete(all.keys().next().value as string);
}
