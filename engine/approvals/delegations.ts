/** One human decides in another's place for a while. A fold over `delegation.*`; who counts because of it is chain.ts'. */
import { type Clock, timestamp } from '#client/clock';
import type { Principal } from '#client/identity';
import type { Ids } from '#client/ids';
import type { DelegationView } from '#schemas/approval';
import type { Subject } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import type { DelegationOpened, Event } from '#schemas/event';
import { named, sharesIdentity } from './chain.ts';
import { type Deadline, isPast, parseUs } from './deadline.ts';
import { LOG_LIMITS } from './ordering/limits.ts';
import { type LocalJournal, LocalLog } from './ordering/local-log.ts';
import type { Applied, DelegationEvent, OrderedLog } from './ordering/parts.ts';
import { Serial } from './serial.ts';
import { checkToken } from './verdict.ts';
import type { Delegation, World } from './world.ts';

/** Every bound, with its unit. */
export const DELEGATION_LIMITS = {
  /** In force or planned. */
  perHumanMax: 5,
  liveMax: 10_000,
  daysMax: 90,
  aheadDaysMax: 365,
  reasonCharsMax: 500,
  nameCharsMax: 512,
  /** Those that `list` still knows; the journal has all. */
  endedMax: 1_000,
} as const;

export interface DelegationAsk {
  /** Login or subject id of another human. */
  readonly to: string;
  /** RFC 3339; what is past means now. */
  readonly starts: string;
  readonly ends: string;
  readonly reason: string;
}

export interface DelegationsOptions {
  readonly journal: LocalJournal;
  /** Where other engines write too. Absent: the journal alone says who was first. */
  readonly ordered?: OrderedLog;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Links of accounts: nobody delegates to themselves. */
  readonly world: () => Pick<World, 'personsOf'>;
  /** A service account or agent that is known under this name. */
  readonly isProgram: (name: string) => boolean;
}

interface Held extends Delegation {
  readonly starts: string;
  readonly ends: string;
  readonly reason: string;
  /** Both clocks must say that it began; either ends it. */
  readonly start: Deadline;
  readonly end: Deadline;
  readonly last: number;
  readonly ended: boolean;
}

export class Delegations {
  readonly #options: DelegationsOptions;
  readonly #ordered: OrderedLog;
  readonly #serial = new Serial();
  /** The last thing that the journal had seen at the start. */
  #seenUs = 0;
  readonly #held = new Map<string, Held>();
  /** Until when `list` is right; null: something changed. */
  #inForce: { readonly list: readonly Delegation[]; readonly fromUs: number; readonly until: Deadline } | null = null;
  readonly #listeners = new Set<(delegationId: string, here: boolean) => void>();

  constructor(options: DelegationsOptions) {
    this.#options = options;
    this.#ordered = options.ordered ?? new LocalLog(options.journal, options.clock);
    this.#ordered.follow('delegation', (applied) => this.#apply(applied));
  }

  /** What the journal tells, oldest first, before anything else is asked. */
  async restore(events: AsyncIterable<Event>): Promise<void> {
    for await (const _event of this.restoring(events));
  }

  /** The same while somebody else reads them: to read a long journal twice is to start twice as slowly. Read to the end. */
  async *restoring(events: AsyncIterable<Event>): AsyncGenerator<Event> {
    let seen = '';
    const opened: (Event & DelegationOpened)[] = [];
    const ended = new Map<string, number>();
    for await (const event of events) {
      if (event.time > seen) seen = event.time;
      if (event.type === 'delegation.opened') opened.push(event);
      else if (event.type === 'delegation.ended') ended.set(event.delegation_id, event.seq);
      yield event;
    }
    this.#seenUs = seen === '' ? 0 : parseUs(seen);
    // where other engines write too, their log tells
    if (this.#ordered.shared) return;
    for (const event of opened) {
      const endedAt = ended.get(event.delegation_id);
      this.#put(event, { last: endedAt ?? event.seq, ended: endedAt !== undefined }, this.#seenUs);
    }
    this.#forget();
  }

  /**
   * Durable when it resolves.
   * @throws InterlockError VERDICT_TOKEN, DELEGATION_REFUSED, USAGE
   */
  async open(by: Principal, ask: DelegationAsk): Promise<DelegationView> {
    const { clock, ids } = this.#options;
    checkToken(by, clock);
    const from = by.subject;
    const times = this.#timesOf(ask);
    const reason = ask.reason.trim();
    const delegationId = ids.next('del');
    const event = { type: 'delegation.opened', delegation_id: delegationId, from, to: ask.to, ...times, reason, subject: from.id } as const;
    // one after the other: two at once would each not count the other
    await this.#serial.run(from.id, () =>
      this.#ordered.commit(from.id, () => {
        this.#check(from, ask.to, reason);
        return { stream: delegationId, expectedLast: -1, drafts: [event] };
      }),
    );
    return this.#viewOf(this.#held.get(delegationId) as Held);
  }

  /**
   * By whoever gave it. Ended once is ended. Durable when it resolves.
   * @throws InterlockError VERDICT_TOKEN, DELEGATION_NOT_FOUND
   */
  async end(delegationId: string, by: Principal): Promise<DelegationView> {
    checkToken(by, this.#options.clock);
    if (!this.#held.has(delegationId)) await this.#ordered.catchUp();
    const own = (): Held => {
      const held = this.#held.get(delegationId);
      if (held && held.from.id === by.subject.id) return held;
      throw new InterlockError('DELEGATION_NOT_FOUND', `there is no delegation ${delegationId.slice(0, 64)} of yours`);
    };
    const event = { type: 'delegation.ended', delegation_id: delegationId, by: by.subject.properties.login, subject: by.subject.id } as const;
    await this.#ordered.commit(by.subject.id, () => {
      const held = own();
      if (held.ended) return null;
      // at once, not when it is durable: this only takes away
      this.#set({ ...held, ended: true });
      return { stream: delegationId, expectedLast: held.last, drafts: [event] };
    });
    return this.#viewOf(own());
  }

  /** Newest first; those from or to this principal, or all. */
  list(of?: Subject): readonly DelegationView[] {
    const names = of && [of.id, of.properties.login];
    return [...this.#held.values()]
      .filter(({ from, to }) => !of || !names || from.id === of.id || names.includes(to))
      .toReversed()
      .map((held) => this.#viewOf(held));
  }

  /** The same list until something begins or ends: it is asked for with every world. */
  inForce(): readonly Delegation[] {
    const { clock } = this.#options;
    const [wallUs, monotonicUs] = [clock.wallUs(), clock.monotonicUs()];
    const known = this.#inForce;
    if (known && wallUs >= known.fromUs && wallUs < known.until.wallUs && monotonicUs < known.until.monotonicUs) return known.list;
    const live = [...this.#held.values()].filter((held) => this.#stateOf(held) !== 'ended');
    const list = live.filter((held) => this.#stateOf(held) === 'in_force');
    const ahead = live.flatMap(({ start, end }) => [start, end]);
    const next = (of: keyof Deadline, nowUs: number): number => Math.min(...ahead.map((one) => one[of]).filter((us) => us > nowUs), Infinity);
    this.#inForce = { list, fromUs: wallUs, until: { wallUs: next('wallUs', wallUs), monotonicUs: next('monotonicUs', monotonicUs) } };
    return list;
  }

  /** Told after the change is durable, and whether it was made through this engine, just now; the answer ends it. */
  onChange(listener: (delegationId: string, here: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #timesOf({ starts, ends }: DelegationAsk): { readonly starts: string; readonly ends: string } {
    const nowUs = this.#options.clock.wallUs();
    const startUs = Math.max(nowUs, timeUs(starts, 'starts'));
    const endUs = timeUs(ends, 'ends');
    const { daysMax, aheadDaysMax } = DELEGATION_LIMITS;
    if (!(endUs > startUs)) throw refused('it ends before it begins');
    if (endUs - startUs > daysMax * DAY_US) throw refused(`it is longer than ${daysMax} days`);
    if (startUs - nowUs > aheadDaysMax * DAY_US) throw refused(`it begins more than ${aheadDaysMax} days from now`);
    const { delegationDaysMax } = LOG_LIMITS;
    if (this.#ordered.shared && endUs - nowUs > delegationDaysMax * DAY_US)
      throw refused(`with several engines it ends at most ${delegationDaysMax} days from now`);
    return { starts: timestamp(startUs), ends: timestamp(endUs) };
  }

  #check(from: Subject, to: string, reason: string): void {
    const { reasonCharsMax, nameCharsMax, perHumanMax, liveMax } = DELEGATION_LIMITS;
    if (reason === '' || reason.length > reasonCharsMax)
      throw new InterlockError('USAGE', `a delegation has a reason of at most ${reasonCharsMax} characters`);
    if (to === '' || to.length > nameCharsMax || /[\p{C}\p{Z}]/u.test(to))
      throw new InterlockError('USAGE', 'a delegation is to a login or a subject’s id');
    if (sharesIdentity(from, named(to), { ...NOBODY, ...this.#options.world() })) throw refused('you cannot delegate to yourself');
    if (this.#options.isProgram(to)) throw refused('only a human can stand in for a human');
    const live = [...this.#held.values()].filter((held) => this.#stateOf(held) !== 'ended');
    if (live.filter((held) => held.from.id === from.id).length >= perHumanMax) throw refused(`you have ${perHumanMax} in force or planned already`);
    if (live.length >= liveMax) throw refused('there are too many in force');
  }

  #put(event: DelegationOpened, at: Pick<Held, 'last' | 'ended'>, seenUs: number): void {
    const { delegation_id: delegationId, from, to, starts, ends, reason } = event;
    const held = { delegationId, from, to, starts, ends, reason, start: this.#deadline(starts, seenUs), end: this.#deadline(ends, seenUs), ...at };
    this.#set(held);
  }

  #set(held: Held): void {
    this.#held.set(held.delegationId, held);
    this.#inForce = null;
  }

  /** The monotonic clock from what is left by the wall clock, or by the last thing that the journal has seen. */
  #deadline(time: string, seenUs: number): Deadline {
    const { clock } = this.#options;
    const wallUs = parseUs(time);
    return { wallUs, monotonicUs: clock.monotonicUs() + wallUs - Math.max(clock.wallUs(), seenUs) };
  }

  #apply({ stream, events, proposed, past }: Applied): void {
    for (const event of events as readonly DelegationEvent[]) {
      if (event.type === 'delegation.opened') this.#put(event, { last: event.seq, ended: false }, past ? this.#seenUs : 0);
      else this.#end(stream, event.seq);
    }
    this.#forget();
    for (const listener of this.#listeners) listener(stream, proposed !== null);
  }

  #end(delegationId: string, last: number): void {
    const held = this.#held.get(delegationId);
    if (held) this.#set({ ...held, last, ended: true });
  }

  #forget(): void {
    const ended = [...this.#held.values()].filter((held) => this.#stateOf(held) === 'ended');
    for (const { delegationId } of ended.slice(0, Math.max(0, ended.length - DELEGATION_LIMITS.endedMax))) this.#held.delete(delegationId);
  }

  #stateOf({ start, end, ended }: Held): DelegationView['state'] {
    const { clock } = this.#options;
    if (ended || isPast(clock, end)) return 'ended';
    const begun = clock.wallUs() >= start.wallUs && clock.monotonicUs() >= start.monotonicUs;
    return begun ? 'in_force' : 'planned';
  }

  #viewOf(held: Held): DelegationView {
    const { delegationId, from, to, starts, ends, reason } = held;
    return { delegation_id: delegationId, from: from.properties.login, to, starts, ends, reason, state: this.#stateOf(held) };
  }
}

const DAY_US = 86_400_000_000;
const NOBODY: World = { groupsOf: () => [], resolve: () => null, delegations: [], personsOf: () => [] };
const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})$/;

/** @throws InterlockError USAGE */
function timeUs(text: string, name: string): number {
  const us = RFC3339.test(text) ? parseUs(text) : Number.NaN;
  if (Number.isFinite(us)) return us;
  throw new InterlockError('USAGE', `\`${name}\` is a time such as 2026-03-01T08:00:00Z`);
}

function refused(why: string): InterlockError {
  return new InterlockError('DELEGATION_REFUSED', `this delegation is not possible: ${why}`);
}
