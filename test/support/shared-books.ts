/** Several engines' books over one stream, each with a journal of its own. */
import { type Clock, systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { type Log, silentLog } from '#client/log';
import type { Principal } from '#client/identity';
import {
  type ApprovalBook,
  type ApprovalOptions,
  type FollowedLog,
  openApprovals,
  openSharedLog,
  type SharedLogOptions,
} from '#engine/approvals/approvals';
import type { OrderedStream } from '#engine/approvals/ordering/stream';
import { NatsOrderedStream } from '#engine/nats/ordered-stream';
import { EngineTalk } from '#engine/nats/talk';
import type { FileJournal } from '#engine/journal/file-journal';
import type { NatsLink } from '#engine/nats/connection';
import { HOUR_MS, subject } from './approvals.ts';
import { MemoryDisk, MemoryJournal } from './memory-journal.ts';
import { freePort, type Somebody, somebody, STREAMS, TestNats, until } from './nats.ts';

export interface SharedBook {
  readonly name: string;
  readonly book: ApprovalBook;
  readonly ordered: FollowedLog;
  readonly journal: MemoryJournal | FileJournal;
  readonly disk: MemoryDisk;
  /** As a process that is killed: nobody hears of it. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

export interface BookFrom {
  readonly name: string;
  readonly stream: OrderedStream;
  readonly disk?: MemoryDisk;
  readonly journal?: MemoryJournal | FileJournal;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly limits?: SharedLogOptions['limits'];
  readonly key?: Uint8Array;
  readonly onForged?: NonNullable<SharedLogOptions['onForged']>;
  readonly options?: (options: ApprovalOptions) => ApprovalOptions;
  readonly ended?: () => Promise<void>;
}

/** Of the installation that all these engines are of. */
export const ORDER_KEY = Buffer.alloc(32, 1);
const TALK_KEY = Buffer.alloc(32, 2);

export async function openSharedBook(from: BookFrom): Promise<SharedBook> {
  const { name, stream, clock = systemClock, log = silentLog, disk = new MemoryDisk(), limits = {}, ended = () => Promise.resolve() } = from;
  const journal = from.journal ?? new MemoryJournal(clock, disk);
  const ordered = openSharedLog({
    stream,
    journal,
    clock,
    log,
    engine: name,
    limits,
    key: from.key ?? ORDER_KEY,
    ...(from.onForged && { onForged: from.onForged }),
  });
  const options: ApprovalOptions = { ...bookOptions(journal, clock, log), ordered };
  const book = await openApprovals(from.options?.(options) ?? options);
  const kill = async (): Promise<void> => {
    if ('fail' in journal) journal.fail(new Error('killed'));
    book.close();
    await ended();
  };
  const close = async (): Promise<void> => {
    book.close();
    await ordered.close();
    await ended();
  };
  return { name, book, ordered, journal, disk, kill, close };
}

export function bookOptions(journal: ApprovalOptions['journal'], clock: Clock = systemClock, log: Log = silentLog): ApprovalOptions {
  return {
    journal,
    clock,
    ids: new Ids(clock),
    log,
    expireMs: 24 * HOUR_MS,
    rememberDenialMs: 60_000,
    publicUrl: 'https://interlock.example.com',
    limits: { livePerPrincipalMax: 20_000, liveMax: 20_000 },
  };
}

type EngineName = 'one' | 'two' | 'three';

/** A server, or a cluster of three, with its streams and a key for each engine. */
export class SharedNats implements AsyncDisposable {
  readonly nodes: readonly TestNats[];
  readonly #engines: readonly Somebody[];
  readonly #links = new Set<NatsLink>();

  private constructor(nodes: readonly TestNats[], engines: readonly Somebody[]) {
    this.nodes = nodes;
    this.#engines = engines;
  }

  static async start(count: 1 | 3 = 1): Promise<SharedNats> {
    const engines = ['one', 'two', 'three'].map((name) => somebody('engine', name));
    const setup = somebody('setup', 'setup');
    const grants = [...engines, setup];
    const ports = await Promise.all(Array.from({ length: count === 1 ? 0 : count }, () => freePort()));
    const routes = ports.map((port) => `nats://127.0.0.1:${port}`);
    const clusters = count === 1 ? [null] : ports.map((port) => ({ name: 'engines', listen: `127.0.0.1:${port}`, routes, tls: null }));
    const nodes = await Promise.all(clusters.map((cluster, i) => TestNats.start({ grants, name: `node-${i}`, cluster })));
    const nats = new SharedNats(nodes, engines);
    // a cluster takes a moment to agree on who leads it
    await until(
      async () =>
        (await Promise.race([nats.#setUp(setup).catch(() => false), new Promise<false>((late) => setTimeout(late, 5_000, false))])) === true,
      30_000,
    );
    return nats;
  }

  get server(): TestNats {
    return this.nodes[0] as TestNats;
  }

  async book(name: EngineName, more: Partial<Omit<BookFrom, 'name' | 'stream'>> = {}): Promise<SharedBook> {
    const link = this.link(name);
    await link.connection();
    return openSharedBook({ name, stream: this.stream(name, link), ...more, ended: () => link.close() });
  }

  stream(name: string, link: NatsLink): NatsOrderedStream {
    return new NatsOrderedStream(link, STREAMS.approvals, new EngineTalk(link, { key: TALK_KEY, engine: name, clock: systemClock }));
  }

  link(name: EngineName): NatsLink {
    const link = this.server.link(this.#engines[['one', 'two', 'three'].indexOf(name)] as Somebody, this.#more());
    this.#links.add(link);
    return link;
  }

  async #setUp(setup: Somebody): Promise<boolean> {
    const reports = await this.server.setUp(setup, this.#more());
    return reports.every(({ state }) => state !== 'different');
  }

  #more(): { readonly servers: readonly string[]; readonly replicas: 1 | 3 } {
    return { servers: this.nodes.map(({ url }) => url), replicas: this.nodes.length === 3 ? 3 : 1 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#links].map((link) => link.close()));
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}

/** Carol, or whoever, with a token of now. */
export function person(login: string, groups: readonly string[] = ['owners'], clock: Clock = systemClock): Principal {
  const nowMs = clock.wallUs() / 1000;
  return { subject: subject(login, groups), scopes: ['approve'], issuedAtMs: nowMs, expiresAtMs: nowMs + HOUR_MS };
}
