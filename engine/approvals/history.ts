/** The requests as the journal tells them, with the bytes that a reviewer must see. */
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import type { PayloadRef } from '#schemas/event';
import { boundOfRecord } from './binding.ts';
import { deadlineAfterRestart, parseUs } from './deadline.ts';
import { fold, isLive } from './fold.ts';
import type { ApprovalRecord } from './record.ts';
import { type ApprovalJournal, type Entry, isApprovalEvent } from './store.ts';

export async function readHistory(options: { journal: ApprovalJournal; clock: Clock; log: Log; closedMax: number }): Promise<readonly Entry[]> {
  const { records, seen } = await foldAll(options.journal, options.closedMax);
  const seenUs = seen === '' ? 0 : parseUs(seen);
  const behindMs = Math.round((seenUs - options.clock.wallUs()) / 1000);
  if (behindMs > 1000) options.log.warn({ behind_ms: behindMs }, 'the wall clock stands before the last record: approvals end by the record’s time');
  const kept = [...records];
  const bytes = await payloadsOf(kept, options.journal);
  for (const { approvalId, fault } of kept)
    if (fault !== null) options.log.error({ approval_id: approvalId, fault }, 'approval history does not fit');
  return kept.map((record) => entryOf(record, bytes, options.clock, seenUs));
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

type Bytes = ReadonlyMap<string, Uint8Array>;

async function payloadsOf(records: readonly ApprovalRecord[], journal: ApprovalJournal): Promise<Bytes> {
  if (journal.payloads) return journal.payloads(records.flatMap(payloadsNamed));
  const needed = records.filter((record) => isLive(record) || record.state === 'denied').flatMap(payloadsNamed);
  const found = new Map<string, Uint8Array>();
  for (const ref of needed) {
    const bytes = await journal.payload(ref);
    if (bytes) found.set(ref.digest, bytes);
  }
  return found;
}

/** Redacted or sealed bytes are other bytes: nobody may approve them, and nothing could be compared with them. */
function payloadsNamed(record: ApprovalRecord): PayloadRef[] {
  const refs = [record.payload, record.params, denialOf(record)?.comment ?? null];
  return refs.filter((ref) => ref !== null).filter((ref) => ref.form === 'clear');
}

function entryOf(record: ApprovalRecord, bytes: Bytes, clock: Clock, seenUs: number): Entry {
  const at = (ref: PayloadRef | null | undefined): Uint8Array | null => {
    const found = ref ? bytes.get(ref.digest) : undefined;
    return found?.length === ref?.bytes ? (found ?? null) : null;
  };
  const payload = at(record.payload);
  const params = at(record.params);
  const comment = at(denialOf(record)?.comment);
  return {
    record,
    bound: payload && (record.params === null || params) ? boundOfRecord(record.binding, payload, params) : null,
    comment: comment && new TextDecoder().decode(comment),
    deadline: endOf(record, clock, seenUs),
  };
}

function denialOf(record: ApprovalRecord): ApprovalRecord['verdicts'][number] | undefined {
  return record.verdicts.find((verdict) => verdict.outcome === 'deny');
}

function endOf(record: ApprovalRecord, clock: Clock, seenUs: number): Entry['deadline'] {
  const granted = record.state === 'approved' && record.validUntil !== null;
  const end = granted ? (record.validUntil as string) : record.expiresAt;
  const lengthMs = granted ? record.requirement.valid_for_s * 1000 : (parseUs(record.expiresAt) - parseUs(record.requestedAt)) / 1000;
  return deadlineAfterRestart(clock, end, lengthMs, seenUs);
}
