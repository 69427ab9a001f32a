/** What the API needs of its neighbours; the composition root plugs them in. A part that is null is not there (yet): its routes answer 503 NOT_READY. */
import type { Identity, Principal } from '#client/identity';
import type { AuthzenParts } from './authzen/parts.ts';
import type { ApprovalState, ApprovalView, DelegationView } from '#schemas/approval';
import type { AgentClaims, AgentView } from '#schemas/agent';
import type { Ceilings, Subject } from '#schemas/decision-request';
import type { EnforcerPage, EnforcerReport, Problem } from '#schemas/enforcer-report';
import type { EnforcerView } from '#schemas/enrolment';
import type { Event } from '#schemas/event';
import type { PublicJwk } from '#schemas/event-agent';
import type { NotificationView } from '#schemas/notification';
import type { Ability, InboxItem, LiveEvent, ReviewText, SessionItem, SessionPage, StatementItem, StatementPage, StoryLine } from '#schemas/review';

export type Readers = readonly string[] | null;

export interface ApiParts {
  readonly identity: Identity;
  /** Somebody who is logged in, as they are known now: a group that a newer token of theirs no longer had is gone. */
  current(principal: Principal): Principal;
  readonly approvals: ReviewBook;
  /** `api.readers`: groups whose members may read everything; null: whoever holds a token with scope `approve`. */
  readonly readers: Readers;
  /** Events of the journal in their order; with `follow` it goes on until the signal aborts. */
  events(query: EventQuery): AsyncIterable<Event>;
  status(): Status | Promise<Status>;
  readonly operations: OperationsPart | null;
  /** Somebody looked at something: goes into the journal (`approval.viewed`, `recording.viewed`), and is durable when it resolves. */
  viewed(by: Principal, what: Viewed): Promise<void>;
  readonly projection: Projection | null;
  /** Sessions, statements, delegations and policies as they change (approvals tell it themselves); the answer ends it. */
  onChange(listener: (change: Change) => void): () => void;
  /** What a reviewer reads of a text; null where nothing can make it. */
  readonly reviewText: ((approval: ApprovalView) => ReviewText | Promise<ReviewText>) | null;
  readonly delegations: Delegations | null;
  readonly notifications: Notifications | null;
  /** `api.admins`: groups whose members may say who is an enforcer; empty: nobody. */
  readonly admins: readonly string[];
  /** Absent or null: this gateway takes no enforcers of their own. */
  readonly enrolment?: Enrolment | null;
  /** Interlock's own MCP server; absent: there is none. */
  readonly assistant?: AssistantPart;
  /** Absent or null: this gateway knows no agents. */
  readonly agents?: AgentsPart | null;
  /** Ends a session, here or at an enforcer elsewhere; false: nobody has it. Who asked for it is durable before. Absent: nobody enforces. */
  readonly endSession?: (id: string, by: Principal) => Promise<boolean>;
  readonly login: LoginParts;
  /** Absent: no outside enforcement points. */
  readonly authzen?: AuthzenParts;
  /** For the console's first line. */
  readonly version: string;
  /** Name → environment. */
  readonly targets: Readonly<Record<string, string>>;
}

/** Interlock's own MCP server. */
export interface AssistantPart {
  /** null: a notification. */
  answer(bytes: Uint8Array, caller: { readonly principal: Principal; readonly token: string }, signal: AbortSignal): Promise<object | null>;
}

/** `record`: whatever of it somebody who reads everything searched or read. */
export type Viewed = { readonly approvalId: string } | { readonly sessionId: string } | { readonly record: true };

/** Who reads: what the neighbours need to leave out what these eyes may not see (N6). */
export interface Reader {
  readonly principal: Principal;
  /** Reads everything (`api.readers`); else their own, what acts on their behalf, and what asks them. */
  readonly all: boolean;
}

/** The reviewer's side of the approvals. What it does is durable when it resolves. */
export interface ReviewBook {
  /** Newest first; only what the page holds is made. `limit` at most 1,000. @throws InterlockError USAGE for a cursor that is none */
  page(
    filter: BookFilter,
    paging: { readonly limit: number; readonly cursor?: string | null },
  ): { readonly items: readonly ApprovalView[]; readonly next: string | null; readonly total: number };
  /** Before `show`, for an id of another engine. @throws InterlockError APPROVAL_UNAVAILABLE */
  hear(id: string): Promise<void>;
  /** @throws InterlockError APPROVAL_NOT_FOUND */
  show(id: string): ApprovalView;
  /** @throws InterlockError the errors of VERDICT_…, APPROVAL_NOT_FOUND, APPROVAL_UNAVAILABLE; so do the others */
  verdict(id: string, verdict: Verdict): Promise<ApprovalView>;
  cancel(id: string, act: Act): Promise<void>;
  withdraw(id: string, act: Act): Promise<ApprovalView>;
  breakGlass(id: string, act: { readonly by: Principal; readonly reason: string }): Promise<ApprovalView>;
  review(
    id: string,
    review: { readonly by: Principal; readonly outcome: 'justified' | 'unjustified'; readonly comment: string },
  ): Promise<ApprovalView>;
  /** What they may do with it now: sources and delegations are looked up. */
  abilities(id: string, reader: Principal): readonly Ability[] | Promise<readonly Ability[]>;
  /** Whether it is, or was, theirs to decide or to review. */
  concerns(id: string, reader: Principal): Promise<boolean>;
  story(id: string): readonly StoryLine[];
  /** Called once for each durable event, after the new state can be read; the answer ends it. */
  onChange(listener: (change: { readonly approvalId: string; readonly state: ApprovalState }) => void): () => void;
}

export interface BookFilter {
  readonly state?: ApprovalState | readonly ApprovalState[];
  readonly target?: string;
  readonly requestedBy?: Subject;
  /** Those that wait for this principal now. */
  readonly waitingFor?: Subject;
  /** Broken glass whose review is open; of a principal: those that they may close. */
  readonly reviewOpen?: true | Subject;
  readonly visible?: (outline: Outline) => boolean;
}

/** What can be told of a request without its text. */
export type Outline = Pick<ApprovalView, 'approval_id' | 'state' | 'requirement' | 'subject' | 'target' | 'summary'> & {
  readonly reasons: readonly ApprovalView['reasons'][number][];
};

export interface Verdict {
  readonly reviewer: Principal;
  readonly outcome: 'approve' | 'deny' | 'changes';
  readonly comment?: string;
  /** `payload_digest` of what the reviewer was shown: another is refused. */
  readonly seen?: string;
}

export interface Act {
  readonly by: Principal;
  readonly comment?: string;
}

export interface SessionBegin {
  readonly first: number;
  /** '': the engine's own; else the id of one in the archive. */
  readonly journal: string;
}

/** The journal as tables (engine/journal/projection): every answer leaves out what the reader may not see. */
export interface Projection {
  sessions(query: SessionQuery, reader: Reader): SessionPage | Promise<SessionPage>;
  /** null: there is none, or it is not theirs to read. */
  session(id: string, reader: Reader): SessionItem | null | Promise<SessionItem | null>;
  /** The statements of a session in their order; empty where it is not theirs. */
  timeline(id: string, paged: Paged, reader: Reader): StatementPage | Promise<StatementPage>;
  /** Where a session begins, and in whose journal; null: there is none, or it is not theirs, or not known yet. */
  beginOf(id: string, reader: Reader): SessionBegin | null | Promise<SessionBegin | null>;
  search(query: SearchQuery, reader: Reader): StatementPage | Promise<StatementPage>;
  /** The statements of a request's session before it, newest first: shown to whoever may read the request. */
  sessionSoFar(approval: ApprovalView, limit: number): readonly StatementItem[] | Promise<readonly StatementItem[]>;
  /** Earlier requests of the same shape on the same target that the reader may read, newest first. */
  earlierLike(approval: ApprovalView, limit: number, reader: Reader): readonly InboxItem[] | Promise<readonly InboxItem[]>;
}

export interface Paged {
  readonly cursor?: string;
  /** 1 to 200 */
  readonly limit: number;
}

export interface SessionQuery extends Paged {
  readonly state?: 'open' | 'closed';
  readonly target?: string;
  /** Login of who acts, or of the human behind them. */
  readonly who?: string;
  /** RFC 3339, from and before. */
  readonly since?: string;
  readonly until?: string;
}

export interface SearchQuery extends Paged {
  readonly session?: string;
  readonly who?: string;
  readonly target?: string;
  /** `public.payments`: an object that was touched; a bare name means it in any schema. */
  readonly object?: string;
  readonly effect?: string;
  /** Of the fact: `delete`, `update` … */
  readonly verb?: string;
  readonly code?: string;
  readonly outcome?: string;
  /** Words of the text. */
  readonly q?: string;
  readonly since?: string;
  readonly until?: string;
}

/** Something that readers may want to look at again, and whose it is. */
export interface Change {
  readonly live: LiveEvent;
  /**
   * Subject ids that may see it besides those who read everything: who acts, and the human behind. `delegation`: those who find it in their list.
   */
  readonly owners: readonly string[] | 'everybody' | 'delegation';
}

/** One human decides in another's place for a while. */
export interface Delegations {
  /** Those from or to the reader; all of them for whoever reads everything. */
  list(reader: Reader): readonly DelegationView[] | Promise<readonly DelegationView[]>;
  /** @throws InterlockError USAGE, VERDICT_TOKEN */
  open(
    by: Principal,
    ask: { readonly to: string; readonly starts: string; readonly ends: string; readonly reason: string },
  ): DelegationView | Promise<DelegationView>;
  /** By whoever gave it. @throws InterlockError DELEGATION_NOT_FOUND */
  end(id: string, by: Principal): DelegationView | Promise<DelegationView>;
}

/** Messages to people outside: what waits, what is dead, and the last ones that were delivered. */
export interface Notifications {
  /** Newest first. */
  list(filter: { readonly state?: NotificationView['state'] }): readonly NotificationView[];
  /** @throws InterlockError NOTIFICATION_NOT_FOUND, APPROVAL_NOT_FOUND */
  resend(id: string, by: Principal): Promise<void>;
  /** One attempt now. @throws InterlockError NOTIFICATION_NOT_FOUND: no such channel */
  test(channel: string): Promise<NotificationView>;
}

/** Who is an enforcer of this installation. What it does is durable when it resolves. */
export interface Enrolment {
  list(): readonly EnforcerView[];
  /** @throws InterlockError ENFORCER_NOT_FOUND */
  show(name: string): EnforcerView;
  /** The only time that the code is told. @throws InterlockError USAGE, ENFORCER_EXISTS */
  add(ask: {
    readonly name: string;
    readonly targets: readonly string[];
    readonly ttlMs: number;
    readonly by: string;
    readonly replace?: boolean;
  }): Promise<{ readonly code: string; readonly enforcer: EnforcerView }>;
  /** @throws InterlockError ENFORCER_NOT_FOUND */
  remove(name: string, by: string): Promise<EnforcerView>;
}

/** Programs that act for people. What it does is durable when it resolves. */
export interface AgentsPart {
  readonly desk: {
    list(by: AgentAsking): Promise<readonly AgentView[]>;
    /** @throws InterlockError AGENT_NOT_FOUND; so do the others */
    show(name: string, by: AgentAsking): Promise<AgentView>;
    /** @throws InterlockError USAGE, AGENT_EXISTS, AGENT_REFUSED */
    add(
      ask: {
        readonly name: string;
        readonly targets: readonly string[];
        readonly owner: string | null;
        readonly groups: readonly string[] | null;
        readonly ceilings: Ceilings;
        readonly key: PublicJwk;
      },
      by: AgentAsking,
    ): Promise<AgentView>;
    rotate(name: string, key: PublicJwk, by: AgentAsking): Promise<AgentView>;
    remove(name: string, by: AgentAsking): Promise<AgentView>;
  };
  readonly tokens: {
    /** RFC 6749 §5. Never rejects. */
    answer(fields: URLSearchParams): Promise<TokenAnswer>;
    /** RFC 8414 */
    metadata(): Readonly<Record<string, unknown>>;
    /** RFC 7517 */
    keys(): Readonly<Record<string, unknown>>;
  };
  /** What it may do, as policy answers now. @throws InterlockError AGENT_NOT_FOUND; absent: nobody can be asked */
  readonly claims?: (name: string, by: AgentAsking) => Promise<AgentClaims>;
}

export interface AgentAsking {
  readonly principal: Principal;
  /** A member of `api.admins`, with a token that may decide. */
  readonly admin: boolean;
}

export type TokenAnswer =
  | { readonly ok: true; readonly document: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly status: number; readonly error: string; readonly description: string };

/** How humans log in to the console. */
export interface LoginParts {
  /** Issuers with a `login`: OpenID Connect, authorization code with PKCE. */
  readonly oidc: readonly OidcLogin[];
  /** A token of the local issuer may be pasted, and `interlock console login` prints a one-time link. */
  readonly local: boolean;
}

export interface OidcLogin {
  /** In the path of its redirect URI, `/login/callback/NAME`: each issuer has its own (mix-up). */
  readonly name: string;
  /** Where the browser goes, and what to keep, on this side, until it comes back. @throws InterlockError LOGIN_FAILED when the issuer does not answer */
  begin(ask: { readonly redirectUri: string; readonly fresh?: Fresh }): Promise<LoginBegun>;
  /** The human who logged in, by the identity module's own verification. @throws InterlockError LOGIN_FAILED */
  finish(callback: URL, begun: LoginBegun): Promise<Principal>;
}

/** Not what the issuer remembers, but a new login, of this strength. */
export interface Fresh {
  readonly acr?: string;
  readonly maxAgeS?: number;
}

export interface LoginBegun {
  readonly url: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly redirectUri: string;
  readonly maxAgeS: number;
  readonly acr: string | null;
}

export interface EventQuery {
  /** Position in the journal behind which to read; absent: all of it. */
  readonly since?: number;
  /** Another one, of the archive; absent or '': the engine's own; `every`: one after the other. */
  readonly journal?: string | { readonly every: true };
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** How the process and its enforcers are. */
export interface OperationsPart {
  /** `/healthz`, `/readyz`, `/metrics`: no token of ours. null: none of them. */
  answer(asked: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
    readonly remoteAddress: string | undefined;
  }): { readonly status: number; readonly type: string; readonly text: string } | null;
  enforcers(): EnforcerPage;
}

/** `interlock status` (SURFACE.md). */
export interface Status {
  /** Nothing is amiss, here or with an enforcer. */
  readonly ok: boolean;
  readonly role?: 'up' | 'engine' | 'enforcer';
  /** What is amiss in this process. */
  readonly problems?: readonly Problem[];
  readonly revision: string;
  /** Why the policies on disk are not in force, or null. */
  readonly policy_error: string | null;
  /** Keys of the configuration that changed in the file and need a restart. */
  readonly restart?: readonly string[];
  readonly targets: Readonly<Record<string, object>>;
  readonly journal: object;
  readonly open_approvals: number;
  readonly sessions: number;
  readonly enforcers?: readonly EnforcerReport[];
  /** What lists and search read from: how far it is behind the journal. */
  readonly projection?: object;
  /** Messages to people outside: `dead` could not be delivered. */
  readonly notifications: { readonly channels: number; readonly waiting: number; readonly dead: number };
}
