/** The catalogs of one target's databases, read over the gateway's own connections wherever masks are possible (MASKING.md §2). */
import type { Lease } from '#client/credentials';
import type { DecisionService } from '#client/decision-service';
import type { Log } from '#client/log';
import type { Catalog } from '#schemas/catalog';
import { InterlockError } from '#schemas/errors';
import { CATALOG_FINGERPRINT_SQL, catalogChanged, readCatalog } from './catalog.ts';
import type { SessionCatalog } from './judging.ts';
import { openOwnClient, type OwnClient } from './own-client.ts';
import type { Upstream } from './target.ts';

export interface CatalogKeeperOptions {
  readonly target: string;
  readonly upstream: Upstream;
  readonly lease: () => Promise<Lease>;
  readonly decisions: DecisionService;
  readonly log: Log;
}

export class CatalogKeeper {
  readonly #options: CatalogKeeperOptions;
  readonly #known: Map<string, Catalog> = new Map();
  readonly #clients: Map<string, OwnClient> = new Map();
  /** One reading of a database at a time; those who ask meanwhile get the next one, which sees what they did. */
  readonly #reading: Map<string, Promise<void>> = new Map();
  readonly #next: Map<string, Promise<void>> = new Map();
  /** Counts up whenever the decisions learned another catalog. */
  epoch = 0;

  constructor(options: CatalogKeeperOptions) {
    this.#options = options;
  }

  /** Resolves once the decisions know the catalog as it is now, or later. @throws InterlockError CATALOG_UNAVAILABLE */
  current(database: string): Promise<void> {
    if (!this.#options.decisions.masksPossible) return Promise.resolve();
    const reading = this.#reading.get(database);
    if (!reading) return this.#start(database);
    const waiting = this.#next.get(database);
    if (waiting) return waiting;
    const next = reading.then(
      () => this.#start(database),
      () => this.#start(database),
    );
    this.#next.set(database, next);
    return next;
  }

  /** As it is now, for people to look at: the decisions learn nothing of it. @throws InterlockError CATALOG_UNAVAILABLE */
  async peek(database: string): Promise<Catalog> {
    try {
      const client = await openOwnClient(this.#options.upstream, await this.#options.lease(), database);
      try {
        return await readCatalog(client.query);
      } finally {
        client.close();
      }
    } catch (error) {
      throw new InterlockError('CATALOG_UNAVAILABLE', 'the catalog of the target could not be read', { cause: error });
    }
  }

  /** As one session sees it. */
  of(database: string): SessionCatalog {
    return {
      current: () => this.current(database),
      epoch: () => this.epoch,
      fingerprint: () => {
        const known = this.#known.get(database);
        return known ? { text: CATALOG_FINGERPRINT_SQL, known: known.fingerprint } : null;
      },
    };
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #start(database: string): Promise<void> {
    this.#next.delete(database);
    const reading = this.#read(database).finally(() => this.#reading.delete(database));
    this.#reading.set(database, reading);
    return reading;
  }

  async #read(database: string): Promise<void> {
    const held = this.#clients.has(database);
    try {
      await this.#readOver(database).catch((error: unknown) => {
        this.#drop(database);
        // the target may have ended a connection that idled since the last reading: one opened just now tells the truth
        if (!held) throw error;
        return this.#readOver(database);
      });
    } catch (error) {
      this.#drop(database);
      this.#options.log.error({ target: this.#options.target, database, err: error }, 'the catalog could not be read');
      throw new InterlockError('CATALOG_UNAVAILABLE', 'the catalog of the target could not be read', { cause: error });
    }
  }

  async #readOver(database: string): Promise<void> {
    const known = this.#known.get(database);
    const client = await this.#client(database);
    if (known && !(await catalogChanged(client.query, known))) return;
    const catalog = await readCatalog(client.query);
    this.#known.set(database, catalog);
    this.#options.decisions.learn(this.#options.target, catalog);
    this.epoch++;
  }

  #drop(database: string): void {
    this.#clients.get(database)?.close();
    this.#clients.delete(database);
  }

  async #client(database: string): Promise<OwnClient> {
    const known = this.#clients.get(database);
    if (known && !known.connection.socket.destroyed) return known;
    const client = await openOwnClient(this.#options.upstream, await this.#options.lease(), database);
    client.connection.socket.unref();
    this.#clients.set(database, client);
    return client;
  }
}
