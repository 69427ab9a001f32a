import type { ApprovalContext, Subject } from '#schemas/decision-request';
import type { Decision, Requirement } from '#schemas/decision';
import type { ApprovalState } from '#schemas/approval';
import type { Digest } from '#schemas/common';
import type { Facts } from '#schemas/facts';
import type { Payload } from './journal.ts';

/** Under this name in `settings` an approval is bound to the outside enforcement point that asked for it. No setting of a client has it. */
export const POINT_SETTING = 'interlock.enforcement_point';

/** Everything an approval is bound to (DESIGN §1). Two drafts with equal bindings join one request. */
export interface ApprovalDraft {
  readonly subject: Subject;
  /** Empty: in none (a question that carries no statement). */
  readonly sessionId: string;
  readonly statementId: string;
  readonly target: string;
  readonly database: string;
  readonly role: string;
  readonly payload: Payload;
  readonly params: Payload | null;
  readonly settings: Readonly<Record<string, string>>;
  readonly transaction: string;
  readonly objects: readonly string[];
  readonly decision: Decision;
  readonly requirement: Requirement;
  /** What it does: the reviewer reads a sentence of it. */
  readonly facts: Facts;
  /** The same where there are no facts to read it from: what an outside enforcement point asks in its own words. */
  readonly sentence?: string;
  /** What the target's planner thinks of it; the ceiling of rows is derived from it where policy names none. */
  readonly estimate?: DraftEstimate;
}

/** EXPLAIN through the gateway's own connection; `state` says why there is no number. */
export interface DraftEstimate {
  readonly state: 'ok' | 'timeout' | 'refused' | 'error' | 'none';
  readonly rows?: number;
  readonly cost?: number;
  readonly plan?: Payload;
  readonly detail?: string;
}

/** Where a request stands, as the enforcer sees it. */
export interface Ticket {
  readonly approvalId: string;
  readonly state: ApprovalState;
  readonly expiresAt: string;
  /** Of the payload, as its record has it: its first 12 digits are shown to the requester and to the reviewer. */
  readonly digest: Digest;
  /** `https://…/approvals/apr_…`: where a reviewer decides. */
  readonly url: string;
  /** Groups and logins who may decide, for the notice to the client. */
  readonly askedFor: readonly string[];
  /** The reviewer's words, once denied. */
  readonly comment: string | null;
  /** In words, why it gives nothing (any more); absent: it is open, or approved. */
  readonly why?: string;
  /** Present while approved and not used up: goes into `Moment.approval`. */
  readonly approval: ApprovalContext | null;
  /** The most rows that an approved write may touch, as the reviewer saw it; compared before anything can be committed. null: no ceiling. */
  readonly rowCeiling: number | null;
}

export interface Receipt {
  readonly approvalId: string;
  readonly receipt: string;
}

/** The engine's side of holding a statement. All methods reject with APPROVAL_UNAVAILABLE on trouble. */
export interface Approvals {
  /** Finds the open, approved or recently denied request with this binding and requirement, or opens one; durable when it resolves. */
  request(draft: ApprovalDraft): Promise<Ticket>;
  /** Resolves when the request leaves `open`, or rejects with the signal's reason. */
  settled(approvalId: string, signal: AbortSignal): Promise<Ticket>;
  /** One use: compare-and-append on the approval's own stream, durable, idempotent for the same nonce. Rejects APPROVAL_VOID when used up, expired or no longer fit. */
  consume(
    approvalId: string,
    use: { readonly statementId: string; readonly enforcer: string; readonly nonce: string; readonly draft: ApprovalDraft },
  ): Promise<Receipt>;
  /** Ctrl-C: the requester cancels. */
  cancel(approvalId: string, by: string): Promise<void>;
  /** At use the requirement was another: close as superseded, naming both revisions. */
  supersede(approvalId: string, detail: string): Promise<void>;
}
