/**
 * Sessions of agents against the registry: whoever may not be in any more is put out, here and elsewhere, within a second. Not told of each change and
 * trusted to be complete, but compared again and again while anybody may still be in with an old token: nobody slips in beside a removal.
 */
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import type { Subject } from '#schemas/decision-request';
import type { AgentRecord } from '#schemas/event-agent';
import { LIMITS } from './limits.ts';
import type { OpenSession, Sessions } from './parts.ts';

export interface SweepingOptions {
  readonly sessions: Sessions;
  /** undefined: no agent of this installation; null: removed. */
  readonly recordOf: (subject: Subject) => AgentRecord | null | undefined;
  /** Groups that a human had, and has no more. */
  readonly lostBy: (humanId: string) => readonly string[];
  /** As long as the longest token. */
  readonly tokenTtlMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Often for so long after a change; then now and then, for enforcers that could not be reached. */
const CLOSE_MS = 5_000;
const FAR_MS = 2_000;

export class Sweeping {
  readonly #options: SweepingOptions;
  #changedMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #running = false;
  #closed = false;

  constructor(options: SweepingOptions) {
    this.#options = options;
  }

  /** Somebody who was let in may not be in any more. */
  changed(): void {
    this.#changedMs = this.#nowMs();
    if (!this.#running) this.#again(0);
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #again(ms: number): void {
    if (this.#closed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#sweep(), ms).unref();
  }

  async #sweep(): Promise<void> {
    this.#running = true;
    try {
      const { sessions } = this.#options;
      const out = (await sessions.list()).filter((session) => !this.#mayStay(session));
      const ended = await Promise.allSettled(out.map(async ({ sessionId }) => sessions.terminate(sessionId)));
      if (ended.some(({ status }) => status === 'rejected')) this.#options.log.warn({}, 'a session of an agent that is out could not be ended yet');
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the sessions of agents could not be looked at; trying again');
    } finally {
      this.#running = false;
    }
    const sinceMs = this.#nowMs() - this.#changedMs;
    if (sinceMs < CLOSE_MS) this.#again(LIMITS.sweepMs);
    else if (sinceMs < this.#options.tokenTtlMs + LIMITS.toleranceMs) this.#again(FAR_MS);
  }

  #mayStay({ subject }: OpenSession): boolean {
    const record = this.#options.recordOf(subject);
    if (record === undefined) return true;
    const { targets = [], on_behalf_of: human, key } = subject.properties;
    if (record === null || key !== record.key_id) return false;
    const { owner } = record;
    const lost = human?.groups.some((group) =>
      human.id === owner.id ? owner.groups?.includes(group) !== true : this.#options.lostBy(human.id).includes(group),
    );
    return (
      lost !== true &&
      targets.every((target) => record.targets.includes(target)) &&
      subject.properties.groups.every((group) => record.groups.includes(group))
    );
  }

  #nowMs(): number {
    return this.#options.clock.monotonicUs() / 1000;
  }
}
