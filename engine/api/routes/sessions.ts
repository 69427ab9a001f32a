/** Recorded sessions: as events, line by line (the CLI), and in pages (the console). */
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import type { SessionDetail } from '#schemas/review';
import type { Answer, Call, Route } from '../call.ts';
import { ULID } from '../ulid.ts';
import { instant, limit, oneOf, optional, readQuery, words } from '../fields.ts';
import { LIMITS } from '../limits.ts';
import { each, only, prepend, readable, readableEverywhere } from '../readings.ts';
import { projectionOf } from '../ready.ts';

const at = (rest: string): RegExp => new RegExp(`^/v1/sessions/(ses_${ULID})${rest}$`);
const PAGED = { cursor: optional(words), limit: optional(limit) };
const QUERY = {
  ...PAGED,
  state: optional(oneOf('open', 'closed')),
  target: optional(words),
  who: optional(words),
  since: optional(instant),
  until: optional(instant),
};

export const SESSION_ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/v1\/sessions$/, scope: 'any', query: ['since'], streams: true, answer: list },
  { method: 'GET', path: /^\/v1\/sessions\/page$/, scope: 'any', query: Object.keys(QUERY), answer: page },
  { method: 'GET', path: at(''), scope: 'any', query: [], streams: true, answer: show },
  { method: 'DELETE', path: at(''), scope: 'approve', query: [], answer: end },
  { method: 'GET', path: at('/page'), scope: 'any', query: Object.keys(PAGED), answer: showPage },
];

async function page({ house, reader, query }: Call): Promise<Answer> {
  const given = readQuery(query, QUERY);
  return { document: await projectionOf(house).sessions({ ...given, limit: given.limit ?? LIMITS.pageDefault }, reader) };
}

/** Looking at a session is itself recorded. */
async function showPage(call: Call): Promise<Answer> {
  const { house, reader, id, query } = call;
  const given = readQuery(query, PAGED);
  const projection = projectionOf(house);
  const session = await projection.session(id, reader);
  if (session === null) throw noSession(id);
  await house.views.record(call, { sessionId: id });
  const statements = await projection.timeline(id, { ...given, limit: given.limit ?? LIMITS.pageDefault }, reader);
  return { document: { session, statements } satisfies SessionDetail };
}

/** The newest sessions: each its `session.opened`, with how it stands. */
async function list(call: Call): Promise<Answer> {
  const { since = '' } = readQuery(call.query, { since: optional(instant) });
  const sessions = new Map<string, object>();
  for await (const event of readableEverywhere(call)) {
    const id = event.session_id ?? '';
    if (event.type === 'session.opened' && event.time >= since) sessions.set(id, { ...event, state: 'open' });
    const opened = sessions.get(id);
    if (event.type === 'session.closed' && opened !== undefined)
      sessions.set(id, { ...opened, state: 'closed', closed: event.time, reason: event.reason, statements: event.statements });
    if (sessions.size > LIMITS.sessionsListed) sessions.delete(sessions.keys().next().value ?? '');
  }
  return { lines: each(sessions.values()) };
}

async function show(call: Call): Promise<Answer> {
  const events = only(readable(call, false, call.id), (event: Event) => event.session_id === call.id)[Symbol.asyncIterator]();
  const first = await events.next();
  if (first.done === true) throw noSession(call.id);
  await call.house.views.record(call, { sessionId: call.id });
  return { lines: prepend(first.value, events) };
}

/** For members of `api.admins`: the client is told that an administrator ended it. */
async function end({ house, principal, id }: Call): Promise<Answer> {
  const { admins, endSession } = house.parts;
  if (!principal.subject.properties.groups.some((group) => admins.includes(group)))
    throw new InterlockError('NOT_ADMIN', 'only members of `api.admins` end sessions of others');
  if (endSession === undefined || !(await endSession(id, principal))) throw noSession(id);
  return { document: { session_id: id, ended: true } };
}

function noSession(id: string): InterlockError {
  return new InterlockError('SESSION_NOT_FOUND', `there is no session ${id}`);
}
