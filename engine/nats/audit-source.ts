/** The stream `audit` as the mirror reads it: by an ordered consumer, which only an engine or an auditor may make. */
import { jetstream, type ConsumerMessages } from '@nats-io/jetstream';
import { InterlockError } from '#schemas/errors';
import { runOf, type AuditRun } from './audit-stream.ts';
import type { NatsLink } from './connection.ts';
import { LIMITS } from './limits.ts';
import { streamInfo } from './setup.ts';
import { AUDIT } from './streams.ts';

export interface AuditMessage {
  readonly at: number;
  readonly journal: string | null;
  readonly run: AuditRun | null;
}

export class AuditSource {
  readonly #link: NatsLink;
  readonly #stream: string;

  constructor(link: NatsLink) {
    this.#link = link;
    this.#stream = link.settings.streams.audit;
  }

  /** @throws InterlockError ARCHIVE_SETUP when there is no such stream, ARCHIVE_UNAVAILABLE when nobody answers */
  async state(): Promise<{ readonly created: string; readonly first: number; readonly last: number }> {
    const info = await streamInfo(await this.#link.connection(), this.#stream);
    if (info === null) throw new InterlockError('ARCHIVE_SETUP', `there is no stream ${this.#stream}: run \`interlock nats setup\``);
    return { created: info.created, first: info.state.first_seq, last: info.state.last_seq };
  }

  /** Ends when the connection is lost, or the signal comes. */
  async *read(from: number, signal: AbortSignal): AsyncGenerator<AuditMessage> {
    const connection = await this.#link.connection();
    const client = jetstream(connection, { timeout: LIMITS.requestMs });
    const consumer = await client.consumers.get(this.#stream, { opt_start_seq: from });
    const messages = await consumer.consume({
      max_bytes: LIMITS.readAheadBytes,
      expires: LIMITS.pullMs,
      idle_heartbeat: LIMITS.heartbeatMs,
      abort_on_missing_resource: true,
    });
    const stop = (): void => void messages.close();
    const unlisten = this.#link.onChange((connected) => connected || stop());
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (!this.#link.connected || signal.aborted) return;
      yield* this.#messages(messages);
    } finally {
      signal.removeEventListener('abort', stop);
      unlisten();
      await messages.close();
      if (this.#link.connected) await consumer.delete().catch(() => undefined); // it goes by itself when nobody asks it
    }
  }

  async *#messages(messages: ConsumerMessages): AsyncGenerator<AuditMessage> {
    for await (const message of messages) {
      const [area, journal = null, ...more] = message.subject.split('.');
      const ours = area === AUDIT && more.length === 0;
      yield { at: message.seq, journal: ours ? journal : null, run: message.headers === undefined ? null : runOf(message.headers, message.data) };
    }
  }
}
