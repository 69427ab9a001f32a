/** Looking at a request or a session, or around in everybody's record, is recorded before it is shown; looking again within ten minutes (a live refresh, a reload) is the same look. */
import type { Clock } from '#client/clock';
import type { Principal } from '#client/identity';
import { LIMITS, VIEW_AGAIN_MS } from './limits.ts';
import { Bounded } from './login/bounded.ts';
import type { ApiParts, Viewed } from './parts.ts';

export class Views {
  readonly #parts: Pick<ApiParts, 'viewed'>;
  readonly #seen: Bounded<true>;

  constructor(parts: Pick<ApiParts, 'viewed'>, clock: Clock) {
    this.#parts = parts;
    this.#seen = new Bounded(clock, LIMITS.viewsKept, VIEW_AGAIN_MS);
  }

  /** Durable when it resolves. */
  async record(by: Principal, what: Viewed): Promise<void> {
    const key = `${by.subject.id} ${'record' in what ? 'record' : 'approvalId' in what ? what.approvalId : what.sessionId}`;
    if (this.#seen.get(key) !== null) return;
    await this.#parts.viewed(by, what);
    this.#seen.put(key, true);
  }
}
