/** What Interlock's own MCP server needs of its neighbours; the composition root plugs them in. */
import type { Principal } from '#client/identity';
import type { Decision } from '#schemas/decision';

export interface AssistantTarget {
  readonly name: string;
  readonly protocol: string;
  readonly env: string;
}

/** A statement of SQL, a request of HTTP or a call of a tool: exactly one. */
export interface Asked {
  readonly target: string;
  readonly statement?: string;
  readonly params?: readonly (string | number | boolean | null)[];
  readonly request?: {
    readonly method?: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
  };
  readonly call?: { readonly tool: string; readonly arguments?: Readonly<Record<string, unknown>> };
}

export interface Bounds {
  readonly rowsMax: number;
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

/** A principal with the token that it showed: what is run for it is run with that. */
export interface Caller {
  readonly principal: Principal;
  readonly token: string;
}

export interface RunbookView {
  readonly name: string;
  readonly target: string;
  readonly description: string;
  /** Name → what it takes, in words. */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface ApprovalStanding {
  readonly state: string;
  readonly comment: string | null;
  readonly url: string;
  readonly expires_at: string;
}

export interface AssistantParts {
  readonly version: string;
  targets(): readonly AssistantTarget[];
  /** Whether policy would let them open a session there. */
  opens(caller: Caller, target: string): Promise<boolean>;
  /** Judges, and opens nothing. */
  judge(caller: Caller, asked: Asked): Promise<Decision>;
  /** Through the gateway, as anybody's client. What is held is left, and its request stays open. */
  run(caller: Caller, asked: Asked, bounds: Bounds): Promise<Readonly<Record<string, unknown>>>;
  /** Of targets that they may open. */
  runbooks(caller: Caller): Promise<readonly RunbookView[]>;
  runRunbook(caller: Caller, name: string, values: Readonly<Record<string, unknown>>, bounds: Bounds): Promise<Readonly<Record<string, unknown>>>;
  /** Through the gateway in the same way, and nothing is run: the approval that it needs is asked for. */
  ask(caller: Caller, asked: Asked, bounds: Bounds): Promise<Readonly<Record<string, unknown>>>;
  /** null: there is none of theirs. */
  approval(caller: Caller, id: string): Promise<ApprovalStanding | null>;
  /** Resolves when it is decided, or rejects with the signal's reason. */
  decided(id: string, signal: AbortSignal): Promise<void>;
}
