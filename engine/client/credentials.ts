/** A target credential for one session. Never logged, never in an event: those carry the lease id. */
export interface Lease {
  readonly id: string;
  readonly user: string;
  readonly password: string;
}
export interface Credentials {
  /** Rejects CREDENTIAL_UNAVAILABLE, naming the reference and never the value. */
  lease(target: string): Promise<Lease>;
}
