/** What the API needs of its neighbours; the composition root plugs them in. */
import type { Identity, Principal } from '#client/identity';
import type { ApprovalView } from '#schemas/approval';
import type { Event } from '#schemas/event';

export type Readers = readonly string[] | null;

export interface ApiParts {
  readonly identity: Identity;
  readonly approvals: ReviewBook;
  /** `api.readers`: groups whose members may read everything; null: whoever holds a token with scope `approve`. */
  readonly readers: Readers;
  /** Events of the journal in their order; with `follow` it goes on until the signal aborts. */
  events(query: EventQuery): AsyncIterable<Event>;
  status(): Status | Promise<Status>;
  /** Somebody looked at something: goes into the journal (`approval.viewed`, `recording.viewed`). */
  viewed(by: Principal, what: { readonly approvalId: string } | { readonly sessionId: string }): void;
}

/** The reviewer's side of the approvals. */
export interface ReviewBook {
  list(): readonly ApprovalView[] | Promise<readonly ApprovalView[]>;
  /** @throws InterlockError APPROVAL_NOT_FOUND */
  show(id: string): ApprovalView | Promise<ApprovalView>;
  /** @throws InterlockError VERDICT_SELF, VERDICT_NOT_ELIGIBLE, VERDICT_TOKEN, VERDICT_CLOSED, APPROVAL_NOT_FOUND, APPROVAL_UNAVAILABLE */
  verdict(
    id: string,
    verdict: { readonly reviewer: Principal; readonly outcome: 'approve' | 'deny'; readonly comment?: string },
  ): ApprovalView | Promise<ApprovalView>;
}

export interface EventQuery {
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** `interlock status` (SURFACE.md). */
export interface Status {
  readonly ok: boolean;
  readonly revision: string;
  /** Why the policies on disk are not in force, or null. */
  readonly policy_error: string | null;
  readonly targets: Readonly<Record<string, object>>;
  readonly journal: object;
  readonly open_approvals: number;
  readonly sessions: number;
}
