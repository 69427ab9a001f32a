/** What the journal tells at a start: what was told and what not, within a bounded age. */
import type { Clock } from '#client/clock';
import { timestamp } from '#client/clock';
import type { DelegationView } from '#schemas/approval';
import type { Event } from '#schemas/event';
import type { NotifyJournal } from './parts.ts';

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

/** @param keepMax of both lists, the newest */
export async function readHistory(journal: NotifyJournal, clock: Clock, ageMsMax: number, keepMax: number): Promise<History> {
  const since = timestamp(clock.wallUs() - ageMsMax * 1000);
  const sent = new Map<string, Sent>();
  const happened: Happened[] = [];
  let channels: readonly string[] | null = null;
  for await (const event of journal.events()) {
    if (event.type === 'admin.changed' && event.what === CHANNELS) channels = event.after?.split(' ') ?? [];
    if (event.type === 'notification.sent') {
      sent.delete(event.notification_id);
      sent.set(event.notification_id, event);
      if (sent.size > keepMax) sent.delete(sent.keys().next().value ?? '');
    }
    const one = event.time < since ? null : happening(event);
    if (one !== null) happened.push(one);
    if (happened.length > 2 * keepMax) happened.splice(0, keepMax);
  }
  return { sent, happened: happened.slice(-keepMax), channels };
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
