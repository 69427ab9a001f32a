/** What the approvals are built from, and what they offer beside the enforcers' side. */
import type { Approvals, Ticket } from '#client/approvals';
import type { Clock } from '#client/clock';
import type { Principal } from '#client/identity';
import type { Ids } from '#client/ids';
import type { Log } from '#client/log';
import type { ApprovalState, ApprovalView } from '#schemas/approval';
import type { Subject } from '#schemas/decision-request';
import type { Ability, StoryLine } from '#schemas/review';
import type { ApprovalLimits } from './limits.ts';
import type { CodeParams } from './grant-shape.ts';
import type { FollowedLog } from './ordering/parts.ts';
import type { StatementEnd } from './record.ts';
import type { ApprovalJournal } from './store.ts';
import type { Worlds } from './world.ts';

export interface ApprovalOptions {
  readonly journal: ApprovalJournal;
  /** Who was first, where other engines write too: `openSharedLog`. Absent: the journal alone says so. */
  readonly ordered?: FollowedLog;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** A request that nobody decides ends after this, or after the policy's `expires_in_s` if that is sooner. */
  readonly expireMs: number;
  /** A denial, or the wish for changes, is told again at once for so long. */
  readonly rememberDenialMs: number;
  /** What notices point to. */
  readonly publicUrl: string;
  /** The data documents in force: freezes and break-glass rules stand there. Absent: there are none. */
  readonly data?: DataInForce;
  /** The `env` of a target; null: unknown, and then a freeze of any `env` holds for it. */
  readonly envOf?: (target: string) => string | null;
  /** Who is who now. Absent: what tokens say, and nothing else. */
  readonly worlds?: Worlds;
  /** Bind parameters whose value is code. Absent: a statement with parameters gets no grant for its shape. */
  readonly codeParams?: CodeParams;
  /** `redacted`: no literal of a statement may stand in its record, so none stands in its sentence. Absent: clear. */
  readonly payloads?: 'clear' | 'redacted';
  readonly limits?: Partial<ApprovalLimits>;
}

/** The data documents of the revision in force; null: there is no revision, or it is too old to go by. The same object while nothing changed. */
export interface DataInForce {
  data(): Readonly<Record<string, unknown>> | null;
}

export interface ApprovalFilter {
  readonly state?: ApprovalState | readonly ApprovalState[];
  readonly target?: string;
  /** Those that were asked through this engine. */
  readonly here?: true;
  /** Those that this principal asked for, or their agents. */
  readonly requestedBy?: Subject;
  /** Those that wait for this principal now. */
  readonly waitingFor?: Subject;
  /** Broken glass whose review is open; of a principal: those that they may close. */
  readonly reviewOpen?: true | Subject;
  /** Whatever else the caller judges: who may see what. Called once for each request that passes the rest. */
  readonly visible?: (view: ApprovalOutline) => boolean;
}

/** What can be told of a request without its text: cheap for 10,000 of them. */
export type ApprovalOutline = Pick<ApprovalView, 'approval_id' | 'state' | 'requirement' | 'subject' | 'target' | 'summary'> & {
  readonly reasons: readonly ApprovalView['reasons'][number][];
};

export interface ApprovalPage {
  /** Newest first. */
  readonly items: readonly ApprovalView[];
  /** Pass it as `cursor` for what follows; null: that was all. */
  readonly next: string | null;
  readonly total: number;
}

/** A verdict as the reviewer gives it. */
export interface VerdictGiven {
  readonly reviewer: Principal;
  readonly outcome: 'approve' | 'deny' | 'changes';
  /** `changes` needs it. */
  readonly comment?: string;
  /**
   * `payload_digest` of what the reviewer was shown, or its first 12 or more hexadecimal digits: a mismatch is refused. A person at the
   * console or at a terminal always sends it; absent: a program that has judged the view it was given.
   */
  readonly seen?: string;
}

/** What somebody does with their own name to a request. */
export interface Act {
  readonly by: Principal;
  readonly comment?: string;
}

export const CHANGES = [
  'requested',
  'verdict',
  'escalated',
  'settled',
  'consumed',
  'glass_broken',
  'glass_reviewed',
  /** A use began or ended: `executions` of the view. */
  'executed',
] as const;

/** Something durable happened to a request: told once for each event, in order, after the new state can be read. */
export interface ApprovalChange {
  readonly approvalId: string;
  readonly about: (typeof CHANGES)[number];
  /** After the change. */
  readonly state: ApprovalState;
  readonly stage?: string;
  /** Whether it was done through this engine: whoever tells people of it does so once. */
  readonly here: boolean;
}

/** All that enforcers see (Approvals), and the reviewers' side. What it does is durable when it resolves. */
export interface ApprovalBook extends Approvals {
  /** Newest first. Who may see what is the caller's to judge. */
  list(filter?: ApprovalFilter): readonly ApprovalView[];
  /** The same in pages; only the page's own are made. `limit` at most 1,000. @throws InterlockError USAGE: no such cursor */
  page(filter: ApprovalFilter, paging: { readonly limit: number; readonly cursor?: string | null }): ApprovalPage;
  /** Before `show` for whoever may have the id from another engine: what the engines did until now is known here. @throws InterlockError APPROVAL_UNAVAILABLE */
  hear(approvalId: string): Promise<void>;
  /** @throws InterlockError APPROVAL_NOT_FOUND */
  show(approvalId: string): ApprovalView;
  /**
   * `approve` is refused for what cannot be shown whole (VERDICT_NOT_SHOWN), and where `seen` is another (VERDICT_UNSEEN).
   * @throws InterlockError VERDICT_TOKEN, VERDICT_SELF, VERDICT_CLOSED, VERDICT_NOT_ELIGIBLE, VERDICT_REASON, VERDICT_UNSEEN, VERDICT_NOT_SHOWN,
   * USAGE (comment too long), APPROVAL_NOT_FOUND, APPROVAL_UNAVAILABLE
   */
  verdict(approvalId: string, verdict: VerdictGiven): Promise<ApprovalView>;
  /**
   * The requester takes it back, open or approved: Ctrl-C (a subject's id), or with a token of their own (of any scope); the human behind an agent too.
   * @throws InterlockError VERDICT_NOT_ELIGIBLE, APPROVAL_VOID (an id, not known), APPROVAL_NOT_FOUND and VERDICT_CLOSED (a principal)
   */
  cancel(approvalId: string, by: string | Act): Promise<void>;
  /**
   * An approval is taken back before it is used (up): by who approved it, or who is asked in one of its stages. Nothing can be consumed after it.
   * @throws InterlockError VERDICT_TOKEN, VERDICT_CLOSED, VERDICT_NOT_ELIGIBLE, APPROVAL_NOT_FOUND
   */
  withdraw(approvalId: string, act: Act): Promise<ApprovalView>;
  /**
   * The requester takes the approval themselves, by `data.break_glass`.
   * @throws InterlockError VERDICT_TOKEN, VERDICT_CLOSED, VERDICT_REASON, BREAK_GLASS_REFUSED, BREAK_GLASS_REVIEW_OPEN, APPROVAL_NOT_FOUND
   */
  breakGlass(approvalId: string, act: { readonly by: Principal; readonly reason: string }): Promise<ApprovalView>;
  /**
   * Somebody else closes the review of a broken glass, with words.
   * @throws InterlockError VERDICT_TOKEN, VERDICT_SELF, VERDICT_CLOSED, VERDICT_NOT_ELIGIBLE, VERDICT_REASON, APPROVAL_NOT_FOUND
   */
  review(
    approvalId: string,
    review: { readonly by: Principal; readonly outcome: 'justified' | 'unjustified'; readonly comment: string },
  ): Promise<ApprovalView>;
  /** What this principal may do with it now, each with the error that the attempt would get. @throws InterlockError APPROVAL_NOT_FOUND */
  abilities(approvalId: string, principal: Principal): Promise<readonly Ability[]>;
  /** Whether it is, or was, theirs to decide or to review: then they may look at it. @throws InterlockError APPROVAL_NOT_FOUND */
  concerns(approvalId: string, principal: Principal): Promise<boolean>;
  /** Oldest first. Texts are as they were given: who shows them escapes them (M8). @throws InterlockError APPROVAL_NOT_FOUND */
  story(approvalId: string): readonly StoryLine[];
  /** Answers how to stop. What a listener throws is logged, and stops nothing. */
  onChange(listener: (change: ApprovalChange) => void): () => void;
  /** Whether this statement used an approval and has not ended. */
  runs(statementId: string): boolean;
  /** How a statement ended, once that is durable; what is no use of an approval is ignored, at the price of one look-up. */
  ended(end: StatementEnd): void;
  /** What time has done meanwhile: escalations, denials, ends. It happens by itself once a second; tests that move the clock ask for it. */
  sweep(): Promise<void>;
  /** The request, as its requester's enforcer would see it; null when it is not known. */
  ticket(approvalId: string): Ticket | null;
  /** How many are open. */
  readonly open: number;
  /** Ends all waits with DRAINING; the requests stay open in the journal. */
  close(): void;
}
