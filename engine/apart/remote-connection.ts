/** What remote judging keeps of one connection to an engine: which revision is in force there, and that it knows the catalogs. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Log } from '#client/log';
import { isCatalog, type Knowledge } from '#schemas/knowledge';
import { Digest } from '#schemas/common';
import { InterlockError } from '#schemas/errors';
import type { Channel, Stream } from '../channel/parts.ts';
import { Breaker } from './breaker.ts';
import { DECISION_LIMITS } from './decision-limits.ts';
import { METHOD, piece } from './decision-wire.ts';
import { encode, form } from './messages.ts';
import { newShared, type Shared } from './remote-place.ts';

export interface State {
  readonly revision: string;
  readonly masksPossible: boolean;
}

/** An API and a server of tools have no databases. */
export function databaseOf(knowledge: Knowledge): string {
  return isCatalog(knowledge) ? knowledge.database : '';
}

/** By target and database. */
export type Catalogs = ReadonlyMap<string, { readonly target: string; readonly catalog: Knowledge }>;

export class RemoteConnection {
  readonly channel: Channel;
  readonly shared: Shared = newShared();
  readonly breaker: Breaker = new Breaker(DECISION_LIMITS);
  /** Resolves with the first state told; rejects when the connection ends before. */
  readonly first: Promise<void>;
  state: State | null = null;
  readonly #catalogs: Catalogs;
  readonly #log: Log;
  /** By key: the catalog that the engine knows, or is being told. */
  readonly #told: Map<string, Knowledge> = new Map();
  #telling: Promise<void> | null = null;
  #following: Stream | null = null;

  constructor(channel: Channel, catalogs: Catalogs, log: Log, onState: (state: State) => void) {
    this.channel = channel;
    this.#catalogs = catalogs;
    this.#log = log;
    const first = Promise.withResolvers<void>();
    this.first = first.promise;
    first.promise.catch(() => {}); // whoever waits is told
    this.#follow(onState, first.resolve).then(
      () => first.reject(new InterlockError('ENGINE_UNAVAILABLE', 'the engine no longer says which policies are in force')),
      first.reject,
    );
  }

  /** null: the engine knows every catalog as it is now. Otherwise what is read before this resolves would be read without. */
  learned(): Promise<void> | null {
    if (this.#telling) return this.#telling;
    const missing = [...this.#catalogs].filter(([key, { catalog }]) => this.#told.get(key) !== catalog);
    if (missing.length === 0) return null;
    this.#telling = this.#tell(missing).finally(() => (this.#telling = null));
    this.#telling.catch(() => {}); // whoever reads is told, and then it is tried again
    return this.#telling;
  }

  /** Another connection took its place: what is still asked over this one is answered, and then it may end. */
  leave(): void {
    this.#following?.close();
  }

  async #tell(missing: readonly (readonly [string, { readonly target: string; readonly catalog: Knowledge }])[]): Promise<void> {
    for (const [key, { target, catalog }] of missing) {
      const { fingerprint } = catalog;
      const database = databaseOf(catalog);
      const head = piece(encode({ target, database, fingerprint }));
      const known = await this.#learn(head);
      if (known[0] !== 1) {
        const packed = await compress(JSON.stringify(catalog));
        await this.#learn(Buffer.concat([head, packed]));
        this.#log.info({ target, database, bytes: packed.length }, 'the engine was told the catalog of a target');
      }
      this.#told.set(key, catalog);
    }
    // others may have come meanwhile
    const more = [...this.#catalogs].filter(([key, { catalog }]) => this.#told.get(key) !== catalog);
    if (more.length > 0) await this.#tell(more);
  }

  #learn(question: Buffer): Promise<Uint8Array> {
    return this.channel.call(METHOD.learn, question, { deadlineMs: DECISION_LIMITS.learnMs });
  }

  async #follow(onState: (state: State) => void, first: () => void): Promise<void> {
    this.#following = this.channel.open(METHOD.state, new Uint8Array(0));
    for await (const message of this.#following) {
      const { revision, masks_possible } = STATE.read(message);
      this.state = { revision, masksPossible: masks_possible };
      onState(this.state);
      first();
    }
  }
}

const compress = promisify<string, Buffer>(gzip);

const STATE = form(
  { type: 'object', required: ['revision', 'masks_possible'], properties: { revision: Digest, masks_possible: { type: 'boolean' } } } as const,
  'the state of the policies',
);
