/** A lease that ends with the connection that it opened: what was made for it is revoked then. */
import type { Credentials, Lease } from '#client/credentials';

export interface Leased extends Lease {
  /** The connection is gone, or there will be none. As often as anybody likes. */
  readonly over: () => void;
}

/** Rejects CREDENTIAL_UNAVAILABLE. */
export async function leased(credentials: Credentials, target: string): Promise<Leased> {
  const lease = await credentials.lease(target);
  return { ...lease, over: ending(credentials, lease) };
}

/** What policies and approvals call the user: the same for each lease. */
export function roleOfLease({ role, user }: Pick<Lease, 'role' | 'user'>): string {
  return role ?? user;
}

/** Holds on to no secret: a connection lives long. */
function ending(credentials: Credentials, { id, handle }: Lease): () => void {
  let over = false;
  return () => {
    if (over) return;
    over = true;
    credentials.release({ id, ...(handle !== undefined && { handle }) });
  };
}
