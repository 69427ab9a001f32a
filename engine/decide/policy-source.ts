/** Where revisions come from. */
import { compilePolicies, type FreshPolicies } from './bundle.ts';
import type { LoadedPolicies } from './packed.ts';
import { readSources, sourcesStamp } from './sources.ts';
import { type SourceWatch, watchSources } from './watch.ts';

/** A revision that is not in force yet. */
export interface Offer {
  /** What events and the status call it: a folder, or `bundle 42`. */
  readonly source: string;
  readonly load: () => Promise<LoadedPolicies>;
  /** Called when it passed everything, before anything is judged by it; what it throws keeps it out. */
  readonly commit?: () => Promise<void>;
  /** Wall clock, microseconds: it judges no longer than that; absent: as long as it is confirmed. */
  readonly untilUs?: number;
  /** So long it judges unconfirmed; absent: as the settings say. */
  readonly maxAgeMs?: number;
}

/** What a source sees of what judges. */
export interface PolicyHome {
  /** In force. */
  readonly revision: string;
  /** Whether there is one, be it past its time. */
  readonly judging: boolean;
  /** Builds and tests off to the side, then swaps at once; one at a time. @throws what was wrong; the last good revision stays */
  offer(offer: Offer): Promise<void>;
  /** The revision in force was seen to be the newest. @param untilUs from now on it may judge until then; and what was wrong before is over */
  confirm(untilUs?: number): void;
  /** Says and records why something did not get so far as to be offered. */
  rejected(source: string, error: unknown): void;
  /** There is a newer one that is not taken over: what is in force ages. */
  fellBehind(): void;
}

export interface PolicySource {
  readonly name: string;
  /** Offers the first revision, then each new one. @throws what keeps a gateway from starting */
  open(home: PolicyHome): Promise<void>;
  /** Looks again, now. @throws what was wrong */
  reload(): Promise<void>;
  close(): void;
}

export interface FolderSettings {
  readonly dir: string;
  /** YAML or JSON documents merged into `data`, later ones over earlier ones. */
  readonly data: readonly string[];
  /** Take over what changes. */
  readonly watch: boolean;
}

/** A folder of Rego files, compiled here. */
export class FolderSource implements PolicySource {
  readonly #settings: FolderSettings;
  readonly #opa: () => Promise<string>;
  readonly #publish: ((policies: FreshPolicies) => Promise<void>) | null;
  #home: PolicyHome | null = null;
  #watch: SourceWatch | null = null;

  /** @param opa path of the OPA program @param publish what passed its self-test goes there first: what it throws keeps the revision out */
  constructor(settings: FolderSettings, opa: () => Promise<string>, publish: ((policies: FreshPolicies) => Promise<void>) | null = null) {
    this.#settings = settings;
    this.#opa = opa;
    this.#publish = publish;
  }

  get name(): string {
    return this.#settings.dir;
  }

  async open(home: PolicyHome): Promise<void> {
    const { dir, data, watch } = this.#settings;
    this.#home = home;
    const stamp = await sourcesStamp(dir, data).catch(() => '');
    await this.reload();
    const changed = async (): Promise<void> => {
      home.fellBehind();
      // what was wrong stands in the log and in the status
      if (watch) await this.reload().catch(() => {});
    };
    this.#watch = watchSources(dir, data, stamp, changed, () => home.confirm());
  }

  async reload(): Promise<void> {
    const { dir, data } = this.#settings;
    let compiled: FreshPolicies | null = null;
    const load = async (): Promise<LoadedPolicies> => {
      const sources = await readSources(dir, data);
      compiled = await compilePolicies(sources, this.#opa);
      return { compiled, cases: sources.cases };
    };
    const commit = async (): Promise<void> => {
      if (compiled !== null) await this.#publish?.(compiled);
    };
    await this.#home?.offer({ source: dir, load, commit });
  }

  close(): void {
    this.#watch?.close();
    this.#watch = null;
  }
}
