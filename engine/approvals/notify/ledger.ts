/** What became of each message: which ones were told, which are dead. The journal has it all; this is what a process remembers of it. */
import type { NotificationView } from '#schemas/notification';
import { type Delivery, viewOf } from './delivery.ts';
import type { Sent } from './history.ts';
import type { NotifyLimits } from './limits.ts';
import type { NotifyJournal } from './parts.ts';

export class Ledger {
  readonly #journal: NotifyJournal;
  readonly #limits: NotifyLimits;
  /** Messages that were told, or will be. */
  readonly #known = new Set<string>();
  /** Dead ones of this process, and outlines of those before. */
  readonly #dead = new Map<string, Delivery | Sent>();
  readonly #delivered = new Map<string, Delivery>();

  constructor(journal: NotifyJournal, limits: NotifyLimits) {
    this.#journal = journal;
    this.#limits = limits;
  }

  get deadCount(): number {
    return this.#dead.size;
  }

  /** True for a message that was not there before. */
  enter(id: string): boolean {
    if (this.#known.has(id)) return false;
    this.#known.add(id);
    if (this.#known.size > this.#limits.knownMax) this.#known.delete(this.#known.values().next().value ?? '');
    return true;
  }

  recall(sent: ReadonlyMap<string, Sent>): void {
    for (const [id, event] of sent) {
      this.enter(id);
      if (event.outcome === 'dead') keep(this.#dead, id, event, this.#limits.deadMax);
    }
  }

  /** One event for each message, those of a gathered one with its id. */
  ended(delivery: Delivery): void {
    const { channel, letter, members, state, tries, detail } = delivery;
    if (state === 'waiting') return;
    if (state === 'dead') keep(this.#dead, letter.id, delivery, this.#limits.deadMax);
    else keep(this.#delivered, letter.id, delivery, this.#limits.deliveredMax);
    if (this.#journal.fault) return;
    for (const { id, message, stage } of members) {
      const { about, fields } = message;
      this.#journal.append({
        type: 'notification.sent',
        notification_id: id,
        channel,
        about,
        ...(about === 'delegated' ? { delegation_id: fields.id } : { approval_id: fields.id }),
        ...(stage !== null && { stage }),
        outcome: state,
        tries,
        ...(detail !== null && { detail }),
        ...(id !== letter.id && { within: letter.id }),
      });
    }
  }

  dead(id: string): Delivery | Sent | null {
    return this.#dead.get(id) ?? null;
  }

  /** False: somebody else was faster. */
  takeDead(id: string): boolean {
    return this.#dead.delete(id);
  }

  list(): readonly NotificationView[] {
    const dead = [...this.#dead.values()].map((one) => ('letter' in one ? viewOf(one) : outlineOf(one)));
    return [...dead, ...[...this.#delivered.values()].map(viewOf)];
  }
}

function keep<T>(kept: Map<string, T>, id: string, one: T, keptMax: number): void {
  kept.set(id, one);
  if (kept.size > keptMax) kept.delete(kept.keys().next().value ?? '');
}

function outlineOf({ notification_id, channel, about, approval_id, stage, delegation_id, outcome, tries, time, detail }: Sent): NotificationView {
  return {
    notification_id,
    channel,
    about,
    ...(approval_id !== undefined && { approval_id }),
    ...(stage !== undefined && { stage }),
    ...(delegation_id !== undefined && { delegation_id }),
    state: outcome,
    tries,
    time,
    ...(detail !== undefined && { detail }),
  };
}
