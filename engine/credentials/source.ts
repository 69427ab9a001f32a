/** Where the credential of one target comes from. */
import type { LeaseScheme } from '#client/credentials';

export interface Credential {
  readonly user: string;
  readonly password: string;
  /** What policies and approvals call the user, where each lease has another; absent: its name. */
  readonly role?: string;
  /** What is done with it at a service; absent: a user and a password. */
  readonly scheme?: LeaseScheme;
  /** It was made for this lease alone, and ends; absent: nothing of it ends with the lease. */
  readonly grant?: Grant;
}

/** What was made for a lease, at whoever made it. */
export interface Grant {
  /** What renewing and revoking is asked with. No secret, but nobody's business either. */
  readonly handle: string;
  readonly lifeMs: number;
  readonly renewable: boolean;
}

export interface CredentialSource {
  /** Rejects CREDENTIAL_UNAVAILABLE, naming the reference and never the value. */
  issue(): Promise<Credential>;
  /** The next three are there together: each lease is issued for itself, renewed and revoked. */
  readonly owns?: (handle: string) => boolean;
  readonly renew?: (handle: string) => Promise<Grant>;
  readonly revoke?: (handle: string) => Promise<void>;
}

/** A user and a password that are read anew for each lease. */
export function readSource(read: () => Promise<Credential>): CredentialSource {
  return { issue: read };
}
