/** The journal as those parts see it that fold what stands in it once, when they start. */
import type { Journal } from '#client/journal';
import type { Event } from '#schemas/event';
import type { FileJournal } from './journal/file-journal.ts';

export interface FoldedJournal extends Journal {
  /** Every durable event that is no session's and no statement's, but for the statements that used an approval; and the one with the latest time. */
  events(): AsyncIterable<Event>;
}

export function folding(journal: FileJournal): FoldedJournal {
  return {
    append: (event) => journal.append(event),
    appendIf: (event, condition) => journal.appendIf(event, condition),
    durable: (position) => journal.durable(position),
    lastOf: (stream) => journal.lastOf(stream),
    digestOf: (payload) => journal.digestOf(payload),
    onFault: (listener) => journal.onFault(listener),
    get fault() {
      return journal.fault;
    },
    events: () => journal.history(),
  };
}
