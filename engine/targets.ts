/** The targets of a configuration, as their enforcers are started: where they stand, and what their enforcer is told. */
import { readFileSync } from 'node:fs';
import { startPostgresEnforcer } from '#enforcers/postgres/enforcer';
import type { PostgresTarget } from '#enforcers/postgres/target';
import type { Enforcer, EnforcerDeps } from '#enforcers/common/enforcer';
import { InterlockError } from '#schemas/errors';
import type { Archiving } from './archiving.ts';
import type { LoadedConfig, TargetConfig, UpstreamTls } from './config/config.ts';
import type { Upstream } from './config/upstream.ts';
import { startHttpTarget } from './http-target.ts';
import { located, pem } from './located.ts';
import { startMcpTarget, withResources } from './mcp-target.ts';
import type { Mounts } from './api/mounts.ts';
import { type Said as SaidOf, withSaid } from './said.ts';

/** Where a target is, without what signs in there. */
export type Place = Pick<Upstream, 'host' | 'port' | 'databases' | 'tls'>;

/** Of an enforcer's own file, in which no credential stands. */
export function placeOf({ name, protocol, upstream }: TargetConfig): Place | null {
  if (protocol !== 'postgresql') return null;
  if (upstream.kind === 'url') throw new InterlockError('CONFIG_INVALID', `targets.${name}.upstream.url: holds a credential, which is the engine’s`);
  return upstream;
}

/** What the engine decides about a target: in force for what begins after it was said. */
export type Said = SaidOf<PostgresTarget['approvals']>;

export function saidBy(config: LoadedConfig, { env, labels, inTransaction }: TargetConfig, publicUrl: string): Said {
  return { env, labels, approvals: { waitMs: config.approvals.waitMs, inTransaction }, publicUrl };
}

export interface TargetParts {
  readonly config: LoadedConfig;
  readonly deps: EnforcerDeps & {
    /** null: there is none. */ readonly archiving: Archiving | null /** Absent: no API in this process. */;
    readonly mounts?: Mounts;
  };
  /** Of a database; null: a service, whose section says it. */
  readonly place: Place | null;
  readonly said: () => Said;
}

/** Listens for the clients of one target. */
export function startEnforcer(target: TargetConfig, parts: TargetParts): Promise<Enforcer> {
  return start(target, parts).catch(located(parts.config, `targets.${target.name}`));
}

function start(target: TargetConfig, parts: TargetParts): Promise<Enforcer> {
  switch (target.protocol) {
    case 'postgresql':
      return startDatabase(target, parts);
    case 'mcp':
      return startMcpTarget(withResources(target, parts.config), {
        deps: depsOf(target, parts),
        stateDir: parts.config.stateDir,
        said: parts.said,
        mount: parts.deps.mounts ?? null,
      });
    case 'http':
      return startHttpTarget(target, { deps: depsOf(target, parts), said: parts.said });
  }
}

/** With the archive's rules of this target. */
function depsOf({ audit }: TargetConfig, { deps }: TargetParts): EnforcerDeps {
  const { archiving } = deps;
  return archiving === null ? deps : { ...deps, journal: archiving.wrap(deps.journal, audit) };
}

function startDatabase(target: TargetConfig, parts: TargetParts): Promise<Enforcer> {
  const { place, said } = parts;
  if (place === null) throw new InterlockError('INTERNAL', `target ${target.name} has no place`);
  const tls = pem(target.tls);
  const described = {
    name: target.name,
    listen: target.listen,
    limits: target.limits,
    ...(tls === null ? {} : { tls }),
    upstream: { host: place.host, port: place.port, databases: place.databases, tls: upstreamTls(place.tls) },
  };
  return startPostgresEnforcer({ target: withSaid(described, said), ...depsOf(target, parts) });
}

function upstreamTls(tls: UpstreamTls): PostgresTarget['upstream']['tls'] {
  if (tls.mode === 'off') return { mode: 'off' };
  return { mode: 'verify-full', ...(tls.caFile === null ? {} : { ca: readFileSync(tls.caFile, 'utf8') }) };
}
