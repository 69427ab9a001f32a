/** Submissions by their `Idempotency-Key`: a repetition gets the same task, another body under the same key is refused. */
import type { Clock } from '#client/clock';
import { AUTHZEN_LIMITS, SUBMISSION_MS } from './limits.ts';

interface Submission {
  readonly body: string;
  readonly approvalId: string;
  readonly untilUs: number;
}

export class Submissions {
  readonly #clock: Clock;
  readonly #submissions = new Map<string, Submission>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param body its digest */
  find(point: string, key: string, body: string): { readonly approvalId: string; readonly same: boolean } | null {
    const found = this.#submissions.get(`${point}\n${key}`);
    if (!found || found.untilUs < this.#clock.wallUs()) return null;
    return { approvalId: found.approvalId, same: found.body === body };
  }

  add(point: string, key: string, body: string, approvalId: string): void {
    this.#submissions.set(`${point}\n${key}`, { body, approvalId, untilUs: this.#clock.wallUs() + SUBMISSION_MS * 1000 });
    if (this.#submissions.size > AUTHZEN_LIMITS.submissions) this.#submissions.delete(this.#submissions.keys().next().value ?? '');
  }
}
