/** What is asked of the projection, on one connection that only reads. Every answer is bounded, and ends at its deadline. */
import type { DatabaseSync } from 'node:sqlite';
import { InterlockError } from '#schemas/errors';
import type { InboxItem, SessionItem, SessionPage, StatementItem, StatementPage } from '#schemas/review';
import { checkLimit, COUNTED_MAX, cursorOf, readCursor, readInstant, type Listing, type Page } from './paging.ts';
import type { Access, Paged, SessionQuery, SessionRange, StatementQuery, TimelineQuery } from './projection.ts';
import { readableApprovals, readableSessions, readableStatements, type Readable } from './readable.ts';
import { Scan, type Wanted } from './scan.ts';
import type { SessionRow } from './session-rows.ts';
import {
  APPROVAL_COLUMNS,
  shownApproval,
  shownSession,
  shownStatement,
  STATEMENT_COLUMNS,
  type ApprovalColumns,
  type StatementColumns,
} from './shown-rows.ts';
import { allOf, oneOf, term, wordsAsked, wordTerm } from './terms.ts';

const QUERY_CHARS_MAX = 1_000;
const QUERY_WORDS_MAX = 16;
/** A shorter one would gather half of all words. */
const BEGINNING_CHARS_MIN = 2;

/** @param deadline on the clock of `performance.now()` */
export type Asked<Q, A> = (database: DatabaseSync, query: Q, deadline: number) => A;

export const QUERIES = { sessions, session, timeline, search, sessionSoFar, earlierLike, rangeOf } as const;

function sessions(database: DatabaseSync, query: SessionQuery, deadline: number): SessionPage {
  const { state, target, who } = query;
  const terms = [
    ...(state === undefined ? [] : [oneOf([term('state', state)])]),
    ...(target === undefined ? [] : [oneOf([term('target', target)])]),
    ...(who === undefined ? [] : [oneOf([term('login', who.toLowerCase())])]),
  ];
  const scan = new Scan(database, wanted('session', terms, readableSessions(query.access), query), deadline);
  const sql = 'SELECT row.* FROM session AS row WHERE row.id IN (SELECT value FROM json_each(?)) ORDER BY row.id DESC';
  return page<SessionRow, SessionItem>(database, 'sessions', query, scan, sql, shownSession);
}

function search(database: DatabaseSync, query: StatementQuery, deadline: number): StatementPage {
  const scan = new Scan(database, wanted('statement', searchTerms(query), readableStatements(query.access), query), deadline);
  const sql = `SELECT ${STATEMENT_COLUMNS} FROM statement AS row JOIN session ON session.id = row.session
    WHERE row.id IN (SELECT value FROM json_each(?)) ORDER BY row.id DESC`;
  return page<StatementColumns, StatementItem>(database, 'search', query, scan, sql, shownStatement);
}

function session(database: DatabaseSync, { id, access }: { readonly id: string; readonly access: Access }): SessionItem | null {
  const row = sessionRow(database, id, access);
  return row === null ? null : shownSession(row);
}

function rangeOf(database: DatabaseSync, { id, access }: { readonly id: string; readonly access: Access }): SessionRange | null {
  const row = sessionRow(database, id, access);
  return row === null ? null : { first: row.first, last: row.closed_at === null ? null : row.last, journal: row.journal };
}

function timeline(database: DatabaseSync, query: TimelineQuery): StatementPage {
  const limit = checkLimit(query.limit);
  const after = readCursor('timeline', query.cursor) ?? 0;
  const row = sessionRow(database, query.session_id, query.access);
  if (row === null) return { items: [], next: null, total: 0 };
  const sql = `SELECT ${STATEMENT_COLUMNS} FROM statement AS row JOIN session ON session.id = row.session WHERE row.session = ? AND row.id > ? ORDER BY row.id LIMIT ?`;
  const rows = database.prepare(sql).all(row.id, after, limit + 1) as unknown as StatementColumns[];
  const found = database.prepare('SELECT count(*) AS found FROM (SELECT 1 FROM statement WHERE session = ? LIMIT ?)').get(row.id, COUNTED_MAX);
  return cut('timeline', rows, limit, shownStatement, Number(found?.['found']));
}

function sessionSoFar(
  database: DatabaseSync,
  { session_id, before, limit }: { readonly session_id: string; readonly before: string; readonly limit: number },
): readonly StatementItem[] {
  const row = sessionRow(database, session_id, { all: true });
  if (row === null) return [];
  // not read yet: then it is behind all that is
  const held = database.prepare('SELECT id FROM statement WHERE statement_id = ? AND session = ?').get(before, row.id);
  const sql = `SELECT ${STATEMENT_COLUMNS} FROM statement AS row JOIN session ON session.id = row.session WHERE row.session = ? AND row.id < ? ORDER BY row.id DESC LIMIT ?`;
  const rows = database.prepare(sql).all(row.id, Number(held?.['id'] ?? Number.MAX_SAFE_INTEGER), checkLimit(limit));
  return (rows as unknown as StatementColumns[]).map(shownStatement);
}

function earlierLike(
  database: DatabaseSync,
  { approval_id, limit, access }: { readonly approval_id: string; readonly limit: number; readonly access: Access },
): readonly InboxItem[] {
  const { where, values } = readableApprovals(access);
  const sql = `SELECT ${APPROVAL_COLUMNS} FROM approval AS this JOIN approval AS row ON row.shape = this.shape AND row.target = this.target AND row.id < this.id
    WHERE ${['this.approval_id = ?', ...where].join(' AND ')} ORDER BY row.id DESC LIMIT ?`;
  const rows = database.prepare(sql).all(approval_id, ...values, checkLimit(limit));
  return (rows as unknown as ApprovalColumns[]).map(shownApproval);
}

function sessionRow(database: DatabaseSync, id: string, access: Access): SessionRow | null {
  const { where, values } = readableSessions(access);
  const sql = `SELECT row.* FROM session AS row WHERE ${['row.session_id = ?', ...where].join(' AND ')}`;
  return (database.prepare(sql).get(id, ...values) as SessionRow | undefined) ?? null;
}

function searchTerms(query: StatementQuery): string[] {
  const { session: of, who, target, object, verb, effect, code, outcome, q } = query;
  const terms = [];
  if (of !== undefined) terms.push(oneOf([term('session', of)]));
  if (who !== undefined) terms.push(oneOf([term('login', who.toLowerCase())]));
  if (target !== undefined) terms.push(oneOf([term('target', target)]));
  if (object !== undefined) terms.push(oneOf(objectTerms(object.toLowerCase(), verb?.toLowerCase())));
  else if (verb !== undefined) terms.push(oneOf([term('verb', verb.toLowerCase())]));
  if (effect !== undefined) terms.push(oneOf([term('effect', effect)]));
  if (code !== undefined) terms.push(oneOf([term('code', code)]));
  if (outcome !== undefined) terms.push(oneOf([term('outcome', outcome)]));
  if (q !== undefined) terms.push(...wordTerms(q));
  return terms;
}

/** As it is spelled whole, or its own name in any schema: a quoted name may hold a dot. */
function objectTerms(object: string, verb: string | undefined): string[] {
  if (verb === undefined) return [term('qualified', object), term('name', object)];
  return [term('verb qualified', `${verb} ${object}`), term('verb name', `${verb} ${object}`)];
}

function wordTerms(q: string): string[] {
  const words = q.length > QUERY_CHARS_MAX ? null : wordsAsked(q);
  if (words === null || words.length > QUERY_WORDS_MAX) throw new InterlockError('USAGE', `\`q\` must be at most ${QUERY_WORDS_MAX} words`);
  if (words.some(({ word, begins }) => begins && word.length < BEGINNING_CHARS_MIN))
    throw new InterlockError('USAGE', `\`q\`: a beginning has at least ${BEGINNING_CHARS_MIN} letters before its *`);
  return words.length === 0 ? [oneOf([])] : words.map(wordTerm);
}

function wanted(
  table: Wanted['table'],
  terms: readonly string[],
  readable: Readable,
  { since, until }: { readonly since?: string; readonly until?: string },
): Wanted {
  const all = readable.match === null ? terms : [readable.match, ...terms];
  return {
    table,
    match: all.length === 0 ? null : allOf(all),
    whole: all.some((one) => one.endsWith('*')),
    where: readable.where,
    values: readable.values,
    since: since === undefined ? null : readInstant('since', since),
    until: until === undefined ? null : readInstant('until', until),
  };
}

/** One pass finds the rows of the page and how many there are; a page behind what is counted needs another. */
function page<Row extends { readonly id: number }, Item>(
  database: DatabaseSync,
  listing: Listing,
  query: Paged,
  scan: Scan,
  sql: string,
  show: (row: Row) => Item,
): Page<Item> {
  const limit = checkLimit(query.limit);
  const before = readCursor(listing, query.cursor) ?? Number.MAX_SAFE_INTEGER;
  const counted = scan.ids(null, COUNTED_MAX + 1);
  const near = counted.filter((id) => id < before).slice(0, limit + 1);
  const ids = near.length > limit || counted.length <= COUNTED_MAX ? near : scan.ids(before, limit + 1);
  const rows = database.prepare(sql).all(JSON.stringify(ids)) as unknown as Row[];
  return cut(listing, rows, limit, show, Math.min(COUNTED_MAX, counted.length));
}

function cut<Row extends { readonly id: number }, Item>(
  listing: Listing,
  rows: readonly Row[],
  limit: number,
  show: (row: Row) => Item,
  total: number,
): Page<Item> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items: items.map(show), next: rows.length > limit && last !== undefined ? cursorOf(listing, last.id) : null, total };
}
