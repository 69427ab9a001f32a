import type { Decision, Judgement, Binding } from '#schemas/decision';
import type { EventBody, PayloadRef } from '#schemas/event';
import type { Facts } from '#schemas/facts';

declare const durable: unique symbol;

/** `seq` of the record that holds an event. */
export type Position = number;
/** Proof that everything up to this position is on stable storage. Only a journal makes one. */
export type DurablePosition = Position & { readonly [durable]: true };

/**
 * Bytes that stand beside a record. The journal makes salt and digest when it first sees the object and keeps them with it:
 * the same object is stored once (prepared texts), so hand over the same object for the same text of a session.
 */
export interface Payload {
  readonly bytes: Uint8Array;
  readonly media: 'text' | 'params' | 'facts' | 'comment' | 'rows';
}

/** Fields that the writer fills in (seq, prev, time, digests …) are absent; payloads are bytes here, references in what is read back. */
type Written<B> = B extends { type: 'statement.decided' }
  ? Omit<B, 'decision' | 'facts'> & { decision: WrittenDecision; facts: FactsPayload }
  : { [K in keyof B]: B[K] extends PayloadRef ? Payload : B[K] extends PayloadRef | undefined ? Payload | undefined : WithPlan<B[K]> };

/** An estimate holds its plan. */
type WithPlan<V> = V extends { plan?: PayloadRef } ? Omit<V, 'plan'> & { plan?: Payload } : V;

/** The same `judgement` object for the same judgement: the journal stores it once and refers to it. */
export interface WrittenDecision {
  readonly decision_id: string;
  readonly judgement: Judgement;
  readonly binding: Omit<Binding, 'payload'>;
  readonly rewrite?: { readonly masked: readonly string[] };
}
/** Facts are stored once per object. */
export type FactsPayload = Facts;

export type EventDraft = Written<EventBody> & {
  readonly session_id?: string;
  readonly statement_id?: string;
  readonly target?: string;
  readonly subject?: string;
  readonly trace_id?: string;
};

export interface Journal {
  /**
   * Place an event; synchronous. Consecutive events of one statement share a record until it is handed to the disk.
   * A position is NOT durable: nothing may take effect because of it.
   * @throws InterlockError JOURNAL_UNAVAILABLE once the journal is dead (EIO, ENOSPC): nothing may run after that. Of `statement.received` and
   *   `session.opened` also ARCHIVE_BACKLOG, ARCHIVE_UNAVAILABLE, ARCHIVE_CONFLICT, with `fault` null: nothing new may begin for now.
   */
  append(event: EventDraft): Position;
  /**
   * Compare-and-append: the one append that can be refused. `stream` is e.g. an approval id; `expectedLast` the position of the
   * stream's last event as the caller knows it (-1: none). Returns null, and writes nothing, when it is another.
   */
  appendIf(event: EventDraft, condition: { readonly stream: string; readonly expectedLast: Position }): Position | null;
  /** Resolves when everything up to `position` is on stable storage; a value, not a promise, when it already is. Rejects JOURNAL_UNAVAILABLE;
   * ARCHIVE_UNAVAILABLE, with `fault` null: it is not everywhere where it has to be, so what waited for it must not happen; others may later. */
  durable(position: Position): DurablePosition | Promise<DurablePosition>;
  /** The position of the last event of a stream, -1 if none. */
  lastOf(stream: string): Position;
  /** The salted digest under which a payload stands (made now if it is new). */
  digestOf(payload: Payload): string;
  /** Set once the journal is dead; everything that needs it refuses. */
  readonly fault: Error | null;
  /** Called once, when the journal dies. */
  onFault(listener: (fault: Error) => void): void;
}

export type { Decision };
