/** The gateway's own credential, as it goes to the server: a header of each request, or a variable of the process. Never to a client. */
import type { Lease } from '#client/credentials';
import { InterlockError } from '#schemas/errors';

export interface Injected {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly env: Readonly<Record<string, string>>;
}

const NOTHING: Injected = { headers: [], env: {} };

/** @throws InterlockError CREDENTIAL_UNAVAILABLE: of a kind that MCP does not do */
export function injected({ user, password, scheme }: Lease): Injected {
  switch (scheme?.kind) {
    case undefined:
    case 'none':
      return NOTHING;
    case 'bearer':
      return { ...NOTHING, headers: [['authorization', `Bearer ${password}`]] };
    case 'basic':
      return { ...NOTHING, headers: [['authorization', `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`]] };
    case 'header':
      return { ...NOTHING, headers: [[scheme.name.toLowerCase(), password]] };
    case 'env':
      return { ...NOTHING, env: { [scheme.name]: password } };
    case 'oauth_client':
    case 'sigv4':
      throw new InterlockError('CREDENTIAL_UNAVAILABLE', `a credential of kind ${scheme.kind} is not supported for MCP`);
  }
}
