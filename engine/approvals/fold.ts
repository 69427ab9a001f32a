/**
 * The state of one approval request, as a pure fold over its events.
 *
 *   requested ─▶ open ─▶ approved ─▶ consumed
 *                  │         └─▶ expired · cancelled · superseded · withdrawn
 *                  └─▶ denied · expired · cancelled · superseded · withdrawn · changes_requested
 *
 * What does not fit this picture never becomes a grant: it closes the request for good, and `fault` says why.
 */
import type { ApprovalState } from '#schemas/approval';
import type { Subject } from '#schemas/decision-request';
import { chainAsRecorded, isHuman, sharesIdentity } from './chain.ts';
import type { ApprovalEvent, ApprovalRecord, Use, Verdict } from './record.ts';

/** Nonces of a grant without a number of uses that are still recognised as a repetition. */
export const USES_KEPT = 1_000;
/** What a request may be left for while nobody has used it up. */
const FROM: Readonly<Record<'open' | 'approved', readonly ApprovalState[]>> = {
  open: ['approved', 'denied', 'expired', 'cancelled', 'superseded', 'withdrawn', 'changes_requested'],
  approved: ['expired', 'cancelled', 'superseded', 'withdrawn'],
};

/** The record after one more event. `record` is null before the first. Null again for a stream that does not start with a request. */
export function fold(record: ApprovalRecord | null, event: ApprovalEvent): ApprovalRecord | null {
  if (!record) return event.type === 'approval.requested' ? requested(event) : null;
  const at = { ...record, last: event.seq };
  switch (event.type) {
    case 'approval.requested':
      return spoilt(at, 'requested twice');
    case 'approval.verdict':
      return verdict(at, event);
    case 'approval.settled':
      return settled(at, event);
    case 'approval.escalated':
      return escalated(at, event);
    case 'approval.consumed':
      return consumed(at, event);
    case 'approval.glass_broken':
      return glassBroken(at, event);
    case 'approval.glass_reviewed':
      return glassReviewed(at, event);
    case 'approval.viewed':
      // No part of the stream: it may stand anywhere, and compare-and-append does not count it.
      return record;
  }
}

export function isLive(record: ApprovalRecord): record is ApprovalRecord & { state: 'open' | 'approved' } {
  return record.state === 'open' || record.state === 'approved';
}

type Of<T extends ApprovalEvent['type']> = Extract<ApprovalEvent, { type: T }>;

function requested(event: Of<'approval.requested'>): ApprovalRecord {
  const record: ApprovalRecord = {
    approvalId: event.approval_id,
    state: 'open',
    requestedAt: event.time,
    subject: event.subject_detail ?? nobody(event.binding.principal),
    target: event.binding.target,
    objects: event.binding.objects,
    sessionId: event.session_id ?? null,
    statementId: event.statement_id ?? null,
    requirement: event.requirement,
    binding: event.binding,
    payload: event.payload,
    params: event.params ?? null,
    summary: event.summary,
    reasons: event.reasons ?? [],
    revision: event.revision ?? null,
    expiresAt: event.expires_at,
    supersedes: event.supersedes ?? null,
    follows: event.follows ?? null,
    estimate: event.estimate ?? null,
    verdicts: [],
    added: new Map(),
    escalations: [],
    glass: null,
    uses: [],
    used: 0,
    validUntil: null,
    settlements: [],
    detail: null,
    rowCeiling: event.row_ceiling ?? null,
    fault: null,
    first: event.seq,
    last: event.seq,
  };
  // Without the requester whole, nobody could tell who shares an identity with them.
  return event.subject_detail?.id === event.binding.principal ? record : spoilt(record, 'does not say who asked');
}

function verdict(record: ApprovalRecord, event: Of<'approval.verdict'>): ApprovalRecord {
  if (record.state !== 'open') return spoilt(record, `a verdict while ${record.state}`);
  const one: Verdict = {
    stage: event.stage,
    outcome: event.outcome,
    reviewer: event.reviewer,
    comment: event.comment ?? null,
    time: event.time,
    ...(event.acr !== undefined && { acr: event.acr }),
    ...(event.auth_time !== undefined && { authTime: event.auth_time }),
    ...(event.delegation !== undefined && { delegation: event.delegation }),
  };
  return { ...record, verdicts: [...record.verdicts, one] };
}

function settled(record: ApprovalRecord, event: Of<'approval.settled'>): ApprovalRecord {
  if (!isLive(record) || !FROM[record.state].includes(event.outcome)) return spoilt(record, `${event.outcome} while ${record.state}`);
  if (event.outcome === 'approved') {
    if (!record.glass && !chainAsRecorded(record).complete) return spoilt(record, 'approved without its quorum');
    if (event.valid_until === undefined) return spoilt(record, 'approved without an end');
    if (record.glass && event.valid_until !== record.glass.validUntil) return spoilt(record, 'approved for longer than the glass is broken');
  }
  return {
    ...record,
    state: event.outcome,
    settlements: [...record.settlements, { outcome: event.outcome, by: event.by ?? null, detail: event.detail ?? null, time: event.time }],
    validUntil: event.valid_until ?? record.validUntil,
    detail: event.detail ?? null,
  };
}

function escalated(record: ApprovalRecord, event: Of<'approval.escalated'>): ApprovalRecord {
  if (record.state !== 'open') return spoilt(record, `escalated while ${record.state}`);
  const added = new Map(record.added);
  added.set(event.stage, [...(added.get(event.stage) ?? []), ...event.added]);
  return { ...record, added, escalations: [...record.escalations, { stage: event.stage, added: event.added, time: event.time }] };
}

function glassBroken(record: ApprovalRecord, event: Of<'approval.glass_broken'>): ApprovalRecord {
  if (record.state !== 'open' || record.glass) return spoilt(record, `the glass was broken while ${record.state}`);
  if (event.by.id !== record.subject.id || !isHuman(event.by)) return spoilt(record, 'the glass was broken by somebody else');
  const { by, reason, time, rule, reviewers } = event;
  return { ...record, glass: { by, reason, time, validUntil: event.valid_until, rule, reviewers, review: null } };
}

/** Whatever became of the request meanwhile. */
function glassReviewed(record: ApprovalRecord, event: Of<'approval.glass_reviewed'>): ApprovalRecord {
  const { glass } = record;
  if (!glass || glass.review) return spoilt(record, glass ? 'reviewed twice' : 'a review of a glass that is whole');
  if (sharesIdentity(event.by, glass.by)) return spoilt(record, 'reviewed by who broke the glass');
  const { by, outcome, comment = null, time } = event;
  return { ...record, glass: { ...glass, review: { by, outcome, comment, time } } };
}

function consumed(record: ApprovalRecord, event: Of<'approval.consumed'>): ApprovalRecord {
  if (record.state !== 'approved') return spoilt(record, `used while ${record.state}`);
  const use: Use = { nonce: event.nonce, statementId: event.statement_id ?? '', enforcer: event.enforcer, receipt: event.receipt, time: event.time };
  const used = record.used + 1;
  const limit = record.requirement.grant.uses;
  return {
    ...record,
    uses: [...record.uses, use].slice(-USES_KEPT),
    used,
    state: limit !== null && used >= limit ? 'consumed' : 'approved',
  };
}

function spoilt(record: ApprovalRecord, why: string): ApprovalRecord {
  const fault = record.fault ?? `its history does not fit: ${why}`;
  // What was closed stays what it was; what could still have become, or been, a grant never will.
  return isLive(record) ? { ...record, state: 'superseded', detail: fault, fault } : { ...record, fault };
}

function nobody(id: string): Subject {
  return { type: 'user', id, properties: { login: id, groups: [] } };
}
