/** One approval request as its events tell it. Made by `fold` alone. */
import type { ApprovalState } from '#schemas/approval';
import type { Approver, Reason, Requirement } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import type { ApprovalBinding, Estimate, EventBase, EventBody, PayloadRef } from '#schemas/event';

export type ApprovalEvent = Pick<EventBase, 'seq' | 'time' | 'session_id' | 'statement_id' | 'target' | 'subject'> &
  Extract<EventBody, { type: `approval.${string}` }>;

export interface Verdict {
  readonly stage: string;
  readonly outcome: 'approve' | 'deny' | 'changes';
  /** With the groups of that moment. */
  readonly reviewer: Subject;
  readonly comment: PayloadRef | null;
  readonly time: string;
  readonly acr?: string;
  readonly authTime?: string;
  /** The delegation by which the reviewer was asked. */
  readonly delegation?: string;
}

export interface Use {
  readonly nonce: string;
  readonly statementId: string;
  readonly enforcer: string;
  readonly receipt: string;
  readonly time: string;
}

export interface Escalated {
  readonly stage: string;
  readonly added: readonly Approver[];
  readonly time: string;
}

/** An end, or an approval: one may be followed by the other. */
export interface Settlement {
  readonly outcome: ApprovalState;
  readonly by: string | null;
  readonly detail: string | null;
  readonly time: string;
}

export interface Glass {
  readonly by: Subject;
  readonly reason: PayloadRef;
  readonly time: string;
  readonly validUntil: string;
  readonly rule: string;
  readonly reviewers: readonly Approver[];
  /** null: the review is open. */
  readonly review: GlassReview | null;
}

export interface GlassReview {
  readonly by: Subject;
  readonly outcome: 'justified' | 'unjustified';
  readonly comment: PayloadRef | null;
  readonly time: string;
}

export interface ApprovalRecord {
  readonly approvalId: string;
  readonly state: ApprovalState;
  readonly requestedAt: string;
  readonly subject: Subject;
  readonly target: string;
  /** As they are bound: `update public.payments`. */
  readonly objects: readonly string[];
  readonly sessionId: string | null;
  readonly statementId: string | null;
  readonly requirement: Requirement;
  readonly binding: ApprovalBinding;
  readonly payload: PayloadRef;
  readonly params: PayloadRef | null;
  readonly summary: string;
  readonly reasons: readonly Reason[];
  readonly revision: string | null;
  readonly expiresAt: string;
  readonly supersedes: string | null;
  /** The request that this one answers, after changes were asked for. */
  readonly follows: string | null;
  readonly estimate: Estimate | null;
  readonly verdicts: readonly Verdict[];
  /** Approvers that escalation added, by stage. It adds, and never lowers what is required. */
  readonly added: ReadonlyMap<string, readonly Approver[]>;
  readonly escalations: readonly Escalated[];
  readonly glass: Glass | null;
  /** Oldest first; at most USES_KEPT, `used` counts all. */
  readonly uses: readonly Use[];
  readonly used: number;
  readonly validUntil: string | null;
  /** Oldest first. */
  readonly settlements: readonly Settlement[];
  readonly detail: string | null;
  /** The most rows that an approved write may touch, as the reviewer saw it. */
  readonly rowCeiling: number | null;
  readonly fault: string | null;
  /** Position of the request itself: the order in which they were asked. */
  readonly first: number;
  /** Position of the stream's last event: what compare-and-append expects. */
  readonly last: number;
}

/** The end of a statement, from whoever sees it in the journal: `statement.finished`, or `statement.refused` (never sent: `aborted`). */
export interface StatementEnd {
  /** Said by an enforcer elsewhere: the engine that began the use may have been another process. */
  readonly approvalId?: string;
  readonly statementId: string;
  readonly outcome: 'ok' | 'error' | 'aborted' | 'cancelled' | 'unknown';
  readonly rows?: number;
}
