/** Targets and their enforcers: how each is. Where they stand is nobody's business but the readers'. */
import type { Answer, Call, Route } from '../call.ts';
import { operationsOf } from '../ready.ts';

export const ENFORCER_ROUTES: readonly Route[] = [{ method: 'GET', path: /^\/v1\/enforcers$/, scope: 'any', query: [], answer: list }];

function list({ house, reader }: Call): Answer {
  const page = operationsOf(house).enforcers();
  return { document: reader.all ? page : { ...page, items: [] } };
}
