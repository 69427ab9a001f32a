/** Messages that could not be delivered. They hold whom a request asks, so only who reads everything sees them. */
import { InterlockError } from '#schemas/errors';
import { type Answer, type Call, type Route, ULID } from '../call.ts';
import { notificationsOf } from '../ready.ts';

export const NOTIFICATION_ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/v1\/notifications$/, scope: 'any', query: [], answer: list },
  { method: 'POST', path: new RegExp(`^/v1/notifications/([a-z]{3}_${ULID})/resend$`), scope: 'approve', query: [], answer: resend },
];

async function list({ house, reader }: Call): Promise<Answer> {
  if (!reader.all) return { document: { items: [] } };
  return { document: { items: await notificationsOf(house).dead() } };
}

async function resend({ house, reader, principal, id }: Call): Promise<Answer> {
  if (!reader.all) throw new InterlockError('NOTIFICATION_NOT_FOUND', `there is no undelivered message ${id}`);
  await notificationsOf(house).resend(id, principal);
  return { document: {} };
}
