/** Requests for approval: reading them, and what one may do with them. Whether somebody may is the book's to say; it records what it says. */
import { InterlockError } from '#schemas/errors';
import { readableApproval, visibleTo } from '../access.ts';
import type { Answer, Call, Route } from '../call.ts';
import { ULID } from '../ulid.ts';
import { oneOf, optional, readBody, readQuery, text, words } from '../fields.ts';
import { LIMITS } from '../limits.ts';
import type { BookFilter, Verdict } from '../parts.ts';
import { showRequest } from './request-page.ts';

const at = (rest: string): RegExp => new RegExp(`^/v1/approvals/(apr_${ULID})${rest}$`);

export const APPROVAL_ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/v1\/approvals$/, scope: 'any', query: ['state'], answer: list },
  { method: 'GET', path: at(''), scope: 'any', query: [], answer: show },
  { method: 'GET', path: at('/page'), scope: 'any', query: [], answer: showRequest },
  { method: 'POST', path: at('/verdict'), scope: 'approve', query: [], answer: decide },
  { method: 'POST', path: at('/cancel'), scope: 'any', query: [], answer: cancel },
  { method: 'POST', path: at('/withdraw'), scope: 'approve', query: [], answer: withdraw },
  { method: 'POST', path: at('/break-glass'), scope: 'approve', query: [], answer: breakGlass },
  { method: 'POST', path: at('/review'), scope: 'approve', query: [], answer: review },
];

const comment = text(LIMITS.commentChars);

function list({ house, reader, query }: Call): Answer {
  const { state } = readQuery(query, { state: optional(words) });
  const book = house.parts.approvals;
  const readable = visibleTo(reader, book);
  const visible: BookFilter['visible'] = (outline) => readable(outline) && (state === undefined || outline.state === state);
  return { document: book.page({ visible }, { limit: LIMITS.approvalsListed }).items };
}

async function show(call: Call): Promise<Answer> {
  const { house, reader, id } = call;
  const approval = await readableApproval(house.parts.approvals, id, reader);
  await house.views.record(call, { approvalId: id });
  return { document: approval };
}

async function decide({ house, principal, reader, session, id, body }: Call): Promise<Answer> {
  const given = readBody(body, { outcome: oneOf('approve', 'deny', 'changes'), comment: optional(comment), seen: optional(text(128)) });
  await readableApproval(house.parts.approvals, id, reader);
  // what a page showed may be old, or another's: an approval from there names what was on the screen (A9)
  if (session !== null && given.outcome === 'approve' && given.seen === undefined)
    throw new InterlockError('USAGE', 'an approval from the console needs `seen`: the digest of the text that was shown');
  return { document: await house.parts.approvals.verdict(id, { reviewer: principal, ...given } satisfies Verdict) };
}

async function cancel({ house, principal, reader, id, body }: Call): Promise<Answer> {
  const given = readBody(body, { comment: optional(comment) });
  await readableApproval(house.parts.approvals, id, reader);
  await house.parts.approvals.cancel(id, { by: principal, ...given });
  return { document: house.parts.approvals.show(id) };
}

async function withdraw({ house, principal, reader, id, body }: Call): Promise<Answer> {
  const given = readBody(body, { comment: optional(comment) });
  await readableApproval(house.parts.approvals, id, reader);
  return { document: await house.parts.approvals.withdraw(id, { by: principal, ...given }) };
}

async function breakGlass({ house, principal, reader, id, body }: Call): Promise<Answer> {
  const { reason } = readBody(body, { reason: comment });
  await readableApproval(house.parts.approvals, id, reader);
  return { document: await house.parts.approvals.breakGlass(id, { by: principal, reason }) };
}

async function review({ house, principal, reader, id, body }: Call): Promise<Answer> {
  const given = readBody(body, { outcome: oneOf('justified', 'unjustified'), comment });
  await readableApproval(house.parts.approvals, id, reader);
  return { document: await house.parts.approvals.review(id, { by: principal, ...given }) };
}
