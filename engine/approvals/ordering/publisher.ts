/** A change of this engine's on its way: planned, published, planned anew with what was faster, until it is known whether it stands. */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type Clock, timestamp } from '#client/clock';
import type { Payload } from '#client/journal';
import type { PayloadRef } from '#schemas/event';
import type { SharedJournal } from './follower.ts';
import type { LOG_LIMITS } from './limits.ts';
import { type Carried, type CarriedEvent, type ChangeMessage, encodeChange } from './message.ts';
import type { Proposed } from './parts.ts';
import { payloadsIn, stored } from './stored.ts';
import type { OrderedStream } from './stream.ts';
import type { Tags } from './tagging.ts';
import { unavailable, type Waiting } from './waiting.ts';

/** How far this engine is. */
export interface Place {
  /** Last sequence of each subject, as far as it was told. */
  readonly subjects: Map<string, number>;
  /** Last sequence that was told. */
  told: number;
  /** Counts the interruptions: what was planned before one is planned anew. */
  epoch: number;
  /** All that stood there when it was last resumed was told, and it follows. */
  live: boolean;
}

export interface PublisherParts {
  readonly stream: OrderedStream;
  readonly tags: Tags;
  /** The stream's name and birth. */
  readonly log: () => string;
  readonly journal: Pick<SharedJournal, 'carry'>;
  readonly clock: Clock;
  readonly engine: string;
  readonly place: Place;
  readonly limits: Readonly<Record<keyof typeof LOG_LIMITS, number>>;
  readonly waiting: Waiting;
  /** @throws InterlockError APPROVAL_UNAVAILABLE */
  readonly check: () => void;
  readonly catchUp: () => Promise<void>;
  /** What the stream holds is to be looked at anew. */
  readonly again: () => void;
}

/** A change that is under way. */
export interface Pending {
  readonly proposed: Proposed;
  readonly told: PromiseWithResolvers<void>;
  done: boolean;
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

export class Publisher {
  readonly #parts: PublisherParts;
  readonly #pending = new Map<string, Pending>();

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  pending(change: string): Pending | undefined {
    return this.#pending.get(change);
  }

  /** One at a time for each subject. */
  async commit(subject: string, plan: () => Proposed | null): Promise<void> {
    const { place, limits, check } = this.#parts;
    const until = performance.now() + limits.commitMs;
    for (let attempt = 0; attempt < limits.attemptsMax; attempt++) {
      check();
      const planned = await this.#planned(subject, plan, attempt === 0);
      if (planned === 'again') continue;
      if (planned === null) return;
      const { proposed, expected } = planned;
      const message = this.#messageOf(proposed);
      const pending: Pending = { proposed, told: Promise.withResolvers(), done: false };
      this.#pending.set(message.change, pending);
      try {
        if (await this.#send({ subject, message, pending, expected, until, epoch: place.epoch })) return;
      } finally {
        this.#pending.delete(message.change);
      }
    }
    throw unavailable('other engines were faster every time');
  }

  /** A first refusal may rest on what another engine has changed already: refused is refused once all that was there was seen. */
  async #planned(
    subject: string,
    plan: () => Proposed | null,
    first: boolean,
  ): Promise<{ readonly proposed: Proposed; readonly expected: Sending['expected'] } | 'again' | null> {
    const { place, catchUp } = this.#parts;
    const expected = { lastOfSubject: place.subjects.get(subject) ?? 0, last: place.told };
    try {
      const proposed = plan();
      return proposed && { proposed, expected };
    } catch (refusal) {
      if (!first) throw refusal;
      await catchUp();
      return 'again';
    }
  }

  /** Whether it stands; false: it does not, and what is there instead was told. The same message is sent again until it is known. */
  async #send(sending: Sending): Promise<boolean> {
    const { subject, message, pending, expected, until } = sending;
    const { stream, place, limits, tags, log } = this.#parts;
    const { lastOfSubject, last } = expected;
    const alone = pending.proposed.alone === true;
    const body = tags.write({ log: log(), subject }, { after: last, alone, body: encodeChange(message) });
    if (body.length > stream.bytesMax) throw unavailable(`it has ${body.length} bytes, and a message of the log holds ${stream.bytesMax}`);
    const condition = { id: message.change, lastOfSubject, ...(alone && { last }) };
    for (;;) {
      const published = await Promise.race([stream.publish(subject, body, condition), pending.told.promise]);
      if (pending.done || published === undefined) return true;
      if (published.kind === 'stored') {
        // told, and not done: it does not fit where it was put, and is planned anew
        await this.#until(() => pending.done || place.told >= published.seq, until);
        return pending.done;
      }
      if (published.kind === 'refused') {
        await this.#until(() => pending.done || place.told >= published.last, until);
        if (!pending.done && (place.subjects.get(subject) ?? 0) === lastOfSubject && place.told === last) await this.#reconcile(subject);
        return pending.done;
      }
      if (performance.now() > until) throw unavailable(published.reason);
      await Promise.race([wait(limits.retryMs), pending.told.promise]);
      if (sending.epoch === place.epoch && place.live) continue;
      // after an interruption it is not sent again: once all that is there was told it is known whether it stands, and else it is planned anew
      await this.#until(() => pending.done || place.live, until);
      return pending.done;
    }
  }

  async #until(met: () => boolean, until: number): Promise<void> {
    if (!met()) this.#parts.check();
    await this.#parts.waiting.until(met, until);
  }

  /** The stream says another position than is known here, and there is nothing new: the messages of the subject grew old, or were lost. */
  async #reconcile(subject: string): Promise<void> {
    const { stream, place, again } = this.#parts;
    const { first } = await stream.info();
    if ((place.subjects.get(subject) ?? 0) < first) place.subjects.delete(subject);
    else again();
  }

  #messageOf({ stream, drafts }: Proposed): ChangeMessage {
    const { engine, clock, journal } = this.#parts;
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
}
