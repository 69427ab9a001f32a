import type { Approvals } from '#client/approvals';
import type { Clock } from '#client/clock';
import type { Action, DecisionSession, Statement } from '#client/decision-service';
import type { Ids } from '#client/ids';
import type { Journal, Payload } from '#client/journal';
import type { Param } from '#schemas/sql-facts';
import type { ApprovalContext, Subject, TransactionState } from '#schemas/decision-request';
import type { Given } from './given.ts';
import type { Meter } from './meters.ts';
import type { Refusal } from './refusal.ts';
import type { Survey } from './survey.ts';

/** One statement as it was asked for, before anything is known of it. */
export interface Asked {
  readonly statementId: string;
  readonly action: Action;
  /** How it came: of PostgreSQL simple or extended, of HTTP its version, of MCP its transport. */
  readonly mode: string;
  /** The same object for the same text of a session: the journal stores it once. */
  readonly payload: Payload;
  readonly params: Payload | null;
  /** Decoded, if a policy or an approval needs them. */
  readonly decoded: (() => readonly Param[]) | null;
  /** What is already known of this very text under these very settings, or null: then it is read. */
  readonly known: Statement | null;
  readonly transaction: TransactionState;
  readonly settings: Readonly<Record<string, string>>;
  /** What its transaction did before it, where an approval may be asked for all the same; null: too much to be shown. */
  readonly before: readonly string[] | null;
  /** An execution that was approved and is now continued (a suspended portal). */
  readonly approval: ApprovalContext | null;
}

/** What stays the same while one client session is enforced. */
export interface Scene {
  readonly journal: Journal;
  readonly decisions: DecisionSession;
  readonly approvals: Approvals;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly sessionId: string;
  readonly subject: Subject;
  readonly target: string;
  readonly database: string;
  readonly role: string;
  readonly enforcer: string;
  readonly supported: readonly string[];
  /** Of an agent: what it did lately; null: of anybody else. */
  readonly meter: Meter | null;
  /** Nothing is run: the approval that a statement needs is asked for (ask-only.ts). */
  readonly asksOnly: boolean;
  readonly approvalRules: { readonly waitMs: number; readonly inTransaction: 'idle' | 'fresh' | 'any' };
  /** The protocol's own objections, once the facts are known: what it does not support, pins, a failed transaction. */
  readonly objects: (asked: Asked, statement: Statement) => Refusal | null;
  readonly voice: Voice;
  /** null: a protocol whose names mean what they say. */
  readonly examiner: Examiner | null;
}

/** What a protocol can find out about a statement that a human is to decide about. */
export interface Examiner {
  /** Why it cannot run under an approval, whatever anybody says; null: it can. */
  objection(asked: Asked, statement: Statement): Refusal | null;
  /** `asking`: with what the target's planner thinks of it. @throws InterlockError CATALOG_UNAVAILABLE: nobody can be asked, and nothing used */
  survey(asked: Asked, statement: Statement, purpose: 'asking' | 'using'): Promise<Survey>;
  /**
   * Right before its approval is used: takes what it needs at the target (a transaction, its locks) and looks at it once more. What this refuses is not
   * used; what is refused after it gives back what was taken.
   */
  enter?(asked: Asked, statement: Statement, given: Given): Promise<Refusal | null>;
}

/** What a protocol says to its client while a statement waits. */
export interface Voice {
  /** A statement waits: until this is settled nothing else is read of the client. */
  held(approvalId: string, controller: AbortController): void;
  released(): void;
  /** The session has not ended meanwhile. */
  alive(): boolean;
  notice(message: string, detail: string, hint: string): void;
}

/** Why a wait for a verdict ended before the verdict. */
export class HoldEnded extends Error {
  readonly why: 'cancel' | 'disconnect' | 'timeout';
  constructor(why: 'cancel' | 'disconnect' | 'timeout') {
    super(why);
    this.why = why;
  }
}
