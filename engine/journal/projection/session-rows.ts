/** Sessions as their events tell them. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Event } from '#schemas/event';
import { Blocks } from './blocks.ts';
import { term } from './terms.ts';

type Of<T extends Event['type']> = Extract<Event, { type: T }>;

export interface SessionRow {
  readonly id: number;
  readonly session_id: string;
  readonly time: number;
  readonly subject: string;
  readonly login: string;
  readonly subject_type: string;
  readonly behalf: string | null;
  readonly behalf_login: string | null;
  readonly target: string;
  readonly database: string | null;
  readonly client: string | null;
  readonly application: string | null;
  readonly protocol: string;
  closed_at: number | null;
  reason: string | null;
  statements: number;
  refused: number;
  held: number;
  readonly first: number;
  last: number;
  /** '': the process' own. */
  readonly journal: string;
}

/** Open sessions kept at hand; others are read again when an event of theirs comes. */
const AT_HAND_MAX = 70_000;

export class SessionRows {
  readonly #database: DatabaseSync;
  readonly #find: StatementSync;
  readonly #write: StatementSync;
  readonly #index: StatementSync;
  readonly #blocks: Blocks;
  readonly #atHand = new Map<string, SessionRow>();
  readonly #changed = new Set<SessionRow>();
  /** Of these what they are found by changed too: a session changes with each statement, its terms twice in its life. */
  readonly #unindexed = new Set<SessionRow>();
  #next: number;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#find = database.prepare('SELECT * FROM session WHERE session_id = ?');
    this.#write = database.prepare(`INSERT OR REPLACE INTO session VALUES (${Array.from({ length: 21 }, () => '?').join(', ')})`);
    this.#index = database.prepare('INSERT OR REPLACE INTO session_terms (rowid, terms) VALUES (?, ?)');
    this.#blocks = new Blocks(database, 'session_block');
    this.#next = Number(database.prepare('SELECT max(id) AS last FROM session').get()?.['last'] ?? 0) + 1;
  }

  opened(event: Of<'session.opened'>, time: number, journal: string): SessionRow {
    const { id, type, properties } = event.subject_detail;
    const { login, on_behalf_of } = properties;
    return this.#add({
      id: this.#next++,
      session_id: event.session_id ?? '',
      time,
      subject: id,
      login,
      subject_type: type,
      behalf: on_behalf_of?.id ?? null,
      behalf_login: on_behalf_of?.login ?? null,
      target: event.resource.id,
      database: event.resource.properties.database ?? null,
      client: event.client.address,
      application: event.client.application,
      protocol: event.protocol,
      closed_at: null,
      reason: null,
      statements: 0,
      refused: 0,
      held: 0,
      first: event.seq,
      last: event.seq,
      journal,
    });
  }

  /** The session of an event; what is known of one whose opening the journal does not hold is who and where. */
  of(event: Event, time: number, journal: string): SessionRow {
    const session_id = event.session_id ?? '';
    const row = this.#atHand.get(session_id) ?? this.#again(session_id) ?? this.#unopened(event, time, journal);
    row.last = event.seq;
    this.#changed.add(row);
    return row;
  }

  closed(event: Of<'session.closed'>, time: number, journal: string): SessionRow {
    const row = this.of(event, time, journal);
    this.#close(row, time, event.reason);
    return row;
  }

  /** The process of a journal begins: whatever an earlier one left open has ended, without saying so. */
  endAll(time: number, journal: string): void {
    this.write();
    for (const { session_id } of this.#database.prepare('SELECT session_id FROM session WHERE closed_at IS NULL AND journal = ?').all(journal)) {
      const row = this.#atHand.get(String(session_id)) ?? this.#again(String(session_id));
      if (row === null) continue;
      this.#close(row, time, 'crash');
      if (this.#changed.size >= AT_HAND_MAX) this.write();
    }
  }

  /** Of this batch. */
  get changed(): ReadonlySet<SessionRow> {
    return this.#changed;
  }

  write(): void {
    for (const row of this.#changed) {
      this.#write.run(...(Object.values(row) as (string | number | null)[]));
      if (this.#unindexed.has(row)) this.#index.run(row.id, termsOf(row));
      if (row.closed_at !== null) this.#atHand.delete(row.session_id);
    }
    this.#changed.clear();
    this.#unindexed.clear();
    this.#blocks.write();
    if (this.#atHand.size > AT_HAND_MAX) this.#atHand.clear();
  }

  #close(row: SessionRow, time: number, reason: string): void {
    row.closed_at = time;
    row.reason = reason;
    this.#changed.add(row);
    this.#unindexed.add(row);
  }

  #add(row: SessionRow): SessionRow {
    this.#atHand.set(row.session_id, row);
    this.#changed.add(row);
    this.#unindexed.add(row);
    this.#blocks.add(row.id, row.time);
    return row;
  }

  #again(sessionId: string): SessionRow | null {
    const row = this.#find.get(sessionId) as SessionRow | undefined;
    if (row === undefined) return null;
    const own = { ...row };
    this.#atHand.set(sessionId, own);
    return own;
  }

  #unopened({ subject = '', target = '', seq, session_id = '' }: Event, time: number, journal: string): SessionRow {
    const unknown = { behalf: null, behalf_login: null, target, database: null, client: null, application: null, protocol: '' };
    const counts = { closed_at: null, reason: null, statements: 0, refused: 0, held: 0, first: seq, last: seq, journal };
    return this.#add({ id: this.#next++, session_id, time, subject, login: subject, subject_type: '', ...unknown, ...counts });
  }
}

function termsOf(row: SessionRow): string {
  return [...ownerTerms(row), term('state', row.closed_at === null ? 'open' : 'closed')].join(' ');
}

/** Who and where. */
function ownerTerms({ subject, login, behalf, behalf_login, target }: SessionRow): readonly string[] {
  const terms = [term('subject', subject), term('login', login.toLowerCase()), term('target', target)];
  if (behalf !== null) terms.push(term('behalf', behalf));
  if (behalf_login !== null) terms.push(term('login', behalf_login.toLowerCase()));
  return terms;
}

const ofStatements = new WeakMap<SessionRow, string>();

/** What each of its statements is found by. */
export function statementTerms(row: SessionRow): string {
  let terms = ofStatements.get(row);
  if (terms === undefined) ofStatements.set(row, (terms = [term('session', row.session_id), ...ownerTerms(row)].join(' ')));
  return terms;
}
