/** What the approvals are built from, and what they offer beside the enforcers' side. */
import type { Approvals, Ticket } from '#client/approvals';
import type { Clock } from '#client/clock';
import type { Principal } from '#client/identity';
import type { Ids } from '#client/ids';
import type { Log } from '#client/log';
import type { ApprovalState, ApprovalView } from '#schemas/approval';
import type { Subject } from '#schemas/decision-request';
import type { ApprovalLimits } from './limits.ts';
import type { ApprovalJournal } from './store.ts';

export interface ApprovalOptions {
  readonly journal: ApprovalJournal;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** A request that nobody decides ends after this, or after the policy's `expires_in_s` if that is sooner. */
  readonly expireMs: number;
  readonly rememberDenialMs: number;
  /** What notices point to. */
  readonly publicUrl: string;
  readonly limits?: Partial<ApprovalLimits>;
}

export interface ApprovalFilter {
  readonly state?: ApprovalState;
  /** Those that this principal asked for, or their agents. */
  readonly requestedBy?: Subject;
  /** Those that wait for this principal now. */
  readonly waitingFor?: Subject;
}

/** All that enforcers see (Approvals), and the reviewers' side. */
export interface ApprovalBook extends Approvals {
  /** Newest first. Who may see what is the caller's to judge. */
  list(filter?: ApprovalFilter): readonly ApprovalView[];
  /** @throws InterlockError APPROVAL_NOT_FOUND */
  show(approvalId: string): ApprovalView;
  /**
   * Durable when it resolves.
   * @throws InterlockError VERDICT_TOKEN, VERDICT_SELF, VERDICT_CLOSED, VERDICT_NOT_ELIGIBLE, APPROVAL_NOT_FOUND, APPROVAL_UNAVAILABLE
   */
  verdict(approvalId: string, verdict: { reviewer: Principal; outcome: 'approve' | 'deny'; comment?: string }): Promise<ApprovalView>;
  /** The request, as its requester's enforcer would see it; null when it is not known. */
  ticket(approvalId: string): Ticket | null;
  /** How many are open. */
  readonly open: number;
  /** Ends all waits with DRAINING; the requests stay open in the journal. */
  close(): void;
}
