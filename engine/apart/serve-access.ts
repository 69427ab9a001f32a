/** What an enforcer needs before a session is there: who it is, what signs in at the target, and what the engine says of the target. */
import type { HeldLease, Lease } from '#client/credentials';
import type { Identity } from '#client/identity';
import type { TargetDescription } from '#schemas/apart';
import { InterlockError } from '#schemas/errors';
import { requireGranted } from './granted.ts';
import type { Answering } from './messages.ts';

/** Leases for enforcers elsewhere, each under its own name. */
export interface ServedCredentials {
  lease(target: string, holder: string): Promise<Lease>;
  /** Ids of those that are not its own, or need not be spoken of. */
  keep(holder: string, target: string, leases: readonly HeldLease[]): readonly string[];
  /** Of this holder. */
  release(holder: string, target: string, leases: readonly HeldLease[]): void;
}

export interface ServedAccess {
  readonly identity: Identity;
  readonly credentials: ServedCredentials;
  /** What refusals and notices point to. */
  readonly publicUrl: () => string;
  /** null: this engine does not have it. */
  readonly describe: (target: string) => TargetDescription | null;
}

type Asked = 'identity.authenticate' | 'credentials.lease' | 'credentials.keep' | 'credentials.release' | 'targets.describe';

export function answerAccess({ identity, credentials, publicUrl, describe }: ServedAccess): Answering<Asked> {
  return {
    'identity.authenticate': async ({ target, token, resource }, { peer }) => {
      requireGranted(peer, target);
      const { subject, scopes, expiresAtMs, issuedAtMs } = await identity.authenticate(token, { scope: 'connect', ...ofTarget(resource, target) });
      return { subject, scopes: [...scopes], expires_at_ms: expiresAtMs, issued_at_ms: issuedAtMs };
    },
    'credentials.lease': async ({ target }, { peer }) => {
      requireGranted(peer, target);
      return await credentials.lease(target, peer.name);
    },
    'credentials.keep': ({ target, leases }, { peer }) => {
      requireGranted(peer, target);
      return { gone: [...credentials.keep(peer.name, target, leases)] };
    },
    'credentials.release': ({ target, leases }, { peer }) => {
      requireGranted(peer, target);
      credentials.release(peer.name, target, leases);
      return {};
    },
    'targets.describe': ({ targets }, { peer }) => {
      for (const target of targets) requireGranted(peer, target);
      return {
        public_url: publicUrl(),

        targets: Object.fromEntries(targets.map((name) => [name, known(describe(name), name)])),
      };
    },
  };
}

/** An enforcer says what its own endpoint is called, and no other's: a token for that one is not shown here. */
function ofTarget(resource: string | undefined, target: string): { readonly resource?: string } {
  if (resource === undefined) return {};
  if (!URL.canParse(resource) || resource !== `${new URL(resource).origin}/mcp/${target}`)
    throw new InterlockError('TARGET_NOT_GRANTED', 'an enforcer may ask about tokens for the endpoint of its own target alone');
  return { resource };
}

function known(description: TargetDescription | null, name: string): TargetDescription {
  if (description === null) throw new InterlockError('CONFIG_INVALID', `the engine has no target ${name}: name it in its configuration`);
  return description;
}
