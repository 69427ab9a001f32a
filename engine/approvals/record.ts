/** One approval request as its events tell it. Made by `fold` alone. */
import type { ApprovalState } from '#schemas/approval';
import type { Approver, Reason, Requirement } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import type { ApprovalBinding, EventBase, EventBody, PayloadRef } from '#schemas/event';

export type ApprovalEvent = Pick<EventBase, 'seq' | 'time' | 'session_id' | 'statement_id' | 'target' | 'subject'> &
  Extract<EventBody, { type: `approval.${string}` }>;

export interface Verdict {
  readonly stage: string;
  readonly outcome: 'approve' | 'deny' | 'changes';
  /** With the groups of that moment: they are what counts at use. */
  readonly reviewer: Subject;
  readonly comment: PayloadRef | null;
  readonly time: string;
}

export interface Use {
  readonly nonce: string;
  readonly statementId: string;
  readonly enforcer: string;
  readonly receipt: string;
}

export interface ApprovalRecord {
  readonly approvalId: string;
  readonly state: ApprovalState;
  readonly requestedAt: string;
  readonly subject: Subject;
  readonly target: string;
  readonly requirement: Requirement;
  readonly binding: ApprovalBinding;
  readonly payload: PayloadRef;
  readonly params: PayloadRef | null;
  readonly summary: string;
  readonly reasons: readonly Reason[];
  readonly revision: string | null;
  readonly expiresAt: string;
  readonly supersedes: string | null;
  readonly verdicts: readonly Verdict[];
  /** Approvers that escalation added, by stage. It adds, and never lowers what is required. */
  readonly added: ReadonlyMap<string, readonly Approver[]>;
  /** Oldest first; at most USES_KEPT, `used` counts all. */
  readonly uses: readonly Use[];
  readonly used: number;
  readonly validUntil: string | null;
  readonly settledAt: string | null;
  readonly detail: string | null;
  /** The most rows that an approved write may touch, as the reviewer saw it. */
  readonly rowCeiling: number | null;
  readonly fault: string | null;
  /** Position of the request itself: the order in which they were asked. */
  readonly first: number;
  /** Position of the stream's last event: what compare-and-append expects. */
  readonly last: number;
}
