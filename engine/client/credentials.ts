/** A target credential for one session. Never logged, never in an event: those carry the lease id. */
export interface Lease extends HeldLease {
  readonly user: string;
  readonly password: string;
  /** What policies and approvals call the user, where each lease has another; absent: its name. */
  readonly role?: string;
}

/** What is kept of a lease once it was used to sign in: no secret. */
export interface HeldLease {
  readonly id: string;
  /** Where something was made for it at the target: what that is called by whoever made it. */
  readonly handle?: string;
}

export interface Credentials {
  /** Rejects CREDENTIAL_UNAVAILABLE, naming the reference and never the value. */
  lease(target: string): Promise<Lease>;
  /**
   * What it was for is over: what was made for it is revoked. Until then it is renewed. Called once for each lease that was not released
   * yet; throws nothing, waits for nothing.
   */
  release(lease: HeldLease): void;
}
