/** Engines over one stream in memory, with limits for tests. */
import type { ApprovalDraft } from '#client/approvals';
import type { Forged } from '#engine/approvals/approvals';
import { type Connection, fairWeather, type MemoryStream } from './memory-stream.ts';
import { type BookFrom, openSharedBook, type SharedBook } from './shared-books.ts';

export interface Seat extends SharedBook {
  readonly connection: Connection;
  /** What it left out, because no engine wrote it. */
  readonly forged: readonly Forged[];
}

const seats: Seat[] = [];

export async function openSeat(stream: MemoryStream, name: string, more: Pick<BookFrom, 'disk' | 'key'> = {}): Promise<Seat> {
  const connection = stream.connection(fairWeather);
  const forged: Forged[] = [];
  const limits = { retryMs: 1, cutOffMs: 20, commitMs: 1_000 };
  const seat = { ...(await openSharedBook({ name, stream: connection, limits, onForged: (one) => forged.push(one), ...more })), connection, forged };
  seats.push(seat);
  return seat;
}

/** After each test: of those that are open, none is left. */
export async function closeSeats(): Promise<void> {
  for (const { connection, book, ordered } of seats.splice(0)) {
    connection.end();
    book.close();
    await ordered.close();
  }
}

/** One use of an approval, by an enforcer of its own. */
export function useOf(asked: ApprovalDraft, nonce: string): Parameters<SharedBook['book']['consume']>[1] {
  return { statementId: `stm_${nonce}`, enforcer: `shop/${nonce}`, nonce: `non_${nonce}`, draft: asked };
}
