/** Messages to people outside. They hold whom a request asks, so only who reads everything sees them. */
import { InterlockError } from '#schemas/errors';
import type { Answer, Call, Route } from '../call.ts';
import { ULID } from '../ulid.ts';
import { oneOf, optional, readBody, readQuery, text } from '../fields.ts';
import { notificationsOf } from '../ready.ts';

export const NOTIFICATION_ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/v1\/notifications$/, scope: 'any', query: ['state'], answer: list },
  { method: 'POST', path: /^\/v1\/notifications\/test$/, scope: 'approve', query: [], answer: test },
  { method: 'POST', path: new RegExp(`^/v1/notifications/([a-z]{3}_${ULID})/resend$`), scope: 'approve', query: [], answer: resend },
];

const STATE = { state: optional(oneOf('dead', 'waiting', 'delivered', 'all')) };
const CHANNEL = { channel: text(64) };

function list({ house, reader, query }: Call): Answer {
  const { state = 'dead' } = readQuery(query, STATE);
  if (!reader.all) return { document: { items: [] } };
  return { document: { items: notificationsOf(house).list(state === 'all' ? {} : { state }) } };
}

async function test({ house, reader, body }: Call): Promise<Answer> {
  const { channel } = readBody(body, CHANNEL);
  if (!reader.all) throw new InterlockError('NOTIFICATION_NOT_FOUND', `there is no channel ${channel}`);
  return { document: await notificationsOf(house).test(channel) };
}

async function resend({ house, reader, principal, id }: Call): Promise<Answer> {
  if (!reader.all) throw new InterlockError('NOTIFICATION_NOT_FOUND', `there is no undelivered message ${id}`);
  await notificationsOf(house).resend(id, principal);
  return { document: {} };
}
