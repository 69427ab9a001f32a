/** After changes were asked for: the next request of the same principal on the same target answers that one. */
import { type Clock, timestamp } from '#client/clock';
import { type Deadline, deadlineAfterRestart, deadlineIn, isPast, parseUs } from './deadline.ts';
import type { Entry } from './store.ts';

interface Expected {
  readonly approvalId: string;
  readonly session: string | null;
  readonly until: Deadline;
}

export class Followers {
  readonly #clock: Clock;
  readonly #rememberMs: number;
  readonly #max: number;
  readonly #expected = new Map<string, Expected>();
  /** The answer, by what it answers. */
  readonly #answers = new Map<string, string>();

  constructor(clock: Clock, rememberMs: number, max: number) {
    this.#clock = clock;
    this.#rememberMs = rememberMs;
    this.#max = max;
  }

  /** Changes were just asked for. */
  expect({ record }: Entry): void {
    this.#put(record.subject.id, record.target, {
      approvalId: record.approvalId,
      session: record.sessionId,
      until: deadlineIn(this.#clock, this.#rememberMs),
    });
  }

  /** What the journal tells, oldest first. */
  restore({ record }: Entry): void {
    if (record.follows !== null) this.answered(record.follows, record.approvalId, record.subject.id, record.target);
    if (record.state !== 'changes_requested') return;
    const end = timestamp(parseUs(record.settlements.at(-1)?.time ?? record.requestedAt) + this.#rememberMs * 1000);
    const until = deadlineAfterRestart(this.#clock, end, this.#rememberMs, 0);
    this.#put(record.subject.id, record.target, { approvalId: record.approvalId, session: record.sessionId, until });
  }

  /** The request that a new one answers: in the same session however late, else while it is remembered. */
  answers(principal: string, target: string, session: string): string | null {
    const expected = this.#expected.get(keyOf(principal, target));
    if (!expected || (expected.session !== session && isPast(this.#clock, expected.until))) return null;
    return expected.approvalId;
  }

  answered(approvalId: string, by: string, principal: string, target: string): void {
    if (this.#expected.get(keyOf(principal, target))?.approvalId === approvalId) this.#expected.delete(keyOf(principal, target));
    this.#answers.set(approvalId, by);
    bounded(this.#answers, this.#max);
  }

  followedBy(approvalId: string): string | null {
    return this.#answers.get(approvalId) ?? null;
  }

  #put(principal: string, target: string, expected: Expected): void {
    this.#expected.delete(keyOf(principal, target));
    this.#expected.set(keyOf(principal, target), expected);
    bounded(this.#expected, this.#max);
  }
}

function keyOf(principal: string, target: string): string {
  return JSON.stringify([principal, target]);
}

function bounded(map: Map<string, unknown>, max: number): void {
  for (const key of map.keys()) {
    if (map.size <= max) break;
    map.delete(key);
  }
}
