/** A target credential for one session. Never logged, never in an event: those carry the lease id. */
export interface Lease extends HeldLease {
  readonly user: string;
  readonly password: string;
  /** What policies and approvals call the user, where each lease has another; absent: its name. */
  readonly role?: string;
  /** Of a service: what is done with it there; absent: a user and a password, as databases take them. */
  readonly scheme?: LeaseScheme;
}

/** How the gateway signs in at a service. */
export type LeaseScheme =
  | { readonly kind: 'none' }
  /** `password` is the token. */
  | { readonly kind: 'bearer' }
  | { readonly kind: 'basic' }
  /** `password` is its value. */
  | { readonly kind: 'header'; readonly name: string }
  /** `user` is the client’s id, `password` its secret. */
  | { readonly kind: 'oauth_client'; readonly tokenUrl: string; readonly scope?: string; readonly audience?: string }
  /** `user` is the id of the access key, `password` its secret. */
  | { readonly kind: 'sigv4'; readonly region: string; readonly service: string }
  /** `password` is the value of this environment variable. */
  | { readonly kind: 'env'; readonly name: string };

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
