/** The requests as the journal tells them, with the bytes that a reviewer must see. */
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import type { PayloadRef } from '#schemas/event';
import { parseUs } from './deadline.ts';
import { entryOf, wordsNamed } from './entries.ts';
import { fold, isLive } from './fold.ts';
import type { FollowedLog } from './ordering/parts.ts';
import type { ApprovalRecord } from './record.ts';
import { type ApprovalJournal, type Entry, type Execution, isApprovalEvent, needsReview } from './store.ts';
import { Uses } from './uses.ts';

export interface Told {
  /** Oldest first. */
  readonly entries: readonly Entry[];
  /** When the journal last saw anything, as its clock stood. */
  readonly seenUs: number;
}

export async function readHistory(options: { journal: ApprovalJournal; clock: Clock; log: Log; closedMax: number }): Promise<Told> {
  const { records: kept, seen, uses } = await foldAll(options.journal, options.closedMax);
  const seenUs = seen === '' ? 0 : parseUs(seen);
  const behindMs = Math.round((seenUs - options.clock.wallUs()) / 1000);
  if (behindMs > 1000) options.log.warn({ behind_ms: behindMs }, 'the wall clock stands before the last record: approvals end by the record’s time');
  const bytes = await payloadsOf(kept, options.journal);
  for (const { approvalId, fault } of kept)
    if (fault !== null) options.log.error({ approval_id: approvalId, fault }, 'approval history does not fit');
  return { entries: kept.map((record) => entryOf(record, bytes, options.clock, seenUs, uses)), seenUs };
}

/** Where the log of all engines tells the requests, this engine's own journal tells what must not be forgotten of it, and how statements ended here. */
export async function readOwn(
  journal: Pick<ApprovalJournal, 'events'>,
  ordered: Pick<FollowedLog, 'remember'>,
): Promise<{ readonly seenUs: number; readonly uses: ReadonlyMap<string, Execution> }> {
  const uses = new Uses();
  let seen = '';
  for await (const event of journal.events()) {
    if (event.time > seen) seen = event.time;
    uses.note(event);
    ordered.remember(event);
  }
  return { seenUs: seen === '' ? 0 : parseUs(seen), uses: uses.ended() };
}

interface History {
  readonly records: readonly ApprovalRecord[];
  readonly seen: string;
  readonly uses: ReadonlyMap<string, Execution>;
}

/** Keeps what is live, what still needs a review, and the last of the rest. */
async function foldAll(journal: ApprovalJournal, closedMax: number): Promise<History> {
  const records = new Map<string, ApprovalRecord>();
  const closed = new Set<string>();
  const uses = new Uses();
  let seen = '';
  for await (const event of journal.events()) {
    // Fixed width, UTC: the order of the strings is the order of the times.
    if (event.time > seen) seen = event.time;
    uses.note(event);
    if (!isApprovalEvent(event)) continue;
    const record = fold(records.get(event.approval_id) ?? null, event);
    if (!record) continue;
    records.set(record.approvalId, record);
    if (isLive(record) || needsReview(record)) continue;
    closed.add(record.approvalId);
    for (const id of closed) {
      if (closed.size <= closedMax) break;
      closed.delete(id);
      uses.forget(records.get(id));
      records.delete(id);
    }
  }
  return { records: [...records.values()], seen, uses: uses.ended() };
}

type Bytes = ReadonlyMap<string, Uint8Array>;

async function payloadsOf(records: readonly ApprovalRecord[], journal: ApprovalJournal): Promise<Bytes> {
  if (journal.payloads) return journal.payloads(records.flatMap(payloadsNamed));
  const needed = records.filter(
    (record) => isLive(record) || needsReview(record) || record.state === 'denied' || record.state === 'changes_requested',
  );
  const found = new Map<string, Uint8Array>();
  for (const ref of needed.flatMap(payloadsNamed)) {
    const bytes = await journal.payload(ref);
    if (bytes) found.set(ref.digest, bytes);
  }
  return found;
}

/** Redacted or sealed bytes are other bytes: nobody may approve them, and nothing could be compared with them. */
function payloadsNamed(record: ApprovalRecord): PayloadRef[] {
  const refs = [record.payload, record.params, record.estimate?.plan, ...wordsNamed(record)];
  return refs.filter((ref) => ref !== null && ref !== undefined).filter((ref) => ref.form === 'clear');
}
