/** Identity, credentials and descriptions of targets as an enforcer has them when the engine is elsewhere. */
import type { Credentials } from '#client/credentials';
import type { Identity } from '#client/identity';
import type { TargetDescription } from '#schemas/apart';
import { InterlockError } from '#schemas/errors';
import { askEngine, type Engines } from './asking.ts';
import { APART_LIMITS } from './limits.ts';

/** For the clients of one target; the engine verifies nothing else for an enforcer. */
export function remoteIdentity(engines: Engines, target: string): Identity {
  return {
    authenticate: async (token, { scope }) => {
      if (scope !== 'connect') throw new InterlockError('AUTH_SCOPE', 'an enforcer lets clients connect, and nothing else');
      const principal = await askEngine(engines, 'identity.authenticate', { target, token }, { deadlineMs: APART_LIMITS.authenticateMs });
      const { subject, scopes, expires_at_ms: expiresAtMs, issued_at_ms: issuedAtMs } = principal;
      return { subject, scopes, expiresAtMs, issuedAtMs };
    },
  };
}

/** `hide`: from now on this value is in no line of the log. */
export function remoteCredentials(engines: Engines, hide: (secret: string) => void): Credentials {
  return {
    lease: async (target) => {
      const lease = await askEngine(engines, 'credentials.lease', { target }, { deadlineMs: APART_LIMITS.leaseMs });
      hide(lease.password);
      return lease;
    },
  };
}

/** What the engine says of an enforcer's targets. */
export interface Described {
  readonly publicUrl: string;
  readonly targets: Readonly<Record<string, TargetDescription>>;
}

export async function describeTargets(engines: Engines, targets: readonly string[]): Promise<Described> {
  const described = await askEngine(engines, 'targets.describe', { targets: [...targets] }, { deadlineMs: APART_LIMITS.answerMs });
  return { publicUrl: described.public_url, targets: described.targets };
}
