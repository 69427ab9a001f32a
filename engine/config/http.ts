/** Section `http` of a target, resolved. */
import type { HttpSection } from '#schemas/config-http';
import { durationMs } from './units.ts';
import type { Absolute } from './secret-source.ts';
import { resolveServiceCredential, type ServiceCredentialConfig } from './service.ts';

export interface HttpTargetConfig {
  readonly url: string;
  /** null: the system's roots. */
  readonly caFile: string | null;
  /** null: whatever its name resolves to. */
  readonly addresses: readonly string[] | null;
  readonly answerMs: number;
  /** Names in lower case. */
  readonly headers: { readonly cookies: boolean; readonly drop: readonly string[]; readonly set: Readonly<Record<string, string>> };
  readonly openapiFile: string | null;
  readonly routesFile: string | null;
  readonly graphqlFile: string | null;
  /** null: none. */
  readonly credential: ServiceCredentialConfig | null;
}

export function resolveHttp(section: HttpSection, absolute: Absolute): HttpTargetConfig {
  const { url, ca, addresses, answer_within: answers, headers, openapi, routes, graphql, credential } = section;
  const file = (path: string | undefined): string | null => (path === undefined ? null : absolute(path));
  return {
    url,
    caFile: file(ca),
    addresses: addresses ?? null,
    answerMs: durationMs(answers ?? '60s'),
    headers: {
      cookies: headers?.cookies ?? false,
      drop: (headers?.drop ?? []).map((name) => name.toLowerCase()),
      set: Object.fromEntries(Object.entries(headers?.set ?? {}).map(([name, value]) => [name.toLowerCase(), value])),
    },
    openapiFile: file(openapi),
    routesFile: file(routes),
    graphqlFile: file(graphql),
    credential: resolveServiceCredential(credential, absolute),
  };
}
