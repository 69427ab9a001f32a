/**
 * The journal as an enforcer sees it where there is an archive. `standard`: the local disk alone is waited for, and the archive follows. `strict`: the
 * archive's acknowledgement too. In both, new work is refused while the journal is too far ahead (I6, N3).
 */
import type { DurablePosition, EventDraft, Journal, Payload, Position } from '#client/journal';
import { InterlockError } from '#schemas/errors';
import type { Forwarder } from './forwarder.ts';
import { LIMITS } from './limits.ts';

export type Audit = 'standard' | 'strict';

/** What both ask of the forwarder. */
export type ArchiveProgress = Pick<Forwarder, 'acked' | 'archived' | 'refusal'>;

/** @param journal whose records the forwarder brings to the archive, or a wrapper of it */
export function archivedJournal(journal: Journal, archive: ArchiveProgress, audit: Audit): Journal {
  return new ArchivedJournal(journal, archive, audit);
}

class ArchivedJournal implements Journal {
  readonly #journal: Journal;
  readonly #archive: ArchiveProgress;
  readonly #strict: boolean;
  /** strict: the archive did not acknowledge this in time; until it does, nothing new begins. */
  #owed: Position = -1;

  constructor(journal: Journal, archive: ArchiveProgress, audit: Audit) {
    this.#journal = journal;
    this.#archive = archive;
    this.#strict = audit === 'strict';
  }

  append(event: EventDraft): Position {
    if (event.type === 'statement.received' || event.type === 'session.opened') this.#admit();
    return this.#journal.append(event);
  }

  appendIf(event: EventDraft, condition: { readonly stream: string; readonly expectedLast: Position }): Position | null {
    return this.#journal.appendIf(event, condition);
  }

  durable(position: Position): DurablePosition | Promise<DurablePosition> {
    const local = this.#journal.durable(position);
    if (!this.#strict) return local;
    if (typeof local === 'number') return position <= this.#archive.acked ? this.#proof(local) : this.#archived(local, position);
    return local.then((durable) => this.#archived(durable, position));
  }

  lastOf(stream: string): Position {
    return this.#journal.lastOf(stream);
  }

  digestOf(payload: Payload): string {
    return this.#journal.digestOf(payload);
  }

  get fault(): Error | null {
    return this.#journal.fault;
  }

  onFault(listener: (fault: Error) => void): void {
    this.#journal.onFault(listener);
  }

  #admit(): void {
    const { refusal } = this.#archive;
    if (refusal !== null) throw refusal;
    if (this.#owed > this.#archive.acked) throw unacknowledged(this.#owed);
  }

  async #archived(durable: DurablePosition, position: Position): Promise<DurablePosition> {
    // somebody has waited for more already: nobody waits twice for the same silence
    const owed = position <= this.#owed && this.#owed > this.#archive.acked;
    if (!owed && (await this.#archive.archived(position, LIMITS.strictMs))) return this.#proof(durable);
    this.#owed = Math.max(this.#owed, position);
    throw unacknowledged(position);
  }

  /** No further than both: what is durable here and not yet in the archive is no proof for anybody else. */
  #proof(durable: DurablePosition): DurablePosition {
    return Math.min(durable, this.#archive.acked) as DurablePosition;
  }
}

function unacknowledged(position: Position): InterlockError {
  return new InterlockError('ARCHIVE_UNAVAILABLE', `the archive has not acknowledged record ${position}`);
}
