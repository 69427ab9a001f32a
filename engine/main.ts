/** The composition root: the only place, with cli/, that builds concrete parts and sees both the engine and the enforcers. */
import type { Enforcer } from '#enforcers/common/enforcer';
import { openBase, type BaseOptions } from './base.ts';
import { openCentral } from './central.ts';
import type { LoadedConfig } from './config/config.ts';
import { running, type Running } from './running.ts';
import { saidBy, startEnforcer, type TargetParts } from './targets.ts';

export type { Running } from './running.ts';

export interface UpOptions extends BaseOptions {
  /** The folder of the built console, as soon as it is there; absent: the API alone. */
  readonly console?: Promise<string>;
}

/**
 * Engine and enforcers in one process. What was started is ended again if a later part does not start.
 * @throws InterlockError of the part that did not start: one readable message
 */
export async function up(config: LoadedConfig, options: UpOptions): Promise<Running> {
  await using started = new AsyncDisposableStack();
  const enforcers: (readonly [target: string, enforcer: Enforcer])[] = [];
  const base = await openBase(config, options, started);
  const shown = options.console === undefined ? {} : { console: options.console };
  const central = await openCentral(base, { ...shown, enforcers: () => enforcers }, started);
  const deps: TargetParts['deps'] = { ...base, ...central };
  const upstreams = await central.upstreams();
  for (const target of Object.values(config.targets)) {
    const enforcer = await startEnforcer(target, {
      config,
      deps,
      place: upstreams[target.name] ?? null,
      said: () => saidBy(base.live.config, base.live.config.targets[target.name] ?? target, central.publicUrl),
    });
    started.defer(() => enforcer.close());
    enforcers.push([target.name, enforcer]);
  }
  const { decisions, api } = central;
  return running({
    base,
    enforcers,
    api,
    revision: () => decisions.revision,
    reload: () => decisions.reload(),
    stack: started.move(),
  });
}
