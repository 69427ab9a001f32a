/**
 * `/v1/live`: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) that say what has changed; clients ask again for
 * what they show. Changes are gathered for a quarter of a second, each is told once, and only to those who may read it. A client that comes back
 * with `Last-Event-ID` is told what it missed, or to fetch again where that is no longer known.
 */
import { randomUUID } from 'node:crypto';
import { InterlockError } from '#schemas/errors';
import type { LiveEvent } from '#schemas/review';
import { isConcerned, mayReadChange, mayReadOutline } from './access.ts';
import type { Outlet } from './outlet.ts';
import { LIMITS, LIVE_EVERY_MS, LIVE_HEARTBEAT_MS } from './limits.ts';
import type { ApiParts, Change, Outline, Reader } from './parts.ts';

/** An approval's own readers are judged by the book, at the time of telling. */
type Gathered = Change | { readonly live: LiveEvent; readonly owners: 'book' };
type Numbered = Gathered & {
  readonly number: number /** Of an approval: what its readers are judged by; null: it is forgotten. */;
  readonly outline: Outline | null;
};

interface Client {
  /** As they are known at the time. */
  readonly reader: () => Reader;
  readonly subject: string;
  readonly outlet: Outlet;
  readonly end: (error: Error) => void;
  /** What is told to one client is told in order. */
  telling: Promise<void>;
}

/** Look-ups of sources and delegations for one client at one telling; beyond, it is told to fetch again. */
const ASKED_MAX = 20;

export class Live {
  readonly #parts: Pick<ApiParts, 'approvals' | 'delegations' | 'onChange'>;
  readonly #boot = randomUUID().slice(0, 8);
  readonly #clients = new Set<Client>();
  readonly #kept: Numbered[] = [];
  readonly #stops: (() => void)[];
  readonly #timers: NodeJS.Timeout[];
  #gathered = new Map<string, Gathered>();
  #overflow = false;
  #last = 0;

  constructor(parts: Pick<ApiParts, 'approvals' | 'delegations' | 'onChange'>) {
    this.#parts = parts;
    this.#stops = [
      parts.approvals.onChange(({ approvalId, state }) => this.#gather({ live: { kind: 'approval', id: approvalId, state }, owners: 'book' })),
      parts.onChange((change) => this.#gather(change)),
    ];
    this.#timers = [
      setInterval(() => this.#tell(), LIVE_EVERY_MS).unref(),
      setInterval(() => this.#toAll(() => ': still here\n\n'), LIVE_HEARTBEAT_MS).unref(),
    ];
  }

  /**
   * Resolves when the signal aborts; rejects when the client does not read.
   * @throws InterlockError API_BUSY
   */
  async serve(reader: () => Reader, lastEventId: string | null, outlet: Outlet, signal: AbortSignal): Promise<void> {
    const subject = reader().principal.subject.id;
    const own = [...this.#clients].filter((client) => client.subject === subject);
    if (this.#clients.size >= LIMITS.live || own.length >= LIMITS.livePerPrincipal)
      throw new InterlockError('API_BUSY', `more than ${LIMITS.live} live streams, or ${LIMITS.livePerPrincipal} of one person`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const client: Client = { reader, subject, outlet, end: reject, telling: Promise.resolve() };
    this.#clients.add(client);
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
    this.#welcome(client, lastEventId);
    try {
      await promise;
    } finally {
      this.#clients.delete(client);
    }
  }

  close(): void {
    for (const stop of this.#stops) stop();
    for (const timer of this.#timers) clearInterval(timer);
  }

  #welcome(client: Client, lastEventId: string | null): void {
    write(client, `retry: 2000\n\n`);
    const seen = lastEventId?.startsWith(`${this.#boot}-`) === true ? Number(lastEventId.slice(this.#boot.length + 1)) : Number.NaN;
    const known = Number.isInteger(seen) && seen <= this.#last && seen >= (this.#kept[0]?.number ?? this.#last + 1) - 1;
    if (lastEventId === null) return write(client, this.#event('ready', {}, this.#last));
    if (!known) return write(client, this.#event('refetch', {}, this.#last));
    const missed = this.#kept.filter(({ number }) => number > seen);
    if (missed.length > LIMITS.liveGathered) return write(client, this.#event('refetch', {}, this.#last));
    this.#queue(client, missed);
  }

  /** The last state of each thing is enough. */
  #gather(change: Gathered): void {
    const key = `${change.live.kind} ${change.live.id}`;
    if (!this.#gathered.has(key) && this.#gathered.size >= LIMITS.liveGathered) this.#overflow = true;
    else this.#gathered.set(key, change);
  }

  #tell(): void {
    if (this.#gathered.size === 0) return;
    const changes = [...this.#gathered.values()].map((change) => ({ ...change, number: ++this.#last, outline: this.#outlineOf(change) }));
    this.#gathered = new Map();
    if (this.#overflow) {
      this.#overflow = false;
      this.#kept.length = 0;
      return this.#toAll(() => this.#event('refetch', {}, this.#last));
    }
    this.#kept.push(...changes);
    if (this.#kept.length > LIMITS.liveKept) this.#kept.splice(0, this.#kept.length - LIMITS.liveKept);
    for (const client of this.#clients) this.#queue(client, changes);
  }

  #queue(client: Client, changes: readonly Numbered[]): void {
    client.telling = client.telling.then(() => this.#tellOne(client, changes)).catch((error: unknown) => client.end(error as Error));
  }

  /** A client that does not read is not waited for. */
  async #tellOne(client: Client, changes: readonly Numbered[]): Promise<void> {
    let asked = 0;
    const reader = client.reader();
    if (client.outlet.waiting > LIMITS.liveBufferBytes) return client.end(new Error('a live stream was not read'));
    for (const change of changes) {
      if (!this.#clients.has(client)) return;
      const seen = await this.#mayRead(reader, change, () => (asked += 1) <= ASKED_MAX);
      if (seen === 'unknown') return write(client, this.#event('refetch', {}, changes.at(-1)?.number ?? this.#last));
      if (seen) write(client, this.#event('change', change.live, change.number));
    }
  }

  async #mayRead(reader: Reader, change: Numbered, look: () => boolean): Promise<boolean | 'unknown'> {
    try {
      if (change.owners !== 'book') return await mayReadChange(reader, change, this.#parts.delegations);
      if (change.outline === null) return false;
      if (mayReadOutline(reader, change.outline)) return true;
      if (!reader.principal.scopes.includes('approve')) return false;
      return look() ? await isConcerned(this.#parts.approvals, change.live.id, reader) : 'unknown';
    } catch {
      return false; // forgotten meanwhile, or nobody could say whom it asks: what is not known to be theirs is not told
    }
  }

  /** Once for all clients, and without its text, which may be long. */
  #outlineOf({ owners, live }: Gathered): Outline | null {
    if (owners !== 'book') return null;
    try {
      const { approval_id, state, requirement, subject, target, summary, reasons } = this.#parts.approvals.show(live.id);
      return { approval_id, state, requirement, subject, target, summary, reasons };
    } catch {
      return null; // forgotten meanwhile: nobody is told
    }
  }

  #event(name: string, data: object, number: number): string {
    return `id: ${this.#boot}-${number}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  #toAll(text: () => string): void {
    for (const client of this.#clients) write(client, text());
  }
}

function write(client: Client, text: string): void {
  client.outlet.write(text);
}
