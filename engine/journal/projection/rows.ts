/** Events → rows: the projection as a fold over the journal, in batches of one transaction each. */
import type { DatabaseSync } from 'node:sqlite';
import type { Event } from '#schemas/event';
import type { ReadRecord } from '../reader.ts';
import { TimestampReader } from '../timestamp-reader.ts';
import { ApprovalRows } from './approval-rows.ts';
import { Labels } from './labels.ts';
import type { Payloads } from './payloads.ts';
import type { ProjectionChange } from './projection.ts';
import { SessionRows } from './session-rows.ts';
import { StatementRows, type OpenStatement } from './statement-rows.ts';
import { writePlace, type Place } from './tables.ts';

/** A text may be a megabyte long, and its words wait for the end of the batch. */
const BATCH_CHARS = 8 << 20;
/** Changes told of one batch: who is told of more looks at everything again. */
const CHANGES_MAX = 256;

/** A journal whose records become rows. */
export interface Source {
  /** '': the process' own; else the id of one in the archive. */
  readonly name: string;
  readonly payloads: Payloads;
}

export class Rows {
  readonly #database: DatabaseSync;
  readonly #sessions: SessionRows;
  readonly #statements: StatementRows;
  readonly #approvals: ApprovalRows;
  readonly #times = new TimestampReader();
  /** Of the batch that gathers. */
  readonly #places = new Map<string, Place>();
  #chars = 0;

  constructor(database: DatabaseSync) {
    this.#database = database;
    const labels = new Labels(database, 'label');
    this.#sessions = new SessionRows(database);
    this.#statements = new StatementRows(database, labels);
    this.#approvals = new ApprovalRows(database, labels);
  }

  /** Enough gathered for one transaction, by the length of its texts. */
  get full(): boolean {
    return this.#chars > BATCH_CHARS;
  }

  async add({ journal, seq, hash, events }: ReadRecord, source: Source): Promise<void> {
    if (this.#places.size === 0) this.#database.exec('BEGIN');
    for (const event of events) await this.#apply(event, source);
    source.payloads.forget();
    this.#places.set(source.name, { journal, seq, hash: Buffer.from(hash, 'latin1').toString('hex') });
  }

  /** A record that stands in the rows already: what it defines may be referred to by those that come. */
  async pass({ events }: ReadRecord, { payloads }: Source): Promise<void> {
    for (const event of events) {
      if (event.type === 'statement.received') await payloads.text(event.payload);
      if (event.type === 'statement.decided') await payloads.facts(event.facts);
    }
    payloads.forget();
  }

  /** Writes what gathered and where it ends; answers what changed. */
  commit(): readonly ProjectionChange[] {
    if (this.#places.size === 0) return [];
    const changed = this.#changes();
    this.#sessions.write();
    this.#statements.write();
    for (const [source, place] of this.#places) writePlace(this.#database, place, source);
    this.#database.exec('COMMIT');
    this.#places.clear();
    this.#chars = 0;
    return changed;
  }

  async #apply(event: Event, source: Source): Promise<void> {
    const { name } = source;
    switch (event.type) {
      case 'journal.opened':
        this.#sessions.endAll(this.#times.microseconds(event.time), name);
        return this.#statements.endAll(name);
      case 'session.opened':
        return void this.#sessions.opened(event, this.#times.microseconds(event.time), name);
      case 'session.closed':
        return void this.#sessions.closed(event, this.#times.microseconds(event.time), name);
      case 'statement.received':
        return this.#received(event, this.#times.microseconds(event.time), source);
      case 'statement.decided':
      case 'statement.held':
      case 'statement.refused':
      case 'statement.cleared':
      case 'statement.finished':
        return this.#further(event, source);
      default:
        // every engine's journal holds what all did to approvals, in their order: once is enough
        return name === '' ? this.#approval(event) : undefined;
    }
  }

  async #received(event: Extract<Event, { type: 'statement.received' }>, time: number, { name, payloads }: Source): Promise<void> {
    const session = this.#sessions.of(event, time, name);
    session.statements++;
    const text = await payloads.text(event.payload);
    this.#chars += text?.words.length ?? 0;
    this.#statements.received(event, time, session, text);
  }

  async #further(event: Extract<Event, { type: `statement.${string}` }>, { name, payloads }: Source): Promise<void> {
    const statement = this.#statements.open(event.statement_id);
    if (statement === null) return;
    const session = this.#sessions.of(event, statement.time, name);
    switch (event.type) {
      case 'statement.decided':
        return this.#statements.decided(statement, event, await payloads.facts(event.facts));
      case 'statement.held':
        session.held++;
        statement.outcome = 'held';
        return this.#waitsFor(statement, event.approval_id);
      case 'statement.refused':
        session.refused++;
        return this.#statements.refused(statement, event);
      case 'statement.cleared':
        statement.outcome = 'running';
        statement.cleared = true;
        return event.approval === undefined ? undefined : this.#waitsFor(statement, event.approval.approval_id);
      case 'statement.finished':
        return this.#statements.finished(statement, event);
      case 'statement.received':
        return;
    }
  }

  /** Whoever is asked may see the statement. */
  #waitsFor(statement: OpenStatement, approvalId: string): void {
    statement.approval_id = approvalId;
    if (statement.shape !== null && statement.journal !== '') this.#approvals.shaped(approvalId, statement.shape);
    for (const term of this.#approvals.askedTerms(approvalId)) if (!statement.terms.includes(term)) statement.terms.push(term);
  }

  #approval(event: Event): void {
    switch (event.type) {
      case 'approval.requested':
        return this.#approvals.requested(event, this.#statements.open(event.statement_id)?.shape ?? null);
      case 'approval.escalated':
        return this.#approvals.escalated(event);
      case 'approval.verdict':
        return this.#approvals.verdict(event);
      case 'approval.settled':
        return this.#approvals.settled(event);
      case 'approval.consumed':
        return this.#approvals.consumed(event);
      case 'approval.glass_broken':
        return this.#approvals.glassBroken(event);
      case 'approval.glass_reviewed':
        return this.#approvals.glassReviewed(event);
      default:
        return;
    }
  }

  #changes(): readonly ProjectionChange[] {
    const changes: ProjectionChange[] = [];
    for (const { session_id, closed_at, subject, behalf } of this.#sessions.changed) {
      const state = closed_at === null ? 'open' : 'closed';
      changes.push({ kind: 'session', id: session_id, session_id, state, owners: owners(subject, behalf) });
    }
    for (const { statement_id, session_id, outcome, owners: whose } of this.#statements.changed)
      changes.push({ kind: 'statement', id: statement_id, session_id, state: outcome, owners: whose });
    for (const { approval_id, state, session_id, subject, behalf } of this.#approvals.takeChanged())
      changes.push({ kind: 'approval', id: approval_id, ...(session_id === null ? {} : { session_id }), state, owners: owners(subject, behalf) });
    return changes.slice(-CHANGES_MAX);
  }
}

function owners(subject: string, behalf: string | null): readonly string[] {
  return behalf === null ? [subject] : [subject, behalf];
}
