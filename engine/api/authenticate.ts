/** Who calls: a bearer token, or the console's session. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Identity, Principal } from '#client/identity';
import { InterlockError } from '#schemas/errors';
import type { House } from './house.ts';
import type { ConsoleSession } from './login/console-sessions.ts';
import { readCookie } from './login/cookies.ts';
import { checkCsrf, checkOrigin, checkSite } from './login/origin.ts';

export interface Caller {
  readonly principal: Principal;
  readonly session: ConsoleSession | null;
}

interface Asked {
  readonly method: string;
  readonly scope: 'any' | 'approve';
  /** A live stream is no sign that somebody is there. */
  readonly idle: boolean;
}

/**
 * `Authorization: Bearer …` (RFC 6750 §2.1), never a query parameter: those end up in logs. Without one the console's cookie, which a browser also
 * sends for others' pages: what changes something must come from our own page and carry its session's token.
 * @throws InterlockError AUTH_FAILED, AUTH_SCOPE, CSRF
 */
export async function authenticate(headers: IncomingHttpHeaders, asked: Asked, house: House): Promise<Caller> {
  if (headers.authorization !== undefined)
    return { principal: await bearer(headers.authorization, asked.scope, house.parts.identity), session: null };
  const word = readCookie(headers.cookie, house.cookies.session);
  if (word === null) throw new InterlockError('AUTH_FAILED', 'a bearer token or a login is needed');
  checkSite(headers);
  const session = house.sessions.find(word, !asked.idle);
  if (session === null) throw new InterlockError('AUTH_FAILED', 'the login has ended');
  if (asked.method !== 'GET') {
    checkOrigin(headers, house.publicUrl, house.scheme);
    checkCsrf(headers, session.csrf);
  }
  const principal = house.parts.current(session.principal);
  if (asked.scope === 'approve') requireApprove(principal);
  return { principal, session };
}

/** A token of either scope. @throws InterlockError AUTH_FAILED, AUTH_SCOPE */
export async function anyScope(token: string, identity: Identity): Promise<Principal> {
  try {
    return await identity.authenticate(token, { scope: 'connect' });
  } catch (error) {
    if (!(error instanceof InterlockError) || error.code !== 'AUTH_SCOPE') throw error;
    return await identity.authenticate(token, { scope: 'approve' });
  }
}

async function bearer(authorization: string, scope: Asked['scope'], identity: Identity): Promise<Principal> {
  const token = /^Bearer ([A-Za-z0-9._~+/=-]{1,12000})$/i.exec(authorization)?.[1];
  if (token === undefined) throw new InterlockError('AUTH_FAILED', 'a bearer token is needed');
  return scope === 'approve' ? await identity.authenticate(token, { scope: 'approve' }) : await anyScope(token, identity);
}

/** As the identity module holds a token to it (A4): a session of a token for data never decides. */
function requireApprove({ scopes, subject }: Principal): void {
  if (!scopes.includes('approve') || scopes.includes('connect') || subject.type !== 'user')
    throw new InterlockError('AUTH_SCOPE', 'this login may look, not decide: it needs a token with scope `approve` alone', {
      hint: 'Log in again with a token of scope `approve`.',
    });
}
