/** How statements end, seen where their enforcer writes it: the journal as enforcers get it, with an ear for the uses of approvals. */
import type { EventDraft, Journal, Position } from '#client/journal';
import type { ApprovalBook } from './parts.ts';
import type { StatementEnd } from './record.ts';

/** The same journal. What ends a statement that used an approval is told to the book once it is durable. */
export function tellingEnds(journal: Journal, book: Pick<ApprovalBook, 'runs' | 'ended'>): Journal {
  const heard = (event: EventDraft, position: Position): Position => {
    const end = endOf(event);
    if (end !== null && book.runs(end.statementId)) void tell(end, position);
    return position;
  };
  const tell = async (end: StatementEnd, position: Position): Promise<void> => {
    try {
      await journal.durable(position);
      book.ended(end);
    } catch {
      // A dead journal ends the gateway; after a restart the journal says `unknown`.
    }
  };
  return {
    append: (event) => heard(event, journal.append(event)),
    appendIf: (event, condition) => journal.appendIf(event, condition),
    durable: (position) => journal.durable(position),
    lastOf: (stream) => journal.lastOf(stream),
    digestOf: (payload) => journal.digestOf(payload),
    get fault() {
      return journal.fault;
    },
    onFault: (listener) => journal.onFault(listener),
  };
}

function endOf(event: EventDraft): StatementEnd | null {
  if (event.type !== 'statement.finished' && event.type !== 'statement.refused') return null;
  const { statement_id: statementId = '' } = event;
  if (event.type === 'statement.refused') return { statementId, outcome: 'aborted' };
  return { statementId, outcome: event.outcome, ...(event.rows !== undefined && { rows: event.rows }) };
}
