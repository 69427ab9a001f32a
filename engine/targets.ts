/** The targets of a configuration, as their enforcers are started: where they stand, what is leased for them, what the enforcer is told. */
import { readFileSync } from 'node:fs';
import { startPostgresEnforcer } from '#enforcers/postgres/enforcer';
import type { PostgresTarget } from '#enforcers/postgres/target';
import type { Enforcer, EnforcerDeps } from '#enforcers/common/enforcer';
import type { LoadedConfig, TargetConfig } from './config/config.ts';
import type { RedactingLog } from './config/log.ts';
import { resolveUpstream, type Upstream } from './config/upstream.ts';
import { located, pem } from './located.ts';

export type Upstreams = Readonly<Record<string, Upstream>>;

/** @throws InterlockError CREDENTIAL_UNAVAILABLE, CONFIG_INVALID */
export async function resolveUpstreams(config: LoadedConfig, log: RedactingLog): Promise<Upstreams> {
  const entries = Object.values(config.targets).map(async (target) => {
    const upstream = await resolveUpstream(config, target);
    log.hide(upstream.password);
    if (upstream.notice !== null) log.warn({ target: target.name }, upstream.notice);
    return [target.name, upstream] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** The reference is read again for each lease: a rotated password is used from the next session on. */
export function leases(config: LoadedConfig): Record<string, () => Promise<{ user: string; password: string }>> {
  return Object.fromEntries(Object.values(config.targets).map((target) => [target.name, () => resolveUpstream(config, target)]));
}

export interface TargetParts {
  readonly config: LoadedConfig;
  readonly deps: EnforcerDeps;
  readonly upstreams: Upstreams;
  /** What refusals and notices point to. */
  readonly publicUrl: string;
}

/** Listens for the clients of one target. */
export function startEnforcer(target: TargetConfig, { config, deps, upstreams, publicUrl }: TargetParts): Promise<Enforcer> {
  const upstream = upstreams[target.name] as Upstream;
  const tls = pem(target.tls);
  const described: PostgresTarget = {
    name: target.name,
    listen: target.listen,
    env: target.env,
    labels: target.labels,
    limits: target.limits,
    publicUrl,
    approvals: { waitMs: config.approvals.waitMs, inTransaction: target.inTransaction },
    ...(tls === null ? {} : { tls }),
    upstream: { host: upstream.host, port: upstream.port, databases: upstream.databases, tls: upstreamTls(upstream) },
  };
  return startPostgresEnforcer({ target: described, ...deps }).catch(located(config, `targets.${target.name}`));
}

function upstreamTls({ tls }: Upstream): PostgresTarget['upstream']['tls'] {
  if (tls.mode === 'off') return { mode: 'off' };
  return { mode: 'verify-full', ...(tls.caFile === null ? {} : { ca: readFileSync(tls.caFile, 'utf8') }) };
}
