/** What was declined a short while ago, denied or to be changed: asking again is answered at once, in the reviewer's words. */
import type { Ticket } from '#client/approvals';
import type { Clock } from '#client/clock';
import { type Bound, changesKey, denialKey } from './binding.ts';
import { type Deadline, deadlineIn, isPast, parseUs } from './deadline.ts';
import type { Entry } from './store.ts';

export class Denials {
  readonly #clock: Clock;
  readonly #rememberMs: number;
  readonly #max: number;
  /** Tickets, not requests: a ticket does not hold the text. */
  readonly #byKey = new Map<string, { readonly ticket: Ticket; readonly until: Deadline }>();

  constructor(clock: Clock, rememberMs: number, max: number) {
    this.#clock = clock;
    this.#rememberMs = rememberMs;
    this.#max = max;
  }

  /** Just denied. */
  add(entry: Entry, ticket: Ticket): void {
    this.#put(entry, ticket, deadlineIn(this.#clock, this.#rememberMs));
  }

  /** Denied before the start: remembered for what is left of the time. */
  restore(entry: Entry, ticket: Ticket): void {
    const nowUs = this.#clock.wallUs();
    const endUs = parseUs(entry.record.settlements.at(-1)?.time ?? entry.record.requestedAt) + this.#rememberMs * 1000;
    const leftUs = Math.min(endUs - nowUs, this.#rememberMs * 1000);
    this.#put(entry, ticket, { wallUs: nowUs + leftUs, monotonicUs: this.#clock.monotonicUs() + leftUs });
  }

  find(bound: Bound): Ticket | null {
    if (this.#byKey.size === 0) return null;
    const found = [denialKey(bound), changesKey(bound)].map((key) => this.#byKey.get(key));
    return found.find((one) => one && !isPast(this.#clock, one.until))?.ticket ?? null;
  }

  forgetPast(): void {
    for (const [key, { until }] of this.#byKey) if (isPast(this.#clock, until)) this.#byKey.delete(key);
  }

  #put(entry: Entry, ticket: Ticket, until: Deadline): void {
    if (!entry.bound || isPast(this.#clock, until)) return;
    this.#byKey.set(entry.record.state === 'denied' ? denialKey(entry.bound) : changesKey(entry.bound), { ticket, until });
    for (const key of this.#byKey.keys()) {
      if (this.#byKey.size <= this.#max) break;
      this.#byKey.delete(key);
    }
  }
}
