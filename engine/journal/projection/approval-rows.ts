/** Requests as their events tell them, for histories: what may be decided now is the approvals' own to say. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Approver } from '#schemas/decision';
import type { Event } from '#schemas/event';
import type { Labels } from './labels.ts';
import { term } from './terms.ts';
import { TimestampReader } from '../timestamp-reader.ts';

type Of<T extends Event['type']> = Extract<Event, { type: T }>;

export interface ApprovalRow {
  readonly approval_id: string;
  readonly state: string;
  readonly session_id: string | null;
  readonly subject: string;
  readonly behalf: string | null;
}

export class ApprovalRows {
  readonly #labels: Labels;
  readonly #insert: StatementSync;
  readonly #asked: StatementSync;
  readonly #whom: StatementSync;
  readonly #update: Readonly<Record<'verdict' | 'settled' | 'consumed' | 'glass' | 'reviewed' | 'shaped' | 'find', StatementSync>>;
  readonly #times = new TimestampReader();
  readonly #changed = new Set<string>();
  #next: number;

  constructor(database: DatabaseSync, labels: Labels) {
    this.#labels = labels;
    this.#insert = database.prepare(`INSERT OR REPLACE INTO approval VALUES (${Array.from({ length: 21 }, () => '?').join(', ')})`);
    this.#asked = database.prepare('INSERT OR IGNORE INTO approval_asked SELECT id, ?, ? FROM approval WHERE approval_id = ?');
    this.#whom = database.prepare('SELECT kind, name FROM approval_asked JOIN approval ON id = approval WHERE approval_id = ?');
    this.#update = {
      verdict: database.prepare(`UPDATE approval SET approved = approved + 1 WHERE approval_id = ?`),
      settled: database.prepare('UPDATE approval SET state = ? WHERE approval_id = ?'),
      consumed: database.prepare(
        `UPDATE approval SET uses = uses + 1, state = CASE WHEN uses + 1 >= uses_max THEN 'consumed' ELSE state END WHERE approval_id = ?`,
      ),
      glass: database.prepare(`UPDATE approval SET state = 'approved', review = 'open' WHERE approval_id = ?`),
      shaped: database.prepare('UPDATE approval SET shape = ? WHERE approval_id = ? AND shape IS NULL'),
      reviewed: database.prepare('UPDATE approval SET review = ? WHERE approval_id = ?'),
      find: database.prepare('SELECT approval_id, state, session_id, subject, behalf FROM approval WHERE approval_id = ?'),
    };
    this.#next = Number(database.prepare('SELECT max(id) AS last FROM approval').get()?.['last'] ?? 0) + 1;
  }

  /** @param shape of its statement, where that is known */
  requested(event: Of<'approval.requested'>, shape: string | null): void {
    const { approval_id, requirement, binding, subject_detail, summary, expires_at } = event;
    const properties = subject_detail?.properties;
    const codes = [...new Set((event.reasons ?? []).map(({ code }) => code))];
    this.#insert.run(
      this.#next++,
      approval_id,
      this.#times.microseconds(event.time),
      this.#times.microseconds(expires_at),
      'open',
      event.session_id ?? null,
      event.statement_id ?? null,
      binding.principal,
      properties?.login ?? binding.principal,
      subject_detail?.type ?? '',
      binding.on_behalf_of,
      properties?.on_behalf_of?.login ?? null,
      binding.target,
      shape ?? binding.shape ?? null,
      summary,
      this.#labels.id(JSON.stringify(codes)),
      0,
      requirement.stages.reduce((sum, { quorum }) => sum + quorum, 0),
      0,
      requirement.grant.uses,
      null,
    );
    this.#changed.add(approval_id);
    for (const { any_of } of requirement.stages) this.#ask(approval_id, any_of);
  }

  /** Its statement stands in another journal, and came later. */
  shaped(approvalId: string, shape: string): void {
    this.#update.shaped.run(shape, approvalId);
  }

  escalated({ approval_id, added }: Of<'approval.escalated'>): void {
    this.#ask(approval_id, added);
    this.#changed.add(approval_id);
  }

  /** Whom it asks, as terms of a statement that waits for it. */
  askedTerms(approvalId: string): readonly string[] {
    return this.#whom.all(approvalId).map(({ kind, name }) => term(kind === 'group' ? 'asked group' : 'asked user', String(name)));
  }

  verdict({ approval_id, outcome }: Of<'approval.verdict'>): void {
    if (outcome === 'approve') this.#update.verdict.run(approval_id);
    this.#changed.add(approval_id);
  }

  settled({ approval_id, outcome }: Of<'approval.settled'>): void {
    this.#update.settled.run(outcome, approval_id);
    this.#changed.add(approval_id);
  }

  consumed({ approval_id }: Of<'approval.consumed'>): void {
    this.#update.consumed.run(approval_id);
    this.#changed.add(approval_id);
  }

  glassBroken({ approval_id }: Of<'approval.glass_broken'>): void {
    this.#update.glass.run(approval_id);
    this.#changed.add(approval_id);
  }

  glassReviewed({ approval_id, outcome }: Of<'approval.glass_reviewed'>): void {
    this.#update.reviewed.run(outcome, approval_id);
    this.#changed.add(approval_id);
  }

  /** Those of this batch, and forgets them. */
  takeChanged(): readonly ApprovalRow[] {
    const rows = [...this.#changed].flatMap((id) => (this.#update.find.get(id) as ApprovalRow | undefined) ?? []);
    this.#changed.clear();
    return rows;
  }

  /** A source that has to be looked up (`ref`) is nobody's name. */
  #ask(approvalId: string, approvers: readonly Approver[]): void {
    for (const approver of approvers) {
      if ('group' in approver) this.#asked.run('group', approver.group, approvalId);
      else if ('user' in approver) this.#asked.run('user', approver.user, approvalId);
    }
  }
}
