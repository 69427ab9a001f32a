/** Who is told that something durable happened to a request. */
import type { Log } from '#client/log';
import type { ApprovalChange } from './parts.ts';
import type { ApprovalEvent, ApprovalRecord } from './record.ts';

export class Listeners {
  readonly #listeners = new Set<(change: ApprovalChange) => void>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  add(listener: (change: ApprovalChange) => void): () => void {
    const mine = (change: ApprovalChange): void => listener(change);
    this.#listeners.add(mine);
    return () => void this.#listeners.delete(mine);
  }

  /** One change for each event; the events are durable, and the record is what they made of it. */
  tell(record: ApprovalRecord, events: readonly ApprovalEvent[], here: boolean): void {
    for (const event of events) {
      const about = ABOUT[event.type];
      if (about !== null)
        this.say({ approvalId: record.approvalId, about, state: record.state, here, ...('stage' in event && { stage: event.stage }) });
    }
  }

  say(change: ApprovalChange): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        // What happened has happened, whoever cannot bear to hear it.
        this.#log.error({ err: error, approval_id: change.approvalId }, 'a listener to the approvals failed');
      }
    }
  }
}

const ABOUT: Readonly<Record<ApprovalEvent['type'], ApprovalChange['about'] | null>> = {
  'approval.requested': 'requested',
  'approval.verdict': 'verdict',
  'approval.escalated': 'escalated',
  'approval.settled': 'settled',
  'approval.consumed': 'consumed',
  'approval.glass_broken': 'glass_broken',
  'approval.glass_reviewed': 'glass_reviewed',
  'approval.viewed': null,
};
