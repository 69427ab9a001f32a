/** A request as its record and the bytes beside it tell it. */
import type { Clock } from '#client/clock';
import type { PayloadRef } from '#schemas/event';
import { boundOfRecord } from './binding.ts';
import { type Deadline, deadlineAfterRestart, parseUs } from './deadline.ts';
import type { ApprovalRecord } from './record.ts';
import type { Entry, Execution } from './entry.ts';

/** @param seenUs when the journal last saw anything, as its clock stood */
export function entryOf(
  record: ApprovalRecord,
  bytes: ReadonlyMap<string, Uint8Array>,
  clock: Clock,
  seenUs: number,
  uses: ReadonlyMap<string, Execution> = new Map(),
): Entry {
  const at = (ref: PayloadRef | null | undefined): Uint8Array | null => {
    const found = ref ? bytes.get(ref.digest) : undefined;
    return found?.length === ref?.bytes ? (found ?? null) : null;
  };
  const text = (ref: PayloadRef | null | undefined): string | null => {
    const found = at(ref);
    return found && new TextDecoder().decode(found);
  };
  const payload = at(record.payload);
  const params = at(record.params);
  const words = wordsNamed(record).flatMap((ref): [string, string][] => {
    const said = text(ref);
    return said === null ? [] : [[ref.digest, said]];
  });
  const executions = record.uses.flatMap(({ statementId }): [string, Execution][] => {
    const execution = uses.get(statementId);
    return execution ? [[statementId, execution]] : [];
  });
  return {
    record,
    bound: payload && (record.params === null || params) ? boundOfRecord(record.binding, payload, params) : null,
    words: new Map(words),
    plan: text(record.estimate?.plan),
    executions: new Map(executions),
    here: true,
    deadline: endOf(record, clock, seenUs),
  };
}

export function wordsNamed({ verdicts, glass }: ApprovalRecord): PayloadRef[] {
  const refs = [...verdicts.map(({ comment }) => comment), glass?.reason, glass?.review?.comment];
  return refs.filter((ref) => ref !== null && ref !== undefined);
}

/** By what the record says: a verdict that is concluded after a restart, or by another engine, grants no more time than it did. */
export function grantEnd(clock: Clock, { validUntil, requirement }: ApprovalRecord, seenUs: number): Deadline {
  return deadlineAfterRestart(clock, validUntil ?? '', requirement.valid_for_s * 1000, seenUs);
}

function endOf(record: ApprovalRecord, clock: Clock, seenUs: number): Deadline {
  const { validUntil, glass } = record;
  if (record.state !== 'approved' || validUntil === null) {
    const lengthMs = (parseUs(record.expiresAt) - parseUs(record.requestedAt)) / 1000;
    return deadlineAfterRestart(clock, record.expiresAt, lengthMs, seenUs);
  }
  if (!glass) return grantEnd(clock, record, seenUs);
  return deadlineAfterRestart(clock, validUntil, (parseUs(validUntil) - parseUs(glass.time)) / 1000, seenUs);
}
