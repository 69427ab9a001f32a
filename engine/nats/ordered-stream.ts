/** A stream that orders what several engines do: published with compare-and-append, followed without gaps. engine/approvals/ordering has the protocol. */
import { DeliverPolicy, jetstream, jetstreamManager, JetStreamApiError, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsLink } from './connection.ts';
import { LIMITS } from './limits.ts';
import type { EngineTalk } from './talk.ts';

export interface OrderedMessage {
  readonly seq: number;
  readonly subject: string;
  readonly body: Uint8Array;
}

export type OrderedPublished =
  | { readonly kind: 'stored'; readonly seq: number }
  | { readonly kind: 'refused'; readonly last: number }
  | { readonly kind: 'unknown'; readonly reason: string };

/** For the answer to one publish: a node that dies is noticed by then, and the same message goes to another. */
const PUBLISH_MS = 1_000;
/** Received and not yet handled. */
const PULL_MESSAGES = 500;
/** A server that says nothing for twice as long is not there. */
const HEARTBEAT_MS = 1_000;
/** "wrong last sequence: 17", and its like where the server does not say which. */
const WRONG_LAST = [10071, 10164];

export class NatsOrderedStream {
  readonly #link: NatsLink;
  readonly #stream: string;
  readonly #talk: EngineTalk;

  constructor(link: NatsLink, stream: string, talk: EngineTalk) {
    this.#link = link;
    this.#stream = stream;
    this.#talk = talk;
  }

  get connected(): boolean {
    return this.#link.connected;
  }

  get bytesMax(): number {
    return Math.min(this.#link.current?.info?.max_payload ?? 0, LIMITS.messageBytesMax) - HEADER_BYTES;
  }

  onConnection(listener: (connected: boolean) => void): void {
    this.#link.onChange(listener);
  }

  async info(): Promise<{ readonly log: string; readonly first: number; readonly last: number; readonly keeper: string | null }> {
    const manager = await this.#manager();
    const { created, state, cluster } = await manager.streams.info(this.#stream);
    return { log: `${this.#stream} ${created}`, first: state.first_seq, last: state.last_seq, keeper: keeperOf(cluster) };
  }

  async message(seq: number): Promise<OrderedMessage | null> {
    const manager = await this.#manager();
    const found = await manager.streams.getMessage(this.#stream, { seq });
    return found && { seq: found.seq, subject: found.subject, body: found.data };
  }

  async publish(
    subject: string,
    body: Uint8Array,
    expected: { readonly id: string; readonly lastOfSubject?: number; readonly last?: number },
  ): Promise<OrderedPublished> {
    const { id, lastOfSubject, last } = expected;
    const connection = this.#link.current;
    if (!connection) return { kind: 'unknown', reason: 'there is no connection' };
    const expect = {
      streamName: this.#stream,
      ...(lastOfSubject === undefined ? {} : { lastSubjectSequence: lastOfSubject }),
      ...(last === undefined ? {} : { lastSequence: last }),
    };
    try {
      const { seq } = await jetstream(connection, { timeout: PUBLISH_MS }).publish(subject, body, { msgID: id, expect });
      return { kind: 'stored', seq };
    } catch (error) {
      if (error instanceof JetStreamApiError && WRONG_LAST.includes(error.code)) return { kind: 'refused', last: lastIn(error.message) };
      return { kind: 'unknown', reason: error instanceof Error ? error.message : String(error) };
    }
  }

  /** An ordered consumer mends its own gaps; what it says of them ends this run, because what came before must be looked at anew. */
  async run(from: number, each: (message: OrderedMessage) => void | Promise<void>, signal: AbortSignal): Promise<void> {
    const connection = this.#link.current;
    if (!connection) throw new Error('there is no connection');
    const consumer = await jetstream(connection, { timeout: LIMITS.requestMs }).consumers.get(this.#stream, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: from,
    });
    signal.throwIfAborted();
    const messages = await consumer.consume({ max_messages: PULL_MESSAGES, idle_heartbeat: HEARTBEAT_MS });
    const stop = (): void => void messages.close();
    signal.addEventListener('abort', stop, { once: true });
    void endOnTrouble(messages.status(), stop);
    try {
      if (signal.aborted) return;
      for await (const message of messages) {
        const more = each({ seq: message.seq, subject: message.subject, body: message.data });
        if (more !== undefined) await more;
        if (signal.aborted) return;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      await messages.close();
    }
  }

  say(body: Uint8Array): void {
    this.#talk.say('presence', body);
  }

  hear(listener: (body: Uint8Array) => void): void {
    this.#talk.hear('presence', listener);
  }

  #manager(): Promise<JetStreamManager> {
    const connection = this.#link.current;
    if (!connection) return Promise.reject(new Error('there is no connection'));
    return jetstreamManager(connection, { checkAPI: false, timeout: LIMITS.requestMs });
  }
}

/**
 * A leader has all that was ever acknowledged, and drops nothing of it while it leads: as long as it is the same one since the same moment (it ends with its
 * process, and with every doubt of the others) nothing can have been lost. A stream that one server keeps has no leader that could say so.
 */
function keeperOf(cluster: { readonly leader?: string } | undefined): string | null {
  const { leader, leader_since: since } = (cluster ?? {}) as { readonly leader?: unknown; readonly leader_since?: unknown };
  return typeof leader === 'string' && leader !== '' && typeof since === 'string' && since !== '' ? `${leader} since ${since}` : null;
}

/** What the headers of a publish may need. */
const HEADER_BYTES = 1024;

const TROUBLE = [
  'ordered_consumer_recreated',
  'heartbeats_missed',
  'stream_not_found',
  'consumer_not_found',
  'consumer_deleted',
  'no_responders',
  'reset',
];

async function endOnTrouble(statuses: AsyncIterable<{ readonly type: string }>, stop: () => void): Promise<void> {
  for await (const { type } of statuses) if (TROUBLE.includes(type)) stop();
}

function lastIn(message: string): number {
  return Number(/sequence: (\d+)/.exec(message)?.[1] ?? 0);
}
