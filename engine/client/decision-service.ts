import type { Decision, Judgement } from '#schemas/decision';
import type { ApprovalContext, Client, Resource, Subject, TransactionState, Usage } from '#schemas/decision-request';
import type { Facts } from '#schemas/facts';
import type { Knowledge } from '#schemas/knowledge';
import type { Param } from '#schemas/sql-facts';

/** What stays the same for one client session. */
export interface SessionScope {
  readonly sessionId: string;
  readonly subject: Subject;
  readonly resource: Resource;
  readonly client: Client;
  /** What this enforcer can fulfil; anything else a policy asks for is a refusal (OBLIGATION_UNSUPPORTED). */
  readonly supportedObligations: readonly string[];
}

/** Facts of one text under one set of settings, with what the service needs to judge it again cheaply. Compare by identity. */
export interface Statement {
  readonly text: Uint8Array;
  readonly facts: Facts;
  /** Whether the policies in force read bind parameters of this statement: only then are they decoded. */
  readonly readsParams: boolean;
}

/** One statement of SQL, one HTTP request, one request of MCP. */
export const ACTIONS = ['sql.prepare', 'sql.execute', 'http.request', 'mcp.call', 'mcp.list', 'mcp.read', 'mcp.prompt'] as const;
export type Action = (typeof ACTIONS)[number];

/** What changes from one execution to the next. Keep one `settings` object per distinct set: it is interned by identity. */
export interface Moment {
  readonly action: Action;
  readonly statementId: string;
  readonly transaction: TransactionState;
  readonly settings: Readonly<Record<string, string>>;
  /** Called only if `readsParams`. */
  readonly params: (() => readonly Param[]) | null;
  /** Set by `clear` alone, after the engine verified the approval. */
  readonly approval?: ApprovalContext;
  /** Of agents: what they did lately, as this process counted it. */
  readonly usage?: Usage;
}

/** Rewritten bytes, already parsed and judged again. */
export interface Rewrite {
  readonly text: Uint8Array;
  /** `public.customers.ssn`, as in `Decision.rewrite.masked`. */
  readonly masked: readonly string[];
  /** Maps a byte offset of the rewritten text to the original, or null inside an insertion (error positions). */
  readonly toOriginal: (offset: number) => number | null;
}

/** A decision, bound to these bytes and this context for at most five seconds and one use. */
export interface Decided {
  readonly decision: Decision;
  /** The same object for the same judgement. */
  readonly judgement: Judgement;
  readonly rewrite: Rewrite | null;
  readonly cached: boolean;
  readonly judgedUs: number;
}

export interface DecisionSession {
  /** Of action `session.open`; deny: the session is refused. */
  readonly opening: Decision;
  /**
   * Text → facts. Never throws for what the text is: `facts.parsed` is false and `facts.opaque` says why.
   * A value for short texts and cached ones, a promise when a worker parses.
   */
  read(text: Uint8Array, settings: Readonly<Record<string, string>>): Statement | Promise<Statement>;
  /**
   * Facts → decision. Never throws for what policy does: trouble (fuel, memory, conflict, no revision) is a deny whose reason carries the
   * code of the cause. A statement whose facts are not parsed is denied, whatever policy says.
   */
  decide(statement: Statement, moment: Moment): Decided | Promise<Decided>;
  /** The whole decision request as policy would see it, for the record and `interlock decide`. */
  close(): void;
}

export interface DecisionService {
  /** Digest of the policy bundle in force. */
  readonly revision: string;
  openSession(scope: SessionScope): DecisionSession | Promise<DecisionSession>;
  /** What is known of a target; used from the next `read` on. */
  learn(target: string, knowledge: Knowledge): void;
  /** Whether the policies in force can ask for masks at all on this target: then the catalog is required. */
  readonly masksPossible: boolean;
}
