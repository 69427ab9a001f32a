/** The worlds of this engine: its approver sources, the directory's people, the groups last seen and the delegations in force. */
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import type { People } from './people.ts';
import type { SeenGroups } from './seen-groups.ts';
import type { ApproverSource } from './sources/source.ts';
import type { Asking, Delegation, Named, World, Worlds } from './world.ts';

export interface ChainWorldsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly sources: readonly ApproverSource[];
  readonly seen: SeenGroups;
  /** Of the directory in force. */
  readonly people: () => People;
  readonly delegations: { inForce(): readonly Delegation[] };
  /** Of a configured target; null: there is none of that name. */
  readonly describe: (target: string) => { readonly env: string; readonly labels: Readonly<Record<string, string>> } | null;
}

export class ChainWorlds implements Worlds {
  readonly #options: ChainWorldsOptions;
  readonly #sources: ReadonlyMap<string, ApproverSource>;

  constructor(options: ChainWorldsOptions) {
    this.#options = options;
    this.#sources = new Map(options.sources.map((source) => [source.scheme, source]));
  }

  async prepare(_asking: Asking, refs: readonly string[]): Promise<void> {
    const wanted = Map.groupBy(refs.map(parted), ({ scheme }) => scheme);
    await Promise.all(
      [...wanted].map(async ([scheme, parts]) => {
        try {
          await this.#sources.get(scheme)?.refresh?.(parts.map(({ name }) => name));
        } catch (error) {
          // it names nobody then, and says so itself
          this.#options.log.error({ err: error, source: scheme }, 'a source of approvers failed');
        }
      }),
    );
  }

  of(asking: Asking): World {
    const { seen, people, delegations } = this.#options;
    const linked = people();
    const resolved = new Map<string, readonly Named[] | null>();
    return {
      groupsOf: (human) => seen.of(human),
      personsOf: linked.marksOf,
      delegations: delegations.inForce(),
      resolve: (ref) => {
        let named = resolved.get(ref);
        if (named === undefined) resolved.set(ref, (named = this.#resolve(ref, asking)));
        return named;
      },
    };
  }

  #resolve(ref: string, asking: Asking): readonly Named[] | null {
    const { scheme, name } = parted(ref);
    const { clock, describe, log } = this.#options;
    const { subject, target, objects } = asking;
    try {
      const { env, labels } = describe(target) ?? { env: null, labels: {} };
      return this.#sources.get(scheme)?.resolve(name, { subject, target, objects, env, labels, nowUs: clock.wallUs() }) ?? null;
    } catch (error) {
      log.error({ err: error, ref }, 'a source of approvers failed: it names nobody');
      return null;
    }
  }
}

function parted(ref: string): { readonly scheme: string; readonly name: string } {
  const colon = ref.indexOf(':');
  return colon < 0 ? { scheme: '', name: ref } : { scheme: ref.slice(0, colon), name: ref.slice(colon + 1) };
}
