/** Follows the stream: every message in order, durable in this engine's own journal before it is told, across every interruption. */
import { setTimeout as wait } from 'node:timers/promises';
import type { EventDraft, Payload, Position } from '#client/journal';
import type { Log } from '#client/log';
import type { PayloadRef } from '#schemas/event';
import type { Ordered } from '#schemas/event-ordered';
import type { ApprovalJournal } from '../store.ts';
import type { LOG_LIMITS } from './limits.ts';
import { InterlockError } from '#schemas/errors';
import { type Fit, Fitting } from './fitting.ts';
import { type Carried, type ChangeMessage, decodeMessage, type LogMessage, mapRefs } from './message.ts';
import type { OrderedDraft } from './parts.ts';
import type { Past } from './past.ts';
import type { OrderedStream, StreamInfo, StreamMessage } from './stream.ts';
import { isUntagged, type Tags } from './tagging.ts';

/** What the log needs of this engine's own journal. */
export type SharedJournal = Pick<ApprovalJournal, 'append' | 'durable'> & {
  /** With its salt, as far as it is kept in clear. */
  carry(payload: Payload): Carried;
  /** To be written under the digest that it has in another engine's journal. */
  adopt(carried: Carried): Payload;
};

export interface Received {
  readonly seq: number;
  readonly subject: string;
  /** null: it does not count, but it stands there (ADR 0031). */
  readonly message: LogMessage | null;
  /** Why it does not count, where somebody must be told. */
  readonly misfit: string | null;
  /** In the own journal; null: it stands there already, or never will. */
  readonly position: Position | null;
}

export interface FollowerOptions {
  readonly stream: OrderedStream;
  readonly tags: Tags;
  readonly journal: SharedJournal;
  readonly log: Log;
  readonly limits: Readonly<Record<keyof typeof LOG_LIMITS, number>>;
  readonly past: Past;
  /** The drafts of a change of this engine's that is under way. */
  readonly draftsOf: (change: string) => readonly OrderedDraft[] | null;
  /** Durable, and the next in order. */
  readonly tell: (received: Received) => void;
  /** It follows (again) from here on: everything up to `last` is on its way. */
  readonly resumed: (info: StreamInfo) => void;
  readonly interrupted: () => void;
  /** For good. */
  readonly ended: (error: Error) => void;
}

/** The log is not what it was, or cannot be read: this engine must not go on with what it knows. */
export class LogBroken extends Error {}

export class Follower {
  readonly #options: FollowerOptions;
  readonly #closing = new AbortController();
  readonly #queue: Received[] = [];
  readonly #fitting: Fitting;
  #room = Promise.withResolvers<void>();
  #draining: Promise<void> | null = null;
  #run = new AbortController();
  #running: Promise<void> | null = null;
  /** The stream's; '': not met yet. */
  log = '';
  #next = 1;
  /** The last message received, as it came. */
  #known: StreamMessage | null = null;
  /** Up to here the own journal holds the log already. */
  #replicated = 0;
  #gapAt = 0;
  #ended = false;
  /** Requests and delegations of which the own journal knows more than the stream. */
  readonly forgotten = new Set<string>();

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#fitting = new Fitting(options.tags, options.limits.subjectsMax);
  }

  /** What stands before was not read. */
  get from(): number {
    return this.#fitting.from;
  }

  start(): void {
    this.#options.stream.onConnection((connected) => {
      if (!connected) this.again();
    });
    this.#running = this.#follow();
  }

  /** Interrupts itself: what is there is looked at anew. */
  again(): void {
    this.#run.abort();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#run.abort();
    await this.#running;
    await this.#draining;
  }

  async #follow(): Promise<void> {
    const { stream, log, limits } = this.#options;
    while (!this.#closing.signal.aborted && !this.#ended) {
      this.#run = new AbortController();
      try {
        if (!stream.connected) throw new Error('there is no connection');
        await this.#resume(await stream.info());
        await stream.run(this.#next, (message) => this.#receive(message), this.#run.signal);
      } catch (error) {
        log.debug({ err: error }, 'the log of the engines cannot be followed; trying again');
        if (error instanceof LogBroken) this.#end(error);
      }
      this.#options.interrupted();
      await wait(limits.retryMs, undefined, { signal: this.#closing.signal }).catch(() => {}); // closing ends every wait
    }
  }

  /** It goes on where it was, or it is another log. */
  async #resume(info: StreamInfo): Promise<void> {
    if (this.log === '') await this.#begin(info);
    else if (info.log !== this.log || (this.#known && !(await this.#stands(this.#known.seq, info, (there) => isSame(there, this.#known))))) {
      throw new LogBroken('the stream that orders approvals lost what it had acknowledged, or is another one');
    }
    if (info.first > this.#next) this.#fitting.begin(this.log, info.first);
    this.#next = Math.max(this.#next, info.first);
    this.#options.resumed(info);
  }

  /** At the start: what stands in the own journal must stand in the stream, or have grown old there. */
  async #begin(info: StreamInfo): Promise<void> {
    const { past, log } = this.#options;
    await this.#requireTags(info);
    for (const mark of past.newestFirst()) {
      if (mark.log === info.log && (await this.#stands(mark.seq, info, (there) => this.#changeIn(there, info.log) === mark.change))) break;
      this.forgotten.add(mark.stream);
    }
    if (this.forgotten.size === 0) this.#replicated = past.last?.seq ?? 0;
    else
      log.error(
        { requests: this.forgotten.size },
        'the stream that orders approvals does not hold what this engine has recorded; those requests are closed',
      );
    this.log = info.log;
    this.#fitting.begin(info.log, Math.max(1, info.first));
  }

  /** A stream from before there were tags: whether anything in it was forged cannot be known, so nothing of it is believed. */
  async #requireTags({ first, last }: StreamInfo): Promise<void> {
    if (last === 0 || first > last) return;
    const { stream } = this.#options;
    const [oldest, newest] = [await stream.message(first), await stream.message(last)];
    if (oldest === null || newest === null || !isUntagged(oldest.body) || !isUntagged(newest.body)) return;
    throw new LogBroken('the stream that orders approvals holds messages without tags', { cause: untagged() });
  }

  async #stands(seq: number, info: StreamInfo, same: (message: StreamMessage) => boolean): Promise<boolean> {
    if (seq > info.last) return false;
    if (seq < info.first) return true;
    const message = await this.#options.stream.message(seq);
    return message !== null && same(message);
  }

  #changeIn(message: StreamMessage, log: string): string | null {
    const body = this.#fitting.body(message, log);
    const there = body && decoded(body);
    return there?.kind === 'change' ? there.change : null;
  }

  #receive(received: StreamMessage): void | Promise<void> {
    const { seq, subject } = received;
    if (seq < this.#next) return;
    if (seq > this.#next) this.#gap(seq);
    const fit = this.#fitting.next(received);
    this.#queue.push(fit.kind === 'fits' ? this.#whole(received, decoded(fit.body)) : this.#leftOut(received, fit));
    this.#next = seq + 1;
    this.#known = { seq, subject, body: received.body };
    this.#draining ??= this.#drain().finally(() => (this.#draining = null));
    return this.#queue.length > this.#options.limits.aheadMax ? this.#room.promise : undefined;
  }

  #whole({ seq, subject }: StreamMessage, message: LogMessage): Received {
    return { seq, subject, message, misfit: null, position: this.#replicate(seq, message) };
  }

  /** What this engine recorded there stands there no more: of that it knows more than the stream. */
  #leftOut({ seq, subject }: StreamMessage, fit: Exclude<Fit, { readonly kind: 'fits' }>): Received {
    const recorded = seq <= this.#replicated ? this.#options.past.at(this.log, seq) : null;
    if (recorded !== null) this.forgotten.add(recorded);
    return { seq, subject, message: null, misfit: fit.kind === 'misfit' ? fit.why : null, position: null };
  }

  /** Nothing is deleted but what grows old. Once it may have been the delivery; then it is gone. */
  #gap(seq: number): void {
    if (this.#gapAt === this.#next) throw new LogBroken(`the log lacks the messages from ${this.#next} to ${seq - 1}`);
    this.#gapAt = this.#next;
    throw new Error(`the messages from ${this.#next} to ${seq - 1} did not come`);
  }

  /** Into the own journal, under the same digests. */
  #replicate(seq: number, message: LogMessage): Position | null {
    if (message.kind !== 'change' || seq <= this.#replicated) return null;
    const { journal } = this.#options;
    const { change, engine, time } = message;
    const own = this.#options.draftsOf(change);
    let position: Position = 0;
    message.events.forEach((event, index) => {
      const ordered: Ordered = { log: this.log, seq, index, change, engine, time };
      const draft = own?.[index] ?? mapRefs(event, (ref) => journal.adopt(carriedOf(ref, message)));
      position = journal.append({ ...draft, ordered } as EventDraft);
    });
    return position;
  }

  async #drain(): Promise<void> {
    try {
      for (let next = this.#queue[0]; next; next = this.#queue[0]) {
        const durable = next.position === null ? null : this.#options.journal.durable(next.position);
        if (durable instanceof Promise) await durable;
        this.#queue.shift();
        this.#options.tell(next);
      }
    } catch (error) {
      // the journal is dead, and with it everything
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }

  #end(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#run.abort();
    this.#options.ended(error);
  }
}

function carriedOf(ref: PayloadRef, { beside }: ChangeMessage): Carried {
  return beside.get(ref.digest) ?? { media: 'text', digest: ref.digest, length: ref.bytes, clear: null };
}

function isSame(a: StreamMessage, b: StreamMessage | null): boolean {
  return b !== null && a.subject === b.subject && Buffer.compare(a.body, b.body) === 0;
}

function untagged(): InterlockError {
  return new InterlockError('CONFIG_INVALID', 'nats.streams.approvals: what stands in this stream carries no tag of this installation', {
    hint: 'A version of Interlock before ADR 31 wrote it, or somebody else. End all engines, remove the stream as an operator of the server (`nats stream rm`), and run `interlock nats setup`. Open requests are asked anew, enforcers and agents enrolled anew.',
  });
}

/** Whoever cannot read what happened does not know the state of anything. */
function decoded(body: Uint8Array): LogMessage {
  try {
    return decodeMessage(body);
  } catch (cause) {
    throw new LogBroken('a message of the log cannot be read: a newer engine may have written it', { cause });
  }
}
