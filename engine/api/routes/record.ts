/** The record itself: search, events as they are, and what changes. */
import type { Answer, Call, Route } from '../call.ts';
import { instant, limit, optional, readQuery, words } from '../fields.ts';
import { readerOf } from '../access.ts';
import { LIMITS } from '../limits.ts';
import type { Reader } from '../parts.ts';
import { beginOf, only, readable } from '../readings.ts';
import { projectionOf } from '../ready.ts';

const SEARCH = {
  session: optional(words),
  who: optional(words),
  target: optional(words),
  object: optional(words),
  verb: optional(words),
  effect: optional(words),
  code: optional(words),
  outcome: optional(words),
  q: optional(words),
  since: optional(instant),
  until: optional(instant),
  cursor: optional(words),
  limit: optional(limit),
};

export const RECORD_ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/v1\/search$/, scope: 'any', query: Object.keys(SEARCH), answer: search },
  { method: 'GET', path: /^\/v1\/events$/, scope: 'any', query: ['session', 'type', 'since', 'follow'], streams: true, answer: events },
  { method: 'GET', path: /^\/v1\/live$/, scope: 'any', query: [], answer: live },
];

async function search(call: Call): Promise<Answer> {
  const { house, reader, query } = call;
  const given = readQuery(query, SEARCH);
  const projection = projectionOf(house);
  await looked(call, given.session);
  return { document: await projection.search({ ...given, limit: given.limit ?? LIMITS.pageDefault }, reader) };
}

async function events(call: Call): Promise<Answer> {
  const { session, since = '' } = readQuery(call.query, { session: optional(words), since: optional(instant) });
  const types = call.query.getAll('type');
  await looked(call, session);
  const wanted = only(
    readable(call, call.query.get('follow') === 'true', session),
    (event) => (session === undefined || event.session_id === session) && (types.length === 0 || types.includes(event.type)) && event.time >= since,
  );
  return { lines: wanted };
}

/** Of one session it is a look at that session, where there is one that is theirs to read; else, for whoever reads everything, at the record. */
async function looked(call: Call, session: string | undefined): Promise<void> {
  const { house, reader } = call;
  const known = session !== undefined && (await beginOf(session, house, reader)) !== null;
  if (known) await house.views.record(call, { sessionId: session });
  else if (reader.all) await house.views.record(call, { record: true });
}

function live({ house, principal, lastEventId, signal }: Call): Answer {
  const reader = (): Reader => readerOf(house.parts.current(principal), house.parts.readers);
  return { live: async (outlet) => await house.live.serve(reader, lastEventId, outlet, signal) };
}
