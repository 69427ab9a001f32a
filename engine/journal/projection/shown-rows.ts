/** Rows → what is shown. Texts leave the projection here, and nowhere else: each is made safe to show (SECURITY M8). */
import { shown, shownAgain } from '#client/shown';
import { EFFECTS } from '#schemas/decision';
import type { InboxItem, SessionItem, StatementItem } from '#schemas/review';
import { TimestampWriter } from '../timestamp-writer.ts';
import { TEXT_CHARS_MAX } from './payloads.ts';
import type { SessionRow } from './session-rows.ts';
import { OUTCOMES } from './statement-rows.ts';

const label = (column: string): string => `(SELECT text FROM label WHERE label.id = row.${column}) AS ${column}`;

/** Of a statement as `row`, with its `session`. */
export const STATEMENT_COLUMNS = `row.id, row.statement_id, session.session_id, row.time, session.login, session.behalf_login, session.target,
  ${label('action')}, (SELECT text.text FROM text WHERE text.id = row.text) AS text, row.effect, ${label('codes')}, ${label('touched')}, row.outcome, row.refused,
  row.sqlstate, row.rows, row.bytes, row.duration_us, ${label('masked')}, row.approval_id`;

export interface StatementColumns {
  readonly id: number;
  readonly statement_id: string;
  readonly session_id: string;
  readonly time: number;
  readonly login: string;
  readonly behalf_login: string | null;
  readonly target: string;
  readonly action: string;
  readonly text: string | null;
  readonly effect: number | null;
  readonly codes: string | null;
  readonly touched: string | null;
  readonly outcome: number;
  readonly refused: string | null;
  readonly sqlstate: string | null;
  readonly rows: number | null;
  readonly bytes: number | null;
  readonly duration_us: number | null;
  readonly masked: string | null;
  readonly approval_id: string | null;
}

const times = new TimestampWriter();

export function shownStatement(row: StatementColumns): StatementItem {
  const item: StatementItem = {
    statement_id: shown(row.statement_id),
    session_id: shown(row.session_id),
    time: times.text(row.time),
    login: shown(row.login),
    target: shown(row.target),
    action: shown(row.action),
    codes: list(row.codes),
    touched: list(row.touched),
    outcome: OUTCOMES[row.outcome] ?? 'unknown',
  };
  if (row.behalf_login !== null) item.on_behalf_of = shown(row.behalf_login);
  if (row.text !== null) Object.assign(item, shownText(row.text));
  const effect = row.effect === null ? undefined : EFFECTS[row.effect];
  if (effect !== undefined) item.effect = effect;
  if (row.refused !== null) item.refused = shown(row.refused);
  if (row.sqlstate !== null) item.sqlstate = shown(row.sqlstate);
  if (row.rows !== null) item.rows = row.rows;
  if (row.bytes !== null) item.bytes = row.bytes;
  if (row.duration_us !== null) item.duration_us = row.duration_us;
  if (row.masked !== null) item.masked = counts(row.masked);
  if (row.approval_id !== null) item.approval_id = shown(row.approval_id);
  return item;
}

export function shownSession(row: SessionRow): SessionItem {
  const item: SessionItem = {
    session_id: shown(row.session_id),
    time: times.text(row.time),
    login: shown(row.login),
    subject_type: shown(row.subject_type),
    target: shown(row.target),
    protocol: shown(row.protocol),
    state: row.closed_at === null ? 'open' : 'closed',
    statements: row.statements,
    refused: row.refused,
    held: row.held,
  };
  if (row.behalf_login !== null) item.on_behalf_of = shown(row.behalf_login);
  if (row.database !== null) item.database = shown(row.database);
  if (row.client !== null) item.client = shown(row.client);
  if (row.application !== null) item.application = shown(row.application);
  if (row.closed_at !== null) item.closed_at = times.text(row.closed_at);
  if (row.reason !== null) item.reason = shown(row.reason);
  return item;
}

export interface ApprovalColumns {
  readonly id: number;
  readonly approval_id: string;
  readonly time: number;
  readonly expires_at: number;
  readonly state: InboxItem['state'];
  readonly login: string;
  readonly subject_type: string;
  readonly behalf_login: string | null;
  readonly target: string;
  readonly summary: string;
  readonly codes: string;
  readonly approved: number;
  readonly needed: number;
  readonly review: NonNullable<InboxItem['review']> | null;
}

export const APPROVAL_COLUMNS = `row.id, row.approval_id, row.time, row.expires_at, row.state, row.login, row.subject_type, row.behalf_login, row.target, row.summary,
  ${label('codes')}, row.approved, row.needed, row.review`;

/** Of the past: nobody is asked for it now. */
export function shownApproval(row: ApprovalColumns): InboxItem {
  const item: InboxItem = {
    approval_id: shown(row.approval_id),
    state: row.state,
    summary: shownAgain(row.summary),
    login: shown(row.login),
    subject_type: shown(row.subject_type),
    target: shown(row.target),
    requested_at: times.text(row.time),
    expires_at: times.text(row.expires_at),
    codes: list(row.codes),
    approved: row.approved,
    needed: row.needed,
    mine: false,
  };
  if (row.behalf_login !== null) item.on_behalf_of = shown(row.behalf_login);
  if (row.review !== null) item.review = row.review;
  return item;
}

/** Line ends and tabs stay: it is shown as a text of several lines. What is told by name is longer than what it stands for. */
function shownText(text: string): { readonly text: string; readonly cut?: true } {
  const safe = text
    .split(/\r?\n/)
    .map((line) => line.split('\t').map(shown).join('\t'))
    .join('\n');
  if (text.length <= TEXT_CHARS_MAX && safe.length <= TEXT_CHARS_MAX) return { text: safe };
  return { text: whole(safe.slice(0, TEXT_CHARS_MAX)), cut: true };
}

/** Without half of a mark, or of a character, at its end. */
function whole(text: string): string {
  const open = text.lastIndexOf('‹');
  const marked = open > text.lastIndexOf('›') ? text.slice(0, open) : text;
  return /[\uD800-\uDBFF]$/.test(marked) ? marked.slice(0, -1) : marked;
}

function list(json: string | null): string[] {
  return json === null ? [] : (JSON.parse(json) as string[]).map(shown);
}

function counts(json: string): Record<string, number> {
  return Object.fromEntries(Object.entries(JSON.parse(json) as Record<string, number>).map(([column, count]) => [shown(column), count]));
}
