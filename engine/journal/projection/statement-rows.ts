/** Statements as their events tell them. What has not ended is kept whole, so that its row and terms can be written again. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { EFFECTS, type Decision } from '#schemas/decision';
import type { Event } from '#schemas/event';
import type { StatementItem } from '#schemas/review';
import { Blocks } from './blocks.ts';
import { Labels } from './labels.ts';
import { type KnownFacts, type KnownText } from './payloads.ts';
import { statementTerms, type SessionRow } from './session-rows.ts';
import { term } from './terms.ts';

type Of<T extends Event['type']> = Extract<Event, { type: T }>;
export type Outcome = StatementItem['outcome'];

/** By number in the table. */
export const OUTCOMES: readonly Outcome[] = ['running', 'held', 'refused', 'prepared', 'ok', 'error', 'aborted', 'cancelled', 'unknown'];

export interface OpenStatement {
  readonly id: number;
  readonly statement_id: string;
  readonly session: number;
  readonly owners: readonly string[];
  readonly session_id: string;
  readonly time: number;
  readonly action: string;
  readonly text: string | null;
  /** Of the text, the owner, the objects touched and whom its requests ask. */
  terms: string[];
  effect: Decision['effect'] | null;
  codes: string[];
  /** JSON */
  touched: string | null;
  shape: string | null;
  outcome: Outcome;
  /** It may have reached its target. */
  cleared: boolean;
  refused: string | null;
  sqlstate: string | null;
  rows: number | null;
  bytes: number | null;
  duration_us: number | null;
  masked: Readonly<Record<string, number>> | null;
  approval_id: string | null;
  /** Where it stands: '' the process' own. */
  readonly journal: string;
  /** Its row stands in the file. */
  written: boolean;
}

const AT_HAND_MAX = 20_000;

export class StatementRows {
  readonly #database: DatabaseSync;
  readonly #find: StatementSync;
  readonly #write: StatementSync;
  readonly #index: StatementSync;
  readonly #indexAgain: StatementSync;
  readonly #keep: StatementSync;
  readonly #end: StatementSync;
  readonly #labels: Labels;
  readonly #texts: Labels;
  readonly #blocks: Blocks;
  readonly #atHand = new Map<string, OpenStatement>();
  readonly #changed = new Set<OpenStatement>();
  #next: number;

  constructor(database: DatabaseSync, labels: Labels) {
    this.#database = database;
    this.#labels = labels;
    this.#texts = new Labels(database, 'text');
    this.#blocks = new Blocks(database, 'statement_block');
    this.#find = database.prepare('SELECT state FROM open_statement WHERE statement_id = ?');
    this.#keep = database.prepare('INSERT OR REPLACE INTO open_statement VALUES (?, ?)');
    this.#end = database.prepare('DELETE FROM open_statement WHERE statement_id = ?');
    this.#write = database.prepare(`INSERT OR REPLACE INTO statement VALUES (${Array.from({ length: 17 }, () => '?').join(', ')})`);
    this.#index = database.prepare('INSERT INTO statement_terms (rowid, terms) VALUES (?, ?)');
    this.#indexAgain = database.prepare('INSERT OR REPLACE INTO statement_terms (rowid, terms) VALUES (?, ?)');
    this.#next = Number(database.prepare('SELECT max(id) AS last FROM statement').get()?.['last'] ?? 0) + 1;
  }

  received(event: Of<'statement.received'>, time: number, session: SessionRow, text: KnownText | null): void {
    const { statement_id = '', action } = event;
    const terms = [statementTerms(session)];
    if (text !== null && text.words !== '') terms.push(text.words);
    const statement: OpenStatement = {
      id: this.#next++,
      statement_id,
      session: session.id,
      owners: session.behalf === null ? [session.subject] : [session.subject, session.behalf],
      session_id: session.session_id,
      time,
      action,
      text: text?.text ?? null,
      terms,
      effect: null,
      codes: [],
      touched: null,
      shape: null,
      outcome: 'running',
      cleared: false,
      refused: null,
      sqlstate: null,
      rows: null,
      bytes: null,
      duration_us: null,
      masked: null,
      approval_id: null,
      journal: session.journal,
      written: false,
    };
    this.#atHand.set(statement_id, statement);
    this.#changed.add(statement);
    this.#blocks.add(statement.id, time);
  }

  /** null: it has ended, or never began. */
  open(statementId: string | undefined): OpenStatement | null {
    if (statementId === undefined) return null;
    const statement = this.#atHand.get(statementId) ?? this.#again(statementId);
    if (statement !== null) this.#changed.add(statement);
    return statement;
  }

  decided(statement: OpenStatement, { decision }: Of<'statement.decided'>, facts: KnownFacts): void {
    const again = statement.effect !== null;
    statement.effect = decision.effect;
    for (const { code } of decision.reasons) if (!statement.codes.includes(code)) statement.codes.push(code);
    statement.touched = facts.touched;
    statement.shape = facts.shape;
    if (facts.terms !== '' && !(again && statement.terms.includes(facts.terms))) statement.terms.push(facts.terms);
  }

  refused(statement: OpenStatement, event: Of<'statement.refused'>): void {
    statement.outcome = 'refused';
    statement.refused = event.code;
    statement.sqlstate = event.sqlstate ?? null;
  }

  finished(statement: OpenStatement, event: Of<'statement.finished'>): void {
    statement.outcome = event.outcome === 'ok' && statement.action === 'sql.prepare' ? 'prepared' : event.outcome;
    statement.rows = event.rows ?? null;
    statement.bytes = event.bytes;
    statement.duration_us = event.duration_us;
    statement.sqlstate = event.sqlstate ?? null;
    for (const _column in event.masked) statement.masked = event.masked;
  }

  /** The process of a journal begins: what an earlier one had not cleared never reached its target. What it had cleared is told `unknown` by the journal itself. */
  endAll(journal: string): void {
    this.write();
    for (const { statement_id } of this.#database.prepare('SELECT statement_id FROM open_statement').all()) {
      const statement = this.#atHand.get(String(statement_id)) ?? this.#again(String(statement_id));
      if (statement === null || statement.cleared || statement.journal !== journal) continue;
      statement.outcome = 'aborted';
      this.#changed.add(statement);
      if (this.#changed.size >= AT_HAND_MAX) this.write();
    }
  }

  /** Of this batch. */
  get changed(): ReadonlySet<OpenStatement> {
    return this.#changed;
  }

  write(): void {
    for (const statement of this.#changed) this.#writeOne(statement);
    this.#changed.clear();
    this.#blocks.write();
    if (this.#atHand.size > AT_HAND_MAX) this.#atHand.clear();
  }

  #writeOne(statement: OpenStatement): void {
    const { id, statement_id, session, time, action, text, effect, codes, touched, outcome, masked } = statement;
    const label = (value: readonly string[] | Readonly<Record<string, number>>): number => this.#labels.id(JSON.stringify(value));
    this.#write.run(
      id,
      statement_id,
      session,
      time,
      this.#labels.id(action),
      text === null ? null : this.#texts.id(text),
      effect === null ? null : EFFECTS.indexOf(effect),
      codes.length === 0 ? null : label(codes),
      touched === null ? null : this.#labels.id(touched),
      OUTCOMES.indexOf(outcome),
      statement.refused,
      statement.sqlstate,
      statement.rows,
      statement.bytes,
      statement.duration_us,
      masked === null ? null : label(masked),
      statement.approval_id,
    );
    (statement.written ? this.#indexAgain : this.#index).run(id, termsOf(statement));
    const ended = outcome !== 'running' && outcome !== 'held';
    if (!ended) this.#keep.run(statement_id, JSON.stringify({ ...statement, written: true }));
    else if (statement.written) this.#end.run(statement_id);
    if (ended) this.#atHand.delete(statement_id);
    statement.written = true;
  }

  #again(statementId: string): OpenStatement | null {
    const row = this.#find.get(statementId);
    if (row === undefined) return null;
    const statement = JSON.parse(String(row['state'])) as OpenStatement;
    this.#atHand.set(statementId, statement);
    return statement;
  }
}

function termsOf({ terms, effect, codes, refused, outcome }: OpenStatement): string {
  const own = codes.map((code) => term('code', code));
  if (refused !== null && !codes.includes(refused)) own.push(term('code', refused));
  if (effect !== null) own.push(term('effect', effect));
  own.push(term('outcome', outcome));
  return [...own, ...terms].join(' ');
}
