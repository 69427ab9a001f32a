/** What AuthZEN needs of its neighbours; the composition root plugs it in. */
import type { ApprovalDraft, Receipt, Ticket } from '#client/approvals';
import type { Ids } from '#client/ids';
import type { Journal } from '#client/journal';
import type { AccessRequest } from '#schemas/access-request';
import type { ApprovalView } from '#schemas/approval';
import type { Decision, Judgement } from '#schemas/decision';
import type { ApprovalContext, Client, Resource, Subject, TransactionState } from '#schemas/decision-request';
import type { Facts } from '#schemas/facts';
import type { Param } from '#schemas/sql-facts';

export interface AuthzenParts {
  /** Groups of services that may ask for others; null: every service. */
  readonly evaluators: readonly string[] | null;
  readonly judge: OutsideJudge;
  /** null while the gateway starts. */
  approvals(): OutsideApprovals | null;
  readonly journal: Pick<Journal, 'append' | 'durable'>;
  readonly ids: Ids;
  /** What the configuration says of a target; null: it knows none of this name. */
  target(name: string): TargetKnown | null;
}

export interface TargetKnown {
  readonly env: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly database?: string;
}

/** The one dry run, and questions without a statement. */
export interface OutsideJudge {
  /** Of the policies in force. */
  readonly revision: string;
  dryRun(input: StatementJudged): Promise<StatementAnswer>;
  access(request: AccessRequest): { readonly judgement: Judgement };
}

export interface StatementJudged {
  readonly subject: Subject;
  readonly resource: Resource;
  readonly action: 'sql.prepare' | 'sql.execute';
  readonly statement: string;
  readonly params?: readonly Param[];
  readonly transaction: TransactionState;
  readonly settings: Readonly<Record<string, string>>;
  readonly client: Client;
  readonly supportedObligations?: readonly string[];
  readonly approval?: ApprovalContext;
  readonly sessionId: string;
  readonly statementId: string;
}

export interface StatementAnswer {
  readonly decision: Decision;
  readonly judgement: Judgement;
  readonly facts: Facts;
  readonly cached: boolean;
  readonly judgedUs: number;
}

/** The approvals, as an outside enforcement point reaches them. */
export interface OutsideApprovals {
  request(draft: ApprovalDraft): Promise<Ticket>;
  /** Before the next two: it may have been asked for through another engine. @throws InterlockError APPROVAL_UNAVAILABLE */
  hear(approvalId: string): Promise<void>;
  ticket(approvalId: string): Ticket | null;
  /** @throws InterlockError APPROVAL_NOT_FOUND */
  show(approvalId: string): ApprovalView;
  consume(
    approvalId: string,
    use: { readonly statementId: string; readonly enforcer: string; readonly nonce: string; readonly draft: ApprovalDraft },
  ): Promise<Receipt>;
  cancel(approvalId: string, by: string): Promise<void>;
}
