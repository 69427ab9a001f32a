/** Identity and descriptions of targets as an enforcer has them when the engine is elsewhere. */
import type { Identity } from '#client/identity';
import type { TargetDescription } from '#schemas/apart';
import { InterlockError } from '#schemas/errors';
import { askEngine, type Engines } from './asking.ts';
import { APART_LIMITS } from './limits.ts';

/** For the clients of one target; the engine verifies nothing else for an enforcer. */
export function remoteIdentity(engines: Engines, target: string): Identity {
  return {
    authenticate: async (token, { scope, resource }) => {
      if (scope !== 'connect') throw new InterlockError('AUTH_SCOPE', 'an enforcer lets clients connect, and nothing else');
      const asked = { target, token, ...(resource === undefined ? {} : { resource }) };
      const principal = await askEngine(engines, 'identity.authenticate', asked, { deadlineMs: APART_LIMITS.authenticateMs });
      const { subject, scopes, expires_at_ms: expiresAtMs, issued_at_ms: issuedAtMs } = principal;
      return { subject, scopes, expiresAtMs, issuedAtMs };
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
