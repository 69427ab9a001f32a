/** Section `http` of a target, resolved. */
import type { HttpSection } from '#schemas/config-http';
import type { Absolute } from './secret-source.ts';
import { resolveServiceCredential, type ServiceCredentialConfig } from './service.ts';

export interface HttpTargetConfig {
  readonly url: string;
  /** null: the system's roots. */
  readonly caFile: string | null;
  readonly openapiFile: string | null;
  readonly routesFile: string | null;
  readonly graphqlFile: string | null;
  /** null: none. */
  readonly credential: ServiceCredentialConfig | null;
}

export function resolveHttp({ url, ca, openapi, routes, graphql, credential }: HttpSection, absolute: Absolute): HttpTargetConfig {
  const file = (path: string | undefined): string | null => (path === undefined ? null : absolute(path));
  return {
    url,
    caFile: file(ca),
    openapiFile: file(openapi),
    routesFile: file(routes),
    graphqlFile: file(graphql),
    credential: resolveServiceCredential(credential, absolute),
  };
}
