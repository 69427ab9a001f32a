import type { Approvals } from '#client/approvals';
import type { Clock } from '#client/clock';
import type { Credentials } from '#client/credentials';
import type { DecisionService } from '#client/decision-service';
import type { Identity } from '#client/identity';
import type { Ids } from '#client/ids';
import type { Journal } from '#client/journal';
import type { Log } from '#client/log';
import type { Client, Subject } from '#schemas/decision-request';
import type { HttpCatalog, Knowledge } from '#schemas/knowledge';
import type { Meters } from './meters.ts';

/** What the composition root sees of an enforcement point, whatever its protocol. */
export interface Enforcer {
  readonly protocol: string;
  readonly address: { readonly host: string; readonly port: number };
  /** Of a database server: those that clients may name, its default first. */
  readonly databases?: readonly string[];
  /** Takes new sessions. */
  readonly accepting: boolean;
  readonly draining: boolean;
  sessions(): readonly SessionInfo[];
  /** For whoever connects from now on. @throws InterlockError CONFIG_INVALID: the certificate cannot be used, and nothing changes */
  renew(change: EnforcerChange): void;
  /** Ends one session; false if there is none of this id. */
  terminate(sessionId: string): boolean;
  /** What the target holds, read for people to look at: nothing is judged by it. @throws InterlockError CATALOG_UNAVAILABLE; absent: cannot be read */
  peek?(): Promise<Knowledge>;
  /** Takes no new session and lets what runs finish; resolves when the last session is gone or `LIMITS.drainMs` have passed. */
  drain(): Promise<void>;
  /** Ends everything now. */
  close(): Promise<void>;
}

/** What may change while it runs. */
export interface EnforcerChange {
  readonly limits: { readonly connections: number; readonly statementBytes: number; readonly idleMs: number };
  /** PEM; null: as it was. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** What its description says now; absent: as it was. */
  readonly catalog?: HttpCatalog;
}

export interface SessionInfo {
  readonly session_id: string;
  readonly subject: Subject;
  readonly target: string;
  readonly client: Client;
  readonly opened_at: string;
  readonly statements: number;
  readonly state: 'idle' | 'active' | 'held';
  readonly approval_id: string | null;
}

/** What every enforcement point is given of the engine. */
export interface EnforcerDeps {
  readonly decisions: DecisionService;
  readonly journal: Journal;
  readonly approvals: Approvals;
  readonly credentials: Credentials;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** What agents did lately, over all targets of this process. */
  readonly meters: Meters;
}
