/** The events that the book writes, each in one place. */
import type { ApprovalDraft, DraftEstimate } from '#client/approvals';
import { timestamp } from '#client/clock';
import type { Journal, Payload } from '#client/journal';
import type { Principal } from '#client/identity';
import { type Bound, salted } from './binding.ts';
import type { Chain } from './chain.ts';
import type { ApprovalRecord } from './record.ts';
import type { ApprovalEventDraft } from './store.ts';
import type { GlassRule } from './rules-document.ts';
import type { Admitted, VerdictInput } from './verdict.ts';

type Draft<T extends ApprovalEventDraft['type']> = Extract<ApprovalEventDraft, { type: T }>;
export type Outcome = Draft<'approval.settled'>['outcome'];

export interface Opening {
  readonly approvalId: string;
  readonly expiresAt: string;
  readonly summary: string;
  readonly rowCeiling: number | null;
  /** false: no literal of a statement may stand in the record. */
  readonly literals: boolean;
  readonly supersedes: string | null;
  readonly follows: string | null;
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
    binding: salted(bound, draft, journal, opening.literals),
    payload: draft.payload,
    ...(draft.params && { params: draft.params }),
    summary: opening.summary,
    expires_at: opening.expiresAt,
    ...(opening.supersedes !== null && { supersedes: opening.supersedes }),
    ...(opening.follows !== null && { follows: opening.follows }),
    ...(draft.estimate && { estimate: opening.literals ? draft.estimate : withoutWords(draft.estimate) }),
    row_ceiling: opening.rowCeiling,
    subject_detail: draft.subject,
    reasons: draft.decision.reasons,
    revision: draft.decision.revision,
    ...(draft.sessionId !== '' && { session_id: draft.sessionId }),
    statement_id: draft.statementId,
    target: draft.target,
    subject: draft.subject.id,
  };
}

/** What the target said of a plan may quote what was typed: its code stays. */
function withoutWords({ detail, ...estimate }: DraftEstimate): DraftEstimate {
  return { ...estimate, ...(detail !== undefined && { detail: estimate.state === 'error' ? (detail.split(' ')[0] ?? '') : detail }) };
}

/** The verdict, and what the verdicts now amount to. `chainOf`: judged now. */
export function verdictEvents(
  record: ApprovalRecord,
  input: VerdictInput,
  { stage, delegation }: Admitted,
  judge: { readonly chain: (record: ApprovalRecord) => Chain; readonly nowUs: number },
): readonly ApprovalEventDraft[] {
  const { outcome, reviewer } = input;
  const { acr, auth_time: authTime } = reviewer.subject.properties;
  const comment = wordsOf(input.comment);
  const verdict: Draft<'approval.verdict'> = {
    type: 'approval.verdict',
    approval_id: record.approvalId,
    stage: stage.id,
    outcome,
    reviewer: reviewer.subject,
    ...(acr !== undefined && { acr }),
    ...(authTime !== undefined && { auth_time: authTime }),
    ...(delegation !== null && { delegation }),
    ...(comment && { comment }),
    target: record.target,
    subject: reviewer.subject.id,
  };
  const given = {
    stage: stage.id,
    outcome,
    reviewer: reviewer.subject,
    comment: null,
    time: timestamp(judge.nowUs),
    ...(delegation !== null && { delegation }),
  };
  return [verdict, ...conclusion({ ...record, verdicts: [...record.verdicts, given] }, judge.chain, judge.nowUs)];
}

/** What the verdicts amount to: the wish for changes closes it, enough denials deny, a complete chain approves, for as long as policy grants from `fromUs` on. */
export function conclusion(record: ApprovalRecord, chain: (record: ApprovalRecord) => Chain, fromUs: number): readonly ApprovalEventDraft[] {
  const last = record.verdicts.at(-1);
  const by = last?.reviewer.properties.login ?? '';
  if (last?.outcome === 'changes') return [settledEvent(record, 'changes_requested', { by })];
  const { denied, complete } = chain(record);
  if (denied) return [settledEvent(record, 'denied', { by })];
  if (!complete) return [];
  return [settledEvent(record, 'approved', { by, validUntil: timestamp(fromUs + record.requirement.valid_for_s * 1_000_000) })];
}

/** What is said about an end beside its name. */
export interface Settling {
  readonly detail?: string;
  /** The login of whose doing it was. */
  readonly by?: string;
  readonly validUntil?: string;
}

export function settledEvent(record: ApprovalRecord, outcome: Outcome, { detail, by, validUntil }: Settling = {}): Draft<'approval.settled'> {
  return {
    type: 'approval.settled',
    approval_id: record.approvalId,
    outcome,
    ...(validUntil !== undefined && { valid_until: validUntil }),
    ...(detail !== undefined && { detail }),
    ...(by !== undefined && by !== '' && { by }),
    target: record.target,
    subject: record.subject.id,
  };
}

/** The broken glass, and the approval that it is. */
export function glassEvents(
  record: ApprovalRecord,
  by: Principal,
  breaking: { readonly reason: string; readonly rule: GlassRule; readonly validUntil: string },
): readonly ApprovalEventDraft[] {
  const { rule, validUntil } = breaking;
  const broken: Draft<'approval.glass_broken'> = {
    type: 'approval.glass_broken',
    approval_id: record.approvalId,
    by: by.subject,
    reason: { bytes: Buffer.from(breaking.reason), media: 'comment' },
    valid_until: validUntil,
    rule: rule.id,
    reviewers: [...rule.review],
    target: record.target,
    subject: by.subject.id,
  };
  return [broken, settledEvent(record, 'approved', { by: by.subject.properties.login, detail: `glass broken by rule ${rule.id}`, validUntil })];
}

export function reviewedEvent(
  record: ApprovalRecord,
  review: { readonly by: Principal; readonly outcome: 'justified' | 'unjustified'; readonly comment: string },
): Draft<'approval.glass_reviewed'> {
  return {
    type: 'approval.glass_reviewed',
    approval_id: record.approvalId,
    by: review.by.subject,
    outcome: review.outcome,
    comment: { bytes: Buffer.from(review.comment), media: 'comment' },
    target: record.target,
    subject: review.by.subject.id,
  };
}

export function wordsOf(text: string | undefined): Payload | null {
  return text === undefined || text === '' ? null : { bytes: Buffer.from(text), media: 'comment' };
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
    ...(use.draft.sessionId !== '' && { session_id: use.draft.sessionId }),
    statement_id: use.statementId,
    target: record.target,
    subject: record.subject.id,
  };
}
