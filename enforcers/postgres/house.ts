/** What all sessions of one target share. */
import type { SecureContext } from 'node:tls';
import type { Client, Subject } from '#schemas/decision-request';
import type { EnforcerDeps } from '#enforcers/common/enforcer';
import type { CancelKey } from './cancel.ts';
import type { CatalogKeeper } from './catalog-keeper.ts';
import type { CloseReason } from './ending.ts';
import type { PostgresSession } from './session.ts';
import type { SettingSets } from './settings.ts';
import type { Surveyor } from './surveyor.ts';
import type { PostgresTarget } from './target.ts';

export interface Resident {
  readonly address: string;
  readonly client: Client;
  readonly subject: Subject;
  readonly openedAt: string;
  /** Wall clock, milliseconds: the session ends with its token. */
  readonly expiresAtMs: number;
  /** What cancels at the target. */
  readonly targetKey: Buffer;
}

export interface House {
  readonly deps: EnforcerDeps;
  readonly target: PostgresTarget;
  readonly tls: SecureContext | null;
  readonly limits: PostgresTarget['limits'];
  readonly enforcerId: string;
  readonly serverVersion: string;
  readonly sets: SettingSets;
  readonly catalogs: CatalogKeeper;
  readonly surveyor: Surveyor;
  arrived(address: string): void;
  left(address: string): void;
  /** @throws InterlockError BUDGET_CONNECTIONS, DRAINING */
  room(): void;
  entered(session: PostgresSession, resident: Resident): CancelKey;
  gone(session: PostgresSession, reason: CloseReason): void;
  cancel(pid: number, secret: Buffer, address: string, done: () => void): void;
}
