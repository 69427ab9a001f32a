/** Section `credential` of a service (HTTP, MCP): which secret it is, and what is done with it. */
import type { ServiceCredential } from '#schemas/config-service';
import type { LeaseScheme } from '#client/credentials';
import type { SecretSource } from './secret-kinds.ts';
import { type Absolute, secretSource } from './secret-source.ts';

export interface ServiceCredentialConfig {
  readonly scheme: LeaseScheme;
  /** Where it has one: an account, a client, a key; else what policies and approvals call it. */
  readonly user: string;
  readonly secret: SecretSource;
  /** In the file: `bearer`, `basic.password` … */
  readonly path: string;
}

/** null: the service asks for none. */
export function resolveServiceCredential(given: ServiceCredential | undefined, absolute: Absolute): ServiceCredentialConfig | null {
  const { bearer, basic, header, oauth_client: client, sigv4, env } = given ?? {};
  if (bearer) return { scheme: { kind: 'bearer' }, user: 'bearer', secret: secretSource(bearer, absolute), path: 'bearer' };
  if (basic) return { scheme: { kind: 'basic' }, user: basic.user, secret: secretSource(basic.password, absolute), path: 'basic.password' };
  if (header) {
    return { scheme: { kind: 'header', name: header.name }, user: header.name, secret: secretSource(header.value, absolute), path: 'header.value' };
  }
  if (client) {
    const { token_url: tokenUrl, scope, audience } = client;
    const scheme = { kind: 'oauth_client', tokenUrl, ...(scope !== undefined && { scope }), ...(audience !== undefined && { audience }) } as const;
    return { scheme, user: client.client_id, secret: secretSource(client.client_secret, absolute), path: 'oauth_client.client_secret' };
  }
  if (sigv4) {
    const { region, service, access_key_id: user, secret_access_key: secret } = sigv4;
    return { scheme: { kind: 'sigv4', region, service }, user, secret: secretSource(secret, absolute), path: 'sigv4.secret_access_key' };
  }
  if (env) return { scheme: { kind: 'env', name: env.name }, user: env.name, secret: secretSource(env.value, absolute), path: 'env.value' };
  return null;
}
