/** Every route: parse → call → present. What may be read is decided in access.ts, for all of them alike. */
import type { Principal } from '#client/identity';
import type { ApprovalView } from '#schemas/approval';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import { EventAccess, mayReadApproval, readsAll } from './access.ts';
import type { ApiParts } from './parts.ts';

export interface Call {
  readonly parts: ApiParts;
  readonly principal: Principal;
  /** From the path. */
  readonly id: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** Aborted when the client goes, the token ends or the server closes. */
  readonly signal: AbortSignal;
}

/** One document, or a line for each item as it comes. */
export type Answer = { readonly document: unknown } | { readonly lines: AsyncIterable<unknown> };

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Matched against the whole path; the one group is the id. */
  readonly path: RegExp;
  /** What the token must carry; any: one of the two. */
  readonly scope: 'any' | 'approve';
  /** It reads the journal: so many at a time (LIMITS.streams). */
  readonly streams?: true;
  /** What may stand in the query. */
  readonly query: readonly string[];
  readonly answer: (call: Call) => Answer | Promise<Answer>;
}

const ID = '([a-z]{3}_[0-9A-HJKMNP-TV-Z]{26})';

export const ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/v1\/status$/, scope: 'any', query: [], answer: async ({ parts }) => ({ document: await parts.status() }) },
  { method: 'GET', path: /^\/v1\/approvals$/, scope: 'any', query: ['state'], answer: listApprovals },
  { method: 'GET', path: new RegExp(`^/v1/approvals/${ID}$`), scope: 'any', query: [], answer: showApproval },
  { method: 'POST', path: new RegExp(`^/v1/approvals/${ID}/verdict$`), scope: 'approve', query: [], answer: decideApproval },
  { method: 'GET', path: /^\/v1\/sessions$/, scope: 'any', query: ['since'], streams: true, answer: listSessions },
  { method: 'GET', path: new RegExp(`^/v1/sessions/${ID}$`), scope: 'any', query: [], streams: true, answer: showSession },
  { method: 'GET', path: /^\/v1\/events$/, scope: 'any', query: ['session', 'type', 'since', 'follow'], streams: true, answer: streamEvents },
];

const APPROVALS_MAX = 1000;
const SESSIONS_MAX = 1000;

async function listApprovals({ parts, principal, query }: Call): Promise<Answer> {
  const state = query.get('state');
  const visible = (await parts.approvals.list()).filter((approval) => mayReadApproval(principal, approval, parts.readers));
  const wanted = state === null ? visible : visible.filter((approval) => approval.state === state);
  return { document: wanted.slice(-APPROVALS_MAX) };
}

async function showApproval(call: Call): Promise<Answer> {
  const approval = await readableApproval(call);
  call.parts.viewed(call.principal, { approvalId: call.id });
  return { document: approval };
}

async function readableApproval({ parts, principal, id }: Call): Promise<ApprovalView> {
  const approval = await parts.approvals.show(id);
  if (!mayReadApproval(principal, approval, parts.readers)) throw new InterlockError('APPROVAL_NOT_FOUND', `there is no approval request ${id}`);
  return approval;
}

/** Whether this reviewer counts is the book's to say; it records what it says. */
async function decideApproval({ parts, principal, id, body }: Call): Promise<Answer> {
  return { document: await parts.approvals.verdict(id, { reviewer: principal, ...verdictOf(body) }) };
}

const COMMENT_CHARS_MAX = 4000;

function verdictOf(body: unknown): { readonly outcome: 'approve' | 'deny'; readonly comment?: string } {
  const { outcome, comment, ...rest } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const fits = (outcome === 'approve' || outcome === 'deny') && Object.keys(rest).length === 0;
  if (fits && comment === undefined) return { outcome };
  if (fits && typeof comment === 'string' && comment.length <= COMMENT_CHARS_MAX) return { outcome, comment };
  throw new InterlockError('USAGE', `the body must be {"outcome": "approve" or "deny", "comment"?: text of at most ${COMMENT_CHARS_MAX} characters}`);
}

/** The newest sessions: each its `session.opened`, with how it stands. */
async function listSessions(call: Call): Promise<Answer> {
  const since = instant(call.query.get('since'));
  const sessions = new Map<string, object>();
  for await (const event of readable(call, false)) {
    const id = event.session_id ?? '';
    if (event.type === 'session.opened' && event.time >= since) sessions.set(id, { ...event, state: 'open' });
    const opened = sessions.get(id);
    if (event.type === 'session.closed' && opened !== undefined)
      sessions.set(id, { ...opened, state: 'closed', closed: event.time, reason: event.reason, statements: event.statements });
    if (sessions.size > SESSIONS_MAX) sessions.delete(sessions.keys().next().value ?? '');
  }
  return { lines: each(sessions.values()) };
}

/** Every event of one session. Looking at somebody else's is itself recorded. */
async function showSession(call: Call): Promise<Answer> {
  const events = only(readable(call, false), (event) => event.session_id === call.id)[Symbol.asyncIterator]();
  const first = await events.next();
  if (first.done === true) throw new InterlockError('SESSION_NOT_FOUND', `there is no session ${call.id}`);
  if (readsAll(call.principal, call.parts.readers)) call.parts.viewed(call.principal, { sessionId: call.id });
  return { lines: prepend(first.value, events) };
}

function streamEvents(call: Call): Answer {
  const session = call.query.get('session');
  const types = call.query.getAll('type');
  const since = instant(call.query.get('since'));
  const events = readable(call, call.query.get('follow') === 'true');
  return {
    lines: only(
      events,
      (event) => (session === null || event.session_id === session) && (types.length === 0 || types.includes(event.type)) && event.time >= since,
    ),
  };
}

/** From the start of the journal, so that it is known whose each session is. */
async function* readable({ parts, principal, signal }: Call, follow: boolean): AsyncGenerator<Event> {
  const access = new EventAccess(principal, parts.readers);
  for await (const event of parts.events({ follow, signal })) if (access.allows(event)) yield event;
}

async function* only(events: AsyncIterable<Event>, wanted: (event: Event) => boolean): AsyncGenerator<Event> {
  for await (const event of events) if (wanted(event)) yield event;
}

async function* each(items: Iterable<object>): AsyncGenerator<object> {
  yield* items;
}

async function* prepend(first: Event, rest: AsyncIterator<Event>): AsyncGenerator<Event> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/** RFC 3339 in UTC compares as text. */
function instant(text: string | null): string {
  if (text === null) return '';
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) throw new InterlockError('USAGE', '`since` must be a time such as 2026-11-23T10:00:00Z');
  return at.toISOString().replace('Z', '');
}
