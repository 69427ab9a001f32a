/** What of a running process follows its configuration file: on SIGHUP, and when the file is saved. */
import type { Enforcer } from '#enforcers/common/enforcer';
import type { HttpCatalog } from '#schemas/knowledge';
import type { Base, Live } from './base.ts';
import { checkFiles } from './config/files.ts';
import { loadConfig } from './config/load.ts';
import type { LoadedConfig, TargetConfig } from './config/config.ts';
import { Descriptions } from './describing.ts';
import { openReloading, watchFile, type Reloadable } from './operations/reload.ts';
import { pem } from './located.ts';

type Enforcers = readonly (readonly [target: string, enforcer: Enforcer])[];

export interface ReloadingParts {
  readonly enforcers: Enforcers;
  /** Policies, and what else is read again whatever changed. */
  readonly again: () => Promise<void>;
}

export interface ReloadingProcess {
  /** @throws what was wrong with the configuration or with a part; what was in force stays */
  reload(): Promise<void>;
  close(): void;
}

/** Everything has started: from now on the file is watched. */
export function openReloadingProcess(base: Base, { enforcers, again }: ReloadingParts): ReloadingProcess {
  const { config, log, live } = base;
  const saved = (): Promise<void> =>
    reloading.reload().catch((error: unknown) => log.error({ err: error }, 'a file was saved with a mistake; what was in force stays'));
  const descriptions = new Descriptions(config, saved);
  const parts: readonly Reloadable<LoadedConfig>[] = [
    ...base.reloadables,
    { keys: ['log.level'], apply: (next) => log.setLevel(next.log.level) },
    { keys: ['targets.*.limits', 'targets.*.tls.cert', 'targets.*.tls.key', 'targets.*.tls.ca'], apply: (next) => renew(enforcers, next) },
    { keys: DESCRIBED, apply: async (next) => describe(enforcers, next, await descriptions.changed(next)) },
    { keys: FOLLOWED, apply: (next) => follow(live, next) },
    { keys: [], apply: again },
  ];
  const reloading = openReloading({
    first: config,
    raw: (loaded) => concerned(loaded, config),
    load: () => read(config.file),
    log,
    parts,
    waiting: (keys) => (live.restart = keys),
  });
  const watch = watchFile(config.file, saved);
  const close = (): void => {
    watch.close();
    descriptions.close();
  };
  return { reload: () => reloading.reload(), close };
}

async function read(file: string): Promise<LoadedConfig> {
  const next = await loadConfig(file);
  await checkFiles(next);
  return next;
}

/** An enforcer of one target is not concerned by the others of its file. */
function concerned({ raw }: LoadedConfig, { role, targets }: LoadedConfig): unknown {
  if (role !== 'enforcer') return raw;
  return { ...raw, targets: Object.fromEntries(Object.entries(raw.targets).filter(([name]) => Object.hasOwn(targets, name))) };
}

/** Sessions that are open keep what they were opened with. */
function renew(enforcers: Enforcers, next: LoadedConfig): void {
  for (const [name, enforcer] of enforcers) {
    const target = next.targets[name];
    if (target !== undefined) enforcer.renew({ limits: target.limits, tls: pem(target.tls) });
  }
}

const DESCRIBED = ['targets.*.http.openapi', 'targets.*.http.routes', 'targets.*.http.graphql'] as const;

/** In force from the next request on, in sessions that are open too. */
function describe(enforcers: Enforcers, next: LoadedConfig, catalogs: ReadonlyMap<string, HttpCatalog>): void {
  for (const [name, enforcer] of enforcers) {
    const [target, catalog] = [next.targets[name], catalogs.get(name)];
    if (target !== undefined && catalog !== undefined) enforcer.renew({ limits: target.limits, tls: null, catalog });
  }
}

/** What `follow` brings over. */
const FOLLOWED = [
  'targets.*.credential',
  'targets.*.env',
  'targets.*.labels',
  'targets.*.approvals',
  'approvals.wait',
  'approvals.in_transaction',
  'nats.backlog',
] as const;

/**
 * Readers of `live` find the new one, all of it or nothing: what a session is opened with is looked up then. Where a target stands is fixed while it
 * is enforced.
 */
function follow(live: Live, next: LoadedConfig): void {
  const { config } = live;
  const targets = Object.values(config.targets).map((target) => [target.name, followed(target, next.targets[target.name])] as const);
  const { waitMs } = next.approvals;
  live.config = {
    ...config,
    targets: Object.fromEntries(targets),
    approvals: { ...config.approvals, waitMs },
    nats: config.nats === null || next.nats === null ? config.nats : { ...config.nats, backlog: next.nats.backlog },
  };
}

/** One that is gone from the file is enforced until the process ends, as it was. */
function followed(target: TargetConfig, next: TargetConfig | undefined): TargetConfig {
  if (next === undefined) return target;
  const { env, labels, inTransaction } = next;
  return { ...signedInBy(target, next), http: describedBy(target, next), env, labels, inTransaction };
}

function describedBy({ http }: TargetConfig, next: TargetConfig): TargetConfig['http'] {
  if (http === null || next.http === null) return http;
  const { openapiFile, routesFile, graphqlFile } = next.http;
  return { ...http, openapiFile, routesFile, graphqlFile };
}

function signedInBy(target: TargetConfig, next: TargetConfig): TargetConfig {
  if (next.upstream.kind !== 'fields' || target.upstream.kind !== 'fields') return target;
  const { user, password, vault } = next.upstream;
  return { ...target, upstream: { ...target.upstream, user, password, vault } };
}
