/** Every look at a request or a session, or around in everybody's record, is recorded before it is shown. A page that refreshes itself while it is open goes on looking. */
import type { Clock } from '#client/clock';
import type { Principal } from '#client/identity';
import { LIMITS, VIEW_AGAIN_MS } from './limits.ts';
import { Bounded } from './login/bounded.ts';
import type { ApiParts, Viewed } from './parts.ts';

interface Look {
  readonly principal: Principal;
  /** Of a console page that is open and asks again. */
  readonly refreshes: boolean;
}

export class Views {
  readonly #parts: Pick<ApiParts, 'viewed'>;
  readonly #seen: Bounded<true>;

  constructor(parts: Pick<ApiParts, 'viewed'>, clock: Clock) {
    this.#parts = parts;
    this.#seen = new Bounded(clock, LIMITS.viewsKept, VIEW_AGAIN_MS);
  }

  /** Durable when it resolves. Whoever says that it is only a refresh, and did not look within ten minutes, looks. */
  async record({ principal: by, refreshes }: Look, what: Viewed): Promise<void> {
    const key = `${by.subject.id} ${'record' in what ? 'record' : 'approvalId' in what ? what.approvalId : what.sessionId}`;
    if (refreshes && this.#seen.get(key) !== null) return;
    await this.#parts.viewed(by, what);
    this.#seen.put(key, true);
  }
}
