/** What the journal tells at a start: what was told and what not, within a bounded age. */
import type { Clock } from '#client/clock';
import { timestamp } from '#client/clock';
import type { DelegationView } from '#schemas/approval';
import type { Event } from '#schemas/event';

export type Sent = Extract<Event, { type: 'notification.sent' }>;

/** Something that happened and that somebody should hear of. Requests that are open are asked of the approvals instead. */
export type Happened =
  | { readonly about: 'settled' | 'glass_reviewed'; readonly approvalId: string; readonly outcome: string }
  | { readonly about: 'glass_broken'; readonly approvalId: string }
  | { readonly about: 'delegated'; readonly delegation: DelegationView };

export interface History {
  /** The last word on each message, oldest first. */
  readonly sent: ReadonlyMap<string, Sent>;
  readonly happened: readonly Happened[];
  /** Channels that were there before, as the journal names them; null: never any. */
  readonly channels: readonly string[] | null;
}

/** `admin.changed` with this `what` names the channels in `after`: a new one is not told what happened before it was there. */
export const CHANNELS = 'approvals.notify';

/** Sees every event once, oldest first, whoever reads them; keeps the newest of what matters. */
export class HistoryReader {
  readonly #since: string;
  readonly #keepMax: number;
  readonly #sent = new Map<string, Sent>();
  #happened: Happened[] = [];
  #channels: readonly string[] | null = null;
  /** Up to here it was seen; -1: nothing was. */
  seen = -1;

  constructor(clock: Clock, ageMsMax: number, keepMax: number) {
    this.#since = timestamp(clock.wallUs() - ageMsMax * 1000);
    this.#keepMax = keepMax;
  }

  get history(): History {
    return { sent: this.#sent, happened: this.#happened.slice(-this.#keepMax), channels: this.#channels };
  }

  see(event: Event): void {
    this.seen = event.seq;
    if (event.type === 'admin.changed' && event.what === CHANNELS) this.#channels = event.after?.split(' ') ?? [];
    if (event.type === 'notification.sent') this.#told(event);
    const one = event.time < this.#since ? null : happening(event);
    if (one === null) return;
    this.#happened.push(one);
    if (this.#happened.length > 2 * this.#keepMax) this.#happened = this.#happened.slice(-this.#keepMax);
  }

  #told(event: Sent): void {
    this.#sent.delete(event.notification_id);
    this.#sent.set(event.notification_id, event);
    if (this.#sent.size > this.#keepMax) this.#sent.delete(this.#sent.keys().next().value ?? '');
  }
}

function happening(event: Event): Happened | null {
  switch (event.type) {
    case 'approval.settled':
      return { about: 'settled', approvalId: event.approval_id, outcome: event.outcome };
    case 'approval.glass_broken':
      return { about: 'glass_broken', approvalId: event.approval_id };
    case 'approval.glass_reviewed':
      return { about: 'glass_reviewed', approvalId: event.approval_id, outcome: event.outcome };
    case 'delegation.opened': {
      const { delegation_id, from, to, starts, ends, reason } = event;
      return { about: 'delegated', delegation: { delegation_id, from: from.properties.login, to, starts, ends, reason, state: 'planned' } };
    }
    default:
      return null;
  }
}
