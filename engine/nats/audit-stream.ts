/**
 * Journals in the stream `audit`: one subject a journal, a message a run of its stored bytes. Headers: `Nats-Msg-Id` the run's id,
 * `Nats-Expected-Last-Subject-Sequence` the message before it (0: none), `Interlock-At` `segment.offset` of the first byte.
 */
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { InterlockError } from '#schemas/errors';
import type { NatsLink } from './connection.ts';
import { LIMITS } from './limits.ts';
import { answerOf, API, ApiRefused, request } from './request.ts';
import { AUDIT } from './streams.ts';

export interface AuditRun {
  readonly segment: number;
  readonly offset: number;
  readonly bytes: Buffer;
  readonly id: string;
}

/** `at`: the stream's sequence. */
export interface StoredRun extends AuditRun {
  readonly at: number;
}

/** Room for subject and headers in a server's `max_payload`, which counts them. */
const HEADER_BYTES = 1024;

export class AuditStream {
  readonly #link: NatsLink;
  readonly #stream: string;

  constructor(link: NatsLink) {
    this.#link = link;
    this.#stream = link.settings.streams.audit;
  }

  get connected(): boolean {
    return this.#link.connected;
  }

  onChange(listener: (connected: boolean) => void): () => void {
    return this.#link.onChange(listener);
  }

  get bytesMax(): number {
    const server = this.#link.current?.info?.max_payload ?? 1 << 20;
    return Math.min(server, LIMITS.messageBytesMax) - HEADER_BYTES;
  }

  /** By the direct API, for which an enforcer has exactly this subject. */
  async last(journal: string): Promise<StoredRun | null> {
    const subject = `$JS.API.DIRECT.GET.${this.#stream}.${AUDIT}.${journal}`;
    const message = await request(await this.#link.connection(), subject, '', LIMITS.requestMs);
    const found = message.headers;
    if (found?.code === 404) return null;
    if (found === undefined || found.code !== 0) throw new InterlockError('ARCHIVE_UNAVAILABLE', `NATS answered ${found?.code ?? 'without headers'}`);
    const at = Number(found.get('Nats-Sequence'));
    const run = runOf(found, message.data);
    if (run === null || !Number.isSafeInteger(at)) throw foreign(journal);
    return { ...run, at };
  }

  async publish(
    journal: string,
    run: AuditRun,
    after: number,
    waitMs: number,
  ): Promise<{ readonly kind: 'stored'; readonly at: number; readonly duplicate: boolean } | { readonly kind: 'conflict' }> {
    const head = headers();
    head.set('Nats-Msg-Id', run.id);
    head.set('Nats-Expected-Last-Subject-Sequence', String(after));
    head.set('Nats-Expected-Stream', this.#stream);
    head.set('Interlock-At', `${run.segment}.${run.offset}`);
    const message = await this.#requestOrLoss(`${AUDIT}.${journal}`, run.bytes, waitMs, head);
    try {
      const { seq, duplicate } = answerOf<{ seq: number; duplicate?: boolean }>(message);
      return { kind: 'stored', at: seq, duplicate: duplicate === true };
    } catch (error) {
      if (error instanceof ApiRefused && CONFLICTS.has(error.number)) return { kind: 'conflict' };
      throw error;
    }
  }

  /** An answer that was asked for on a connection that is lost does not come any more. */
  async #requestOrLoss(subject: string, bytes: Buffer, waitMs: number, head: MsgHdrs): ReturnType<typeof request> {
    const connection = await this.#link.connection();
    const loss = Promise.withResolvers<never>();
    const unlisten = this.#link.onChange(
      (connected) => connected || loss.reject(new InterlockError('ARCHIVE_UNAVAILABLE', 'the connection was lost before the acknowledgement')),
    );
    const answer = request(connection, subject, bytes, waitMs, head);
    answer.catch(() => undefined); // the loss may have been told first
    loss.promise.catch(() => undefined);
    try {
      return await Promise.race([answer, loss.promise]);
    } finally {
      unlisten();
    }
  }
}

const CONFLICTS: ReadonlySet<number> = new Set([API.wrongLastSequence, API.wrongLastSequenceUnnamed]);

/** null: nothing of ours. */
export function runOf(found: Pick<MsgHdrs, 'get'>, data: Uint8Array): AuditRun | null {
  const at = /^(\d{1,9})\.(\d{1,10})$/.exec(found.get('Interlock-At'));
  const id = found.get('Nats-Msg-Id');
  if (at === null || id === '') return null;
  return { segment: Number(at[1]), offset: Number(at[2]), bytes: Buffer.from(data.buffer, data.byteOffset, data.length), id };
}

function foreign(journal: string): InterlockError {
  return new InterlockError('ARCHIVE_CONFLICT', `the last message of ${AUDIT}.${journal} is none that a journal’s forwarder wrote`);
}
