import type { Subject } from '#schemas/decision-request';

/** A verified principal. */
export interface Principal {
  readonly subject: Subject;
  readonly scopes: readonly string[];
  /** Wall clock, milliseconds: the session ends with its token. */
  readonly expiresAtMs: number;
  readonly issuedAtMs: number;
}

export interface Need {
  readonly scope: 'connect' | 'approve';
  /** A token may also be for this very resource (RFC 8707), not only for the gateway as a whole. */
  readonly resource?: string;
}

export interface Identity {
  /** Verifies a presented token (SECURITY §1.11). Rejects AUTH_FAILED (the message never says more to a client) or AUTH_SCOPE. */
  authenticate(token: string, need: Need): Promise<Principal>;
}
