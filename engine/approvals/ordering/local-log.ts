/** One engine: the journal's own compare-and-append. */
import { timestamp, type Clock } from '#client/clock';
import type { Payload } from '#client/journal';
import { InterlockError } from '#schemas/errors';
import type { Event, PayloadRef } from '#schemas/event';
import type { ApprovalJournal } from '../store.ts';
import type { Applied, OrderedEvent, OrderedKind, OrderedLog, Proposed } from './parts.ts';
import { payloadsIn, stored } from './stored.ts';

/** Another writer on the stream is met at most this often before we give up. */
const ATTEMPTS_MAX = 3;

/** What is ordered by the journal needs no history of it beside writing: `events` only to see what another writer did. */
export type LocalJournal = Pick<ApprovalJournal, 'appendIf' | 'durable' | 'lastOf' | 'digestOf'> & Partial<Pick<ApprovalJournal, 'events'>>;

export class LocalLog implements OrderedLog {
  readonly shared = false;
  readonly trouble = null;
  readonly #journal: LocalJournal;
  readonly #clock: Clock;
  readonly #listeners = new Map<OrderedKind, (applied: Applied) => void>();

  constructor(journal: LocalJournal, clock: Clock) {
    this.#journal = journal;
    this.#clock = clock;
  }

  follow(kind: OrderedKind, listener: (applied: Applied) => void): void {
    this.#listeners.set(kind, listener);
  }

  async commit(_owner: string, plan: () => Proposed | null): Promise<void> {
    let stream = '';
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const proposed = plan();
      if (proposed === null) return;
      ({ stream } = proposed);
      const events = this.#place(proposed);
      if (events !== null) {
        await this.#journal.durable((events.at(-1) as OrderedEvent).seq);
        const bytes = new Map(proposed.drafts.flatMap(payloadsIn).map((payload): [string, Uint8Array] => [this.#digestOf(payload), payload.bytes]));
        return this.#tell({ stream, events, bytes, proposed, here: true, past: false });
      }
      if (proposed.expectedLast < 0) throw new InterlockError('APPROVAL_UNAVAILABLE', `${stream} exists already`);
      await this.#refresh(proposed);
    }
    throw new InterlockError('APPROVAL_UNAVAILABLE', `${stream} is being changed by others`);
  }

  /** Nobody else writes: there is nothing to wait for, nothing that could be missing, and nobody to tell. */
  onTrouble(): void {}

  catchUp(): Promise<void> {
    return Promise.resolve();
  }

  whyIncomplete(): null {
    return null;
  }

  tellEnd(): void {}

  onEnd(): void {}

  #place({ stream, expectedLast, drafts }: Proposed): readonly OrderedEvent[] | null {
    let last = expectedLast;
    const events: OrderedEvent[] = [];
    for (const draft of drafts) {
      const position = this.#journal.appendIf(draft, { stream, expectedLast: last });
      if (position === null) return null;
      // as a reader will see it; its time may differ by the microseconds between the two calls
      events.push({ ...stored(draft, (payload) => this.#refOf(payload)), seq: position, time: timestamp(this.#clock.wallUs()) } as OrderedEvent);
      last = position;
    }
    return events;
  }

  /** Somebody else wrote on this stream (never within one engine): take what the journal says. */
  async #refresh({ stream, expectedLast }: Proposed): Promise<void> {
    await this.#journal.durable(this.#journal.lastOf(stream));
    const news: OrderedEvent[] = [];
    for await (const event of this.#journal.events?.() ?? []) {
      if (event.seq > expectedLast && event.type !== 'approval.viewed' && streamOf(event) === stream) news.push(event as OrderedEvent);
    }
    if (news.length === 0) throw new InterlockError('APPROVAL_UNAVAILABLE', `the journal does not know ${stream}`);
    this.#tell({ stream, events: news, bytes: new Map(), proposed: null, here: true, past: false });
  }

  #tell(applied: Applied): void {
    this.#listeners.get(kindOf(applied.events))?.(applied);
  }

  #digestOf(payload: Payload): string {
    return this.#journal.digestOf(payload);
  }

  #refOf(payload: Payload): PayloadRef {
    return { digest: this.#digestOf(payload), bytes: payload.bytes.length, form: 'clear' };
  }
}

export function kindOf([first]: readonly OrderedEvent[]): OrderedKind {
  return (first?.type.split('.', 1)[0] ?? 'approval') as OrderedKind;
}

function streamOf(event: Event): string | undefined {
  if (event.type.startsWith('approval.') && 'approval_id' in event) return event.approval_id;
  return event.type.startsWith('delegation.') && 'delegation_id' in event ? event.delegation_id : undefined;
}
