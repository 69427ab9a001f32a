/** The events that the book writes, each in one place. */
import type { ApprovalDraft } from '#client/approvals';
import { timestamp } from '#client/clock';
import type { Journal, Payload } from '#client/journal';
import { type Bound, salted } from './binding.ts';
import { chainOf } from './chain.ts';
import type { ApprovalRecord } from './record.ts';
import type { ApprovalEventDraft } from './store.ts';
import type { VerdictInput } from './verdict.ts';

type Draft<T extends ApprovalEventDraft['type']> = Extract<ApprovalEventDraft, { type: T }>;
export type Outcome = Draft<'approval.settled'>['outcome'];

export interface Opening {
  readonly approvalId: string;
  readonly expiresAt: string;
  readonly summary: string;
  readonly supersedes: string | null;
}

export function requestedEvent(
  draft: ApprovalDraft,
  bound: Bound,
  opening: Opening,
  journal: Pick<Journal, 'digestOf'>,
): Draft<'approval.requested'> {
  return {
    type: 'approval.requested',
    approval_id: opening.approvalId,
    requirement: draft.requirement,
    binding: salted(bound, draft, journal),
    payload: draft.payload,
    ...(draft.params && { params: draft.params }),
    summary: opening.summary,
    expires_at: opening.expiresAt,
    ...(opening.supersedes !== null && { supersedes: opening.supersedes }),
    subject_detail: draft.subject,
    reasons: draft.decision.reasons,
    revision: draft.decision.revision,
    session_id: draft.sessionId,
    statement_id: draft.statementId,
    target: draft.target,
    subject: draft.subject.id,
  };
}

/** The verdict, and what the verdicts now amount to. */
export function verdictEvents(record: ApprovalRecord, input: VerdictInput, stage: string, nowUs: number): readonly ApprovalEventDraft[] {
  const { outcome, reviewer, comment } = input;
  const { acr, auth_time: authTime } = reviewer.subject.properties;
  const words: Payload | null = comment === undefined || comment === '' ? null : { bytes: Buffer.from(comment), media: 'comment' };
  const verdict: Draft<'approval.verdict'> = {
    type: 'approval.verdict',
    approval_id: record.approvalId,
    stage,
    outcome,
    reviewer: reviewer.subject,
    ...(acr !== undefined && { acr }),
    ...(authTime !== undefined && { auth_time: authTime }),
    ...(words && { comment: words }),
    target: record.target,
    subject: reviewer.subject.id,
  };
  const given = { stage, outcome, reviewer: reviewer.subject, comment: null, time: '' };
  return [verdict, ...conclusion({ ...record, verdicts: [...record.verdicts, given] }, nowUs)];
}

/** One denial denies, a complete chain approves, for as long as policy grants from `fromUs` on. */
export function conclusion(record: ApprovalRecord, fromUs: number): readonly ApprovalEventDraft[] {
  if (record.verdicts.some((verdict) => verdict.outcome === 'deny')) return [settledEvent(record, 'denied')];
  if (!chainOf(record).complete) return [];
  return [{ ...settledEvent(record, 'approved'), valid_until: timestamp(fromUs + record.requirement.valid_for_s * 1_000_000) }];
}

export function settledEvent(record: ApprovalRecord, outcome: Outcome, detail?: string): Draft<'approval.settled'> {
  return {
    type: 'approval.settled',
    approval_id: record.approvalId,
    outcome,
    ...(detail !== undefined && { detail }),
    target: record.target,
    subject: record.subject.id,
  };
}

export interface Use {
  readonly statementId: string;
  readonly enforcer: string;
  readonly nonce: string;
  readonly draft: ApprovalDraft;
}

export function consumedEvent(record: ApprovalRecord, use: Use, receipt: string): Draft<'approval.consumed'> {
  return {
    type: 'approval.consumed',
    approval_id: record.approvalId,
    enforcer: use.enforcer,
    nonce: use.nonce,
    receipt,
    session_id: use.draft.sessionId,
    statement_id: use.statementId,
    target: record.target,
    subject: record.subject.id,
  };
}
