/** What others see of agents, and what agents need of others: the composition root plugs them in. README.md has tokens, registry and guarantees. */
import type { Principal } from '#client/identity';
import type { EventDraft, Position } from '#client/journal';
import type { AgentView } from '#schemas/agent';
import type { Ceilings, Subject } from '#schemas/decision-request';
import type { Event } from '#schemas/event';
import type { PublicJwk } from '#schemas/event-agent';

/** Of the registry. `agent.cooled` is told by enforcers, and no part of it. */
export type RegistryType = 'agent.added' | 'agent.rotated' | 'agent.renewed' | 'agent.removed' | 'agent.issuer';
export type AgentEventDraft = Extract<EventDraft, { type: RegistryType }>;
export type AgentEvent = Extract<Event, { type: RegistryType }>;

/** Where the registry's events stand: the engine's own journal, or what several engines share. */
export interface AgentJournal {
  /** As `Journal.appendIf`; what several engines share answers later. */
  appendIf(
    event: AgentEventDraft,
    condition: { readonly stream: string; readonly expectedLast: Position },
  ): Position | null | Promise<Position | null>;
  durable(position: Position): unknown;
  /** Every durable event, oldest first: what is not the registry's is passed over. */
  events(): AsyncIterable<Event>;
}

/** An open session, wherever it is. */
export interface OpenSession {
  readonly sessionId: string;
  readonly subject: Subject;
}

/** The enforcers' side: in this process and apart. */
export interface Sessions {
  list(): readonly OpenSession[] | Promise<readonly OpenSession[]>;
  /** False: nobody has it (any more). */
  terminate(sessionId: string): boolean | Promise<boolean>;
}

/** A workload's own token, verified: whom the configuration binds it to. @throws InterlockError AUTH_FAILED */
export type Workloads = (token: string) => Promise<{ readonly agent: string; readonly workload: string }>;

export interface AgentSettings {
  readonly tokenTtlMs: number;
  readonly humanMaxAgeMs: number;
  readonly selfService: boolean;
}

export interface AddAsk {
  readonly name: string;
  readonly targets: readonly string[];
  /** Login; null: whoever asks. */
  readonly owner: string | null;
  /** null: the owner's, as they are now. */
  readonly groups: readonly string[] | null;
  readonly ceilings: Ceilings;
  readonly key: PublicJwk;
}

/** Who asks, and what they may. */
export interface Asking {
  readonly principal: Principal;
  /** A member of `api.admins`, with a token that may decide. */
  readonly admin: boolean;
}

/** What it does is durable when it resolves. */
export interface AgentDesk {
  /** Those that are theirs; all of them for an admin. By name. */
  list(by: Asking): Promise<readonly AgentView[]>;
  /** @throws InterlockError AGENT_NOT_FOUND */
  show(name: string, by: Asking): Promise<AgentView>;
  /** @throws InterlockError USAGE, AGENT_EXISTS, AGENT_REFUSED */
  add(ask: AddAsk, by: Asking): Promise<AgentView>;
  /** Another key: tokens and sessions of the one before end. @throws InterlockError AGENT_NOT_FOUND */
  rotate(name: string, key: PublicJwk, by: Asking): Promise<AgentView>;
  /** Its sessions end within a second, here and elsewhere. @throws InterlockError AGENT_NOT_FOUND */
  remove(name: string, by: Asking): Promise<AgentView>;
}

/** RFC 6749 §5: an answer of the token endpoint, or why not. */
export type TokenAnswer =
  | { readonly ok: true; readonly document: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly status: 400 | 401 | 429 | 503; readonly error: OAuthError; readonly description: string };

export type OAuthError =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'slow_down'
  | 'temporarily_unavailable';

export interface TokenEndpoint {
  /** Never rejects. */
  answer(fields: URLSearchParams): Promise<TokenAnswer>;
  /** RFC 8414 */
  metadata(): Readonly<Record<string, unknown>>;
  /** RFC 7517: the public keys that agents’ tokens are signed with. */
  keys(): { readonly keys: readonly Readonly<Record<string, unknown>>[] };
}
