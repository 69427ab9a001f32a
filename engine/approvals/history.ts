/** The requests as the journal tells them, with the bytes that a reviewer must see. */
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import type { PayloadRef } from '#schemas/event';
import { boundOfRecord } from './binding.ts';
import { deadlineAfterRestart, parseUs } from './deadline.ts';
import { type ApprovalRecord, fold, isLive } from './fold.ts';
import { type ApprovalJournal, type Entry, isApprovalEvent } from './store.ts';

export async function readHistory(options: { journal: ApprovalJournal; clock: Clock; log: Log; closedMax: number }): Promise<readonly Entry[]> {
  const { records, seen } = await foldAll(options.journal, options.closedMax);
  const seenUs = seen === '' ? 0 : parseUs(seen);
  const behindMs = Math.round((seenUs - options.clock.wallUs()) / 1000);
  if (behindMs > 1000) options.log.warn({ behind_ms: behindMs }, 'the wall clock stands before the last record: approvals end by the record’s time');
  const entries: Entry[] = [];
  for (const record of records) {
    if (record.fault !== null) options.log.error({ approval_id: record.approvalId, fault: record.fault }, 'approval history does not fit');
    entries.push(await entryOf(record, options.journal, options.clock, seenUs));
  }
  return entries;
}

async function foldAll(journal: ApprovalJournal, closedMax: number): Promise<{ records: Iterable<ApprovalRecord>; seen: string }> {
  const records = new Map<string, ApprovalRecord>();
  const closed = new Set<string>();
  let seen = '';
  for await (const event of journal.events()) {
    // Fixed width, UTC: the order of the strings is the order of the times.
    if (event.time > seen) seen = event.time;
    if (!isApprovalEvent(event)) continue;
    const record = fold(records.get(event.approval_id) ?? null, event);
    if (!record) continue;
    records.set(record.approvalId, record);
    if (isLive(record)) continue;
    closed.add(record.approvalId);
    for (const id of closed) {
      if (closed.size <= closedMax) break;
      closed.delete(id);
      records.delete(id);
    }
  }
  return { records: records.values(), seen };
}

async function entryOf(record: ApprovalRecord, journal: ApprovalJournal, clock: Clock, seenUs: number): Promise<Entry> {
  const payload = await bytesOf(journal, record.payload);
  const params = record.params && (await bytesOf(journal, record.params));
  const complete = payload !== null && (record.params === null || params !== null);
  const denial = record.verdicts.find((verdict) => verdict.outcome === 'deny');
  const comment = denial?.comment ? await bytesOf(journal, denial.comment) : null;
  return {
    record,
    bound: complete ? boundOfRecord(record.binding, payload, params) : null,
    comment: comment && new TextDecoder().decode(comment),
    deadline: endOf(record, clock, seenUs),
  };
}

/** Redacted bytes are other bytes: nobody may approve them, and nothing could be compared with them. */
async function bytesOf(journal: ApprovalJournal, ref: PayloadRef): Promise<Uint8Array | null> {
  const bytes = ref.form === 'clear' ? await journal.payload(ref) : null;
  return bytes?.length === ref.bytes ? bytes : null;
}

function endOf(record: ApprovalRecord, clock: Clock, seenUs: number): Entry['deadline'] {
  const granted = record.state === 'approved' && record.validUntil !== null;
  const end = granted ? (record.validUntil as string) : record.expiresAt;
  const lengthMs = granted ? record.requirement.valid_for_s * 1000 : (parseUs(record.expiresAt) - parseUs(record.requestedAt)) / 1000;
  return deadlineAfterRestart(clock, end, lengthMs, seenUs);
}
