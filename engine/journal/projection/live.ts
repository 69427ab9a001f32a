/** The projection of a running gateway: a thread that writes it, one that reads it, and what is known of both. */
import type { Worker } from 'node:worker_threads';
import { InterlockError } from '#schemas/errors';
import type { Projection, ProjectionChange, ProjectionOptions, ProjectionProgress, ProjectionStatus } from './projection.ts';
import { Pressure } from './pressure.ts';
import { Reader } from './reader-pool.ts';
import { openThread, type Order, type QueryName, type Report } from './threads.ts';

const QUERY_MS_MAX = 2_000;
/** How often the journal is looked at for more. */
const LOOK_EVERY_MS = 50;
const TOLD_EVERY_MS = 5_000;
const CLOSE_MS_MAX = 5_000;
const SETTLE_MS_MAX = 1_000;

/** Never fails: what is wrong with it is its status, and is tried again. */
export function openProjection(options: ProjectionOptions): Projection {
  const live = new LiveProjection(options);
  const ask =
    <T>(name: QueryName) =>
    (query: unknown): Promise<T> =>
      live.ask(name, query) as Promise<T>;
  return {
    sessions: ask('sessions'),
    search: ask('search'),
    timeline: ask('timeline'),
    sessionSoFar: ask('sessionSoFar'),
    earlierLike: ask('earlierLike'),
    session: (id, access) => ask<never>('session')({ id, access }),
    rangeOf: (id, access) => ask<never>('rangeOf')({ id, access }),
    status: () => live.status(),
    rebuild: () => live.rebuild(),
    onChange: (listener) => live.onChange(listener),
    close: () => live.close(),
  };
}

class LiveProjection {
  readonly #options: ProjectionOptions;
  readonly #reader: Reader;
  readonly #listeners = new Set<(change: ProjectionChange) => void>();
  readonly #looking: NodeJS.Timeout;
  #writer: Worker | null = null;
  #state: ProjectionStatus['state'] = 'starting';
  /** Resolves when it can be read, or cannot for longer. */
  #settling = Promise.withResolvers<void>();
  #position = -1;
  #toldUpTo = -1;
  readonly #pressure = new Pressure();
  #givesWay = false;
  #rebuilds = 0;
  #error: string | null = null;
  #began = { atMs: 0, events: 0, records: 0, toldMs: 0 };

  constructor(options: ProjectionOptions) {
    this.#options = options;
    this.#reader = new Reader(options.file, options.queryMsMax ?? QUERY_MS_MAX, (why) => this.#broken(why));
    this.#open();
    this.#looking = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    this.#look();
  }

  async ask(name: QueryName, query: unknown): Promise<unknown> {
    if (isSettling(this.#state)) await this.#settled();
    if (this.#state === 'following') return await this.#reader.ask(name, query);
    if (this.#state === 'failed' || this.#state === 'closed') throw new InterlockError('PROJECTION_UNAVAILABLE', 'the projection cannot be written');
    const { records, of } = this.#progress();
    throw new InterlockError('PROJECTION_BEHIND', `the projection holds ${records} of ${of} records of the journal`);
  }

  status(): ProjectionStatus {
    return {
      state: this.#state,
      file: this.#options.file,
      position: this.#position,
      behind: Math.max(0, this.#options.journal.durablePosition - this.#position),
      progress: this.#state === 'rebuilding' ? this.#progress() : null,
      rebuilds: this.#rebuilds,
      error: this.#error,
    };
  }

  rebuild(): void {
    this.#tell({ kind: 'rebuild' });
  }

  onChange(listener: (change: ProjectionChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#enter('closed');
    clearInterval(this.#looking);
    this.#listeners.clear();
    const writer = this.#writer;
    const ended = new Promise((resolve) => writer?.once('exit', resolve) ?? resolve(null));
    this.#tell({ kind: 'close' });
    const late = setTimeout(() => void writer?.terminate(), CLOSE_MS_MAX);
    await Promise.all([ended, this.#reader.close()]);
    clearTimeout(late);
  }

  /** A gateway that has just started is there in a moment: who asks then waits for it, a little. */
  async #settled(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, SETTLE_MS_MAX);
    await Promise.race([this.#settling.promise, late.promise]);
    clearTimeout(timer);
  }

  #enter(state: ProjectionStatus['state']): void {
    const before = this.#state;
    this.#state = state;
    if (!isSettling(state)) this.#settling.resolve();
    else if (!isSettling(before)) this.#settling = Promise.withResolvers();
  }

  #open(): void {
    const { file, journal, archive } = this.#options;
    const writer = openThread('writer', { file, dir: journal.dir, ...(archive && { archive }) });
    this.#writer = writer;
    this.#toldUpTo = -1;
    this.#givesWay = false;
    writer.on('message', (report: Report) => this.#reported(report));
    writer.on('error', (error) => this.#failed(error.message));
    writer.on('exit', () => this.#ended());
  }

  /** By itself only when it ran out of memory. */
  #ended(): void {
    this.#writer = null;
    if (this.#state !== 'closed') setTimeout(() => this.#state !== 'closed' && this.#open(), TOLD_EVERY_MS).unref();
  }

  #look(): void {
    const giveWay = this.#pressure.look();
    if (giveWay !== this.#givesWay) this.#tell({ kind: 'give_way', to: (this.#givesWay = giveWay) });
    const { durablePosition } = this.#options.journal;
    if (durablePosition === this.#toldUpTo) return;
    this.#toldUpTo = durablePosition;
    this.#tell({ kind: 'up_to', position: durablePosition });
  }

  #tell(order: Order): void {
    this.#writer?.postMessage(order);
  }

  #reported(report: Report): void {
    if (this.#state === 'closed') return;
    if (report.kind === 'failed') return this.#failed(report.message);
    this.#position = report.position;
    if (report.kind === 'caught') return this.#caught(report);
    this.#reader.release();
    this.#began = { atMs: performance.now(), events: 0, records: 0, toldMs: performance.now() };
    if (report.anew === null) {
      this.#enter('following');
      return;
    }
    this.#enter('rebuilding');
    this.#rebuilds++;
    this.#options.log.info({ why: report.anew, file: this.#options.file }, 'the projection is made anew');
  }

  #caught({ records, events, done, changes, position }: Extract<Report, { kind: 'caught' }>): void {
    if (done) this.#error = null;
    const began = this.#began;
    began.records += records;
    began.events += events;
    if (this.#state === 'rebuilding') this.#rebuilt(done && position >= this.#toldUpTo);
    else for (const change of changes) for (const listener of this.#listeners) listener(change);
  }

  #rebuilt(done: boolean): void {
    const { log } = this.#options;
    if (done) {
      this.#enter('following');
      log.info({ ...this.#progress() }, 'the projection is there');
    } else if (performance.now() - this.#began.toldMs > TOLD_EVERY_MS) {
      this.#began.toldMs = performance.now();
      log.info({ ...this.#progress() }, 'the projection is being made anew');
    }
  }

  #progress(): ProjectionProgress {
    const { atMs, events } = this.#began;
    const seconds = Math.max(0.001, (performance.now() - atMs) / 1000);
    const of = this.#options.journal.durablePosition + 1;
    return { records: this.#position + 1, of, events, events_per_s: Math.round(events / seconds) };
  }

  /** A query found the file damaged. */
  #broken(why: string): void {
    if (this.#state === 'following') this.#enter('rebuilding');
    this.#options.log.warn({ error: why, file: this.#options.file }, 'the projection could not be read');
    this.rebuild();
  }

  #failed(message: string): void {
    if (this.#state === 'closed') return;
    this.#enter('failed');
    this.#reader.release();
    if (message !== this.#error) this.#options.log.warn({ error: message, file: this.#options.file }, 'the projection could not be written');
    this.#error = message;
  }
}

function isSettling(state: ProjectionStatus['state']): boolean {
  return state === 'starting' || state === 'rebuilding';
}
