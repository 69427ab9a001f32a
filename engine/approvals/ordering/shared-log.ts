/**
 * Several engines: one stream that all of them follow (ADR 0018). A change is published on the condition that nothing else has happened on its
 * owner's subject, and is true once the follower has it back, in order, and this engine's own journal has it durably; whoever made it. An
 * acknowledgement alone says nothing.
 */
import { createHash } from 'node:crypto';
import { type Clock, timestamp } from '#client/clock';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import { parseUs } from '../deadline.ts';
import { Serial } from '../serial.ts';
import { type Claim, Engines, type LeftOut } from './engines.ts';
import { Follower, type Received, type SharedJournal } from './follower.ts';
import { LOG_LIMITS } from './limits.ts';
import { kindOf } from './local-log.ts';
import { type ChangeMessage, encodeBye, encodeEnd } from './message.ts';
import type { Applied, FollowedLog, OrderedEvent, OrderedKind, Proposed, SharedEnd } from './parts.ts';
import { Past } from './past.ts';
import { decodePresence, encodePresence } from './presence.ts';
import { type Place, Publisher } from './publisher.ts';
import { Remarks } from './remarks.ts';
import type { OrderedStream, StreamInfo } from './stream.ts';
import { Tags } from './tagging.ts';
import { unavailable, Waiting } from './waiting.ts';

export interface SharedLogOptions {
  readonly stream: OrderedStream;
  readonly journal: SharedJournal;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this engine, the same after a restart. */
  readonly engine: string;
  /** 32 bytes that all engines of the installation have, and nobody else. */
  readonly key: Uint8Array;
  /** A message stands in the stream that does not count, at the start too: no engine of this installation wrote it there. */
  readonly onForged?: (forged: Forged) => void;
  readonly limits?: Partial<Record<keyof typeof LOG_LIMITS, number>>;
}

export interface Forged {
  readonly seq: number;
  readonly subject: string;
  readonly why: string;
}

export function openSharedLog(options: SharedLogOptions): FollowedLog {
  return new SharedLog(options);
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
  readonly #place: Place = { subjects: new Map(), told: 0, epoch: 0, live: false };
  readonly #changes = new Set<string>();
  readonly #publisher: Publisher;
  readonly #remarks: Remarks;
  /** Newest last. */
  #leftOut: readonly number[] = [];
  readonly #waiting = new Waiting();
  #own: Claim = null;
  /** Whether others may take its word: what the stream forgot is closed. */
  #speaks = false;
  /** What was there at the start has been told. */
  #begun = false;
  /** What stood in the stream when it was last resumed: it must be told before this engine takes part (again). */
  #boundary = 0;
  /** Grants up to here stood there when something acknowledged may have been lost: they serve again when all were heard. */
  #doubtful = 0;
  #keeper: string | null = null;
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
    const tags = new Tags(options.key);
    const common = { stream, tags, limits: this.#limits, place: this.#place, waiting: this.#waiting, log: () => this.#follower.log };
    this.#remarks = new Remarks(common);
    this.#follower = new Follower({
      stream,
      tags,
      journal,
      log,
      past: this.#past,
      limits: this.#limits,
      draftsOf: (change) => this.#publisher.pending(change)?.proposed.drafts ?? null,
      tell: (received) => this.#tell(received),
      resumed: (info) => this.#resumed(info),
      interrupted: () => this.#interrupted(),
      ended: (error) => this.#ended(error),
    });
    this.#publisher = new Publisher({
      ...common,
      journal,
      engine,
      clock: options.clock,
      check: () => this.#check(),
      catchUp: () => this.catchUp(),
      again: () => this.#follower.again(),
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
    this.#say();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { engine, clock } = this.#options;
    if (this.#presence) clearInterval(this.#presence);
    this.#calm();
    const bye = encodeBye({ engine, time: timestamp(clock.wallUs()) });
    if (this.#place.live && this.#speaks) await this.#remarks.write(`${SUBJECT}.engines.${engine}`, bye);
    await this.#follower.close();
    this.#fail(new InterlockError('DRAINING', 'the engine is shutting down'));
  }

  async commit(owner: string, plan: () => Proposed | null): Promise<void> {
    const subject = subjectOf(owner);
    await this.#serial.run(subject, () => this.#publisher.commit(subject, plan));
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
    if (!this.#place.live) return 'the connection to the stream was lost a moment ago';
    if (position > this.#doubtful) return null;
    return this.#engines.whyIncomplete({
      nowMs: this.#nowMs(),
      position,
      leftOut: this.#whatWasLeftOut(),
      knows: (change) => this.#changes.has(change),
    });
  }

  tellEnd(end: SharedEnd): void {
    const { engine } = this.#options;
    // tells, decides nothing: nobody waits for it, and if it does not arrive a use is shown without an end
    void this.#remarks.write(`${SUBJECT}.ends.${engine}`, encodeEnd({ engine, end }));
  }

  #tell({ seq, subject, message, misfit }: Received): void {
    this.#place.subjects.set(subject, seq);
    forgetOldest(this.#place.subjects, this.#limits.subjectsMax);
    this.#place.told = seq;
    switch (message?.kind) {
      case undefined:
        this.#leaveOut(seq, subject, misfit);
        break;
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

  /**
   * It counts for nothing, and it has a place: whoever writes next expects it. What stood there for others may have been a use, so a grant from before it is used
   * when all say that they left it out too.
   */
  #leaveOut(seq: number, subject: string, why: string | null): void {
    this.#leftOut = [...this.#leftOut, seq].slice(-LOG_LIMITS.leftOutMax);
    if (why === null) return;
    const { log, onForged } = this.#options;
    log.error({ seq, subject, why }, 'a message of the log was left out: no engine of this installation wrote it there');
    onForged?.({ seq, subject, why });
    if (!this.#begun) return; // all that was there is doubtful as it is
    this.#doubtful = seq;
    this.#engines.interrupted();
    this.#say();
  }

  #whatWasLeftOut(): LeftOut {
    return { from: this.#follower.from, seqs: this.#leftOut };
  }

  #changed(seq: number, message: ChangeMessage): void {
    const { change, engine, stream, events, time, beside } = message;
    this.#changes.add(change);
    forgetOldest(this.#changes, this.#limits.changesMax);
    this.#engines.wrote(engine, parseUs(time) / 1000);
    const here = engine === this.#options.engine;
    if (here) this.#own = { log: this.#follower.log, seq, change };
    const pending = this.#publisher.pending(change);
    const bytes = new Map([...beside].flatMap(([digest, { clear }]): [string, Uint8Array][] => (clear ? [[digest, clear.bytes]] : [])));
    const told = events.map((event) => ({ ...event, seq, time }) as unknown as OrderedEvent);
    this.#listeners.get(kindOf(told))?.({ stream, events: told, bytes, proposed: pending?.proposed ?? null, here, past: !this.#begun });
    if (!pending) return;
    pending.done = true;
    pending.told.resolve();
  }

  /** Somebody may wait for what was just told; all of it may have been told. */
  #progress(): void {
    if (!this.#place.live && this.#resumedAt === this.#place.epoch && this.#place.told >= this.#boundary && !this.#closed) {
      this.#place.live = true;
      this.#trouble = null;
      this.#calm();
      this.#past.forget();
      this.#begun = true;
      this.#started.resolve();
    }
    this.#waiting.look();
  }

  #resumedAt = -1;

  #resumed({ first, last, keeper }: StreamInfo): void {
    this.#boundary = last;
    // a consumer that was slow, or another connection to the same leader, loses nothing
    const kept = this.#begun && keeper !== null && keeper === this.#keeper;
    this.#keeper = keeper;
    this.#place.told = Math.max(this.#place.told, first - 1);
    this.#resumedAt = this.#place.epoch;
    if (!kept) {
      this.#doubtful = last;
      this.#engines.interrupted();
    }
    this.#say();
    this.#progress();
  }

  #interrupted(): void {
    this.#place.live = false;
    this.#place.epoch++;
    if (this.#closed || this.#trouble || this.#cutOff) return;
    this.#cutOff = setTimeout(() => {
      this.#cutOff = null;
      if (!this.#place.live) this.#fail(new Error('the stream that orders the approvals of all engines is not reachable'));
    }, this.#limits.cutOffMs).unref();
  }

  #ended(error: Error): void {
    this.#options.log.error({ err: error }, 'the log of the engines cannot be followed any more');
    this.#calm();
    this.#closed = true;
    this.#fail(error);
    this.#started.reject(error.cause instanceof InterlockError ? error.cause : error);
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
    await this.#waiting.until(() => this.#place.told >= info.last, until);
  }

  #say(): void {
    const { stream, engine } = this.#options;
    if (!this.#speaks || !stream.connected || this.#closed) return;
    const { own: ask, others: heard } = this.#engines.asks;
    stream.say(encodePresence({ engine, claim: this.#own, leftOut: this.#whatWasLeftOut(), ask, heard }));
  }

  #heard(body: Uint8Array): void {
    const { engine: me } = this.#options;
    const said = decodePresence(body, me);
    if (!said || said.engine === me) return;
    const { engine, claim, ask } = said;
    const isNew = this.#engines.asked(engine, ask);
    if (this.#resumedAt === this.#place.epoch && (claim === null || claim.log === this.#follower.log))
      this.#engines.said(engine, said, this.#nowMs());
    if (isNew) this.#say();
  }

  #nowMs(): number {
    return this.#options.clock.wallUs() / 1000;
  }
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
