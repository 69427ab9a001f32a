/** One human decides in another's place for a while. */
import type { DelegationPage } from '#schemas/review';
import type { Answer, Call, Route } from '../call.ts';
import { ULID } from '../ulid.ts';
import { instant, readBody, text } from '../fields.ts';
import { delegationsOf } from '../ready.ts';

export const DELEGATION_ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/v1\/delegations$/, scope: 'any', query: [], answer: list },
  { method: 'POST', path: /^\/v1\/delegations$/, scope: 'approve', query: [], answer: open },
  { method: 'DELETE', path: new RegExp(`^/v1/delegations/([a-z]{3}_${ULID})$`), scope: 'approve', query: [], answer: end },
];

async function list({ house, reader }: Call): Promise<Answer> {
  const items = [...(await delegationsOf(house).list(reader))];
  return { document: { items, next: null, total: items.length } satisfies DelegationPage };
}

async function open({ house, principal, body }: Call): Promise<Answer> {
  const ask = readBody(body, { to: text(256), starts: instant, ends: instant, reason: text(1_000) });
  return { document: await delegationsOf(house).open(principal, ask) };
}

async function end({ house, principal, id }: Call): Promise<Answer> {
  return { document: await delegationsOf(house).end(id, principal) };
}
