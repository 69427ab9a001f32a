/** The descriptions of APIs while a process runs: read again when the configuration is, and when one of their files is saved. */
import { createHash } from 'node:crypto';
import type { HttpCatalog } from '#schemas/knowledge';
import type { LoadedConfig } from './config/config.ts';
import { readDescriptionApart } from './facts/http/description-thread.ts';
import { descriptionOf } from './http-target.ts';
import { type FileWatch, watchFile } from './operations/reload.ts';

export class Descriptions {
  /** By target: digest of the texts that were read last. */
  readonly #known = new Map<string, string>();
  readonly #watched = new Map<string, FileWatch>();
  readonly #saved: () => Promise<void>;

  /** @param saved called whenever one of the files was */
  constructor(config: LoadedConfig, saved: () => Promise<void>) {
    this.#saved = saved;
    // nothing is known of what was read at the start: the first reload compares with nothing, and reads all of them
    this.#watch(config);
  }

  /**
   * Of the targets whose files say something else now, all of them or none.
   * @throws InterlockError CONFIG_INVALID: what was in force stays
   */
  async changed(next: LoadedConfig): Promise<ReadonlyMap<string, HttpCatalog>> {
    const texts = textsOf(next).filter(([name, { digest }]) => this.#known.get(name) !== digest);
    const catalogs = new Map<string, HttpCatalog>();
    // one after the other: each takes a thread and its memory
    for (const [name, { description }] of texts) catalogs.set(name, await readDescriptionApart(description));
    for (const [name, { digest }] of texts) this.#known.set(name, digest);
    this.#watch(next);
    return catalogs;
  }

  close(): void {
    for (const watch of this.#watched.values()) watch.close();
    this.#watched.clear();
  }

  #watch(config: LoadedConfig): void {
    const files = new Set(filesOf(config));
    for (const [file, watch] of this.#watched) {
      if (files.has(file)) continue;
      watch.close();
      this.#watched.delete(file);
    }
    for (const file of files) if (!this.#watched.has(file)) this.#watched.set(file, watchFile(file, this.#saved));
  }
}

type Texts = readonly [name: string, { readonly digest: string; readonly description: ReturnType<typeof descriptionOf> }];

function textsOf({ targets }: LoadedConfig): readonly Texts[] {
  return Object.values(targets).flatMap(({ name, http }): readonly Texts[] => {
    if (http === null) return [];
    const description = descriptionOf(http);
    return [[name, { digest: createHash('sha256').update(JSON.stringify(description)).digest('hex'), description }]];
  });
}

function filesOf({ targets }: LoadedConfig): readonly string[] {
  return Object.values(targets).flatMap(({ http }) =>
    http === null ? [] : [http.openapiFile, http.routesFile, http.graphqlFile].filter((file) => file !== null),
  );
}
