/** What all sessions of one target share. */
import type { EnforcerDeps } from '#enforcers/common/enforcer';
import type { ToolKeeper } from './catalog.ts';
import type { KeptResults } from './results.ts';
import type { Sealer } from './seal.ts';
import type { McpTarget } from './target.ts';
import type { Introduction, Link } from './upstream/link.ts';

export type CloseReason = 'client' | 'target' | 'policy' | 'terminated' | 'drain' | 'fault';

/** What is left of a session to be told. */
export interface EndedSession {
  readonly id: string;
  readonly statements: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface House {
  readonly deps: EnforcerDeps;
  readonly target: McpTarget;
  readonly limits: McpTarget['limits'];
  readonly enforcerId: string;
  readonly keeper: ToolKeeper;
  readonly sealer: Sealer;
  readonly results: KeptResults;
  /** Nothing new may begin. */
  readonly draining: boolean;
  open(who: Introduction): Promise<Link>;
  gone(session: EndedSession, reason: CloseReason): void;
}
