/** A target that is an HTTP API, as its enforcer is told of it: its description is read here, once. */
import { readFileSync } from 'node:fs';
import { startHttpEnforcer } from '#enforcers/http/enforcer';
import type { HttpTarget } from '#enforcers/http/target';
import type { Enforcer, EnforcerDeps } from '#enforcers/common/enforcer';
import { InterlockError } from '#schemas/errors';
import type { HttpCatalog } from '#schemas/knowledge';
import type { TargetConfig } from './config/config.ts';
import type { HttpTargetConfig } from './config/http.ts';
import { type Description, readDescription, type SourceText } from './facts/http/description.ts';
import { pem } from './located.ts';
import { type Said, withSaid } from './said.ts';

export interface HttpParts {
  readonly deps: EnforcerDeps;
  readonly said: () => Said<HttpTarget['approvals']>;
}

/** Rejects as its enforcer does, and CONFIG_INVALID where the description cannot be used. */
export async function startHttpTarget(target: TargetConfig, { deps, said }: HttpParts): Promise<Enforcer> {
  return startHttpEnforcer({ ...deps, target: httpTargetOf(target, said) });
}

/** What is known of its operations: also for commands that judge without an enforcer. @throws InterlockError CONFIG_INVALID */
export function httpCatalogOf(http: HttpTargetConfig): HttpCatalog {
  return readDescription(descriptionOf(http));
}

/** The texts of its files as they are now. @throws InterlockError CONFIG_INVALID */
export function descriptionOf({ openapiFile, routesFile, graphqlFile }: HttpTargetConfig): Description {
  return { openapi: textOf(openapiFile), routes: textOf(routesFile), graphql: textOf(graphqlFile) };
}

/** @throws InterlockError CONFIG_INVALID: its description, or a file of a certificate */
export function httpTargetOf(target: TargetConfig, said: HttpParts['said']): HttpTarget {
  const { name, listen, limits, http } = target;
  if (http === null) throw new InterlockError('INTERNAL', `target ${name} has no section http`);
  const { url, caFile, addresses, answerMs, headers } = http;
  const tls = pem(target.tls);
  const described = {
    name,
    listen,
    ...(tls === null ? {} : { tls }),
    upstream: { url, answerMs, ...(caFile === null ? {} : { ca: readFileSync(caFile, 'utf8') }), ...(addresses === null ? {} : { addresses }) },
    catalog: httpCatalogOf(http),
    headers,
    limits,
  };
  return withSaid(described, said);
}

function textOf(file: string | null): SourceText | null {
  if (file === null) return null;
  try {
    return { file, text: readFileSync(file, 'utf8') };
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new InterlockError('CONFIG_INVALID', `${file}: ${code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`}`, {
      cause: error,
    });
  }
}
