/** The login of the console: by an issuer (OpenID Connect), by a local token, or by a one-time link. Every login makes a session of its own. */
import type { Principal } from '#client/identity';
import { InterlockError } from '#schemas/errors';
import { readerOf } from '../access.ts';
import { anyScope } from '../authenticate.ts';
import type { Answer, OpenCall, OpenRoute } from '../call.ts';
import { matching, number, oneOf, optional, readBody, readQuery, text, words } from '../fields.ts';
import type { House } from '../house.ts';
import { PENDING_LOGIN_MS } from '../limits.ts';
import type { ConsoleSession } from '../login/console-sessions.ts';
import { clearCookie, setCookie } from '../login/cookies.ts';
import { safeNext } from '../login/next.ts';
import { markOf, sameWord, secretWord } from '../login/secret-word.ts';
import type { OidcLogin } from '../parts.ts';
import { meOf } from './me.ts';

const START = { next: optional(words), fresh: optional(oneOf('true')), acr: optional(text(200)), max_age: optional(number(0, 31_536_000)) };

export const LOGIN_ROUTES: readonly OpenRoute[] = [
  { method: 'GET', path: /^\/login\/options$/, scope: 'none', query: [], answer: options },
  { method: 'GET', path: /^\/login\/start\/([a-z0-9][a-z0-9._-]{0,62})$/, scope: 'none', query: Object.keys(START), answer: start },
  {
    method: 'GET',
    path: /^\/login\/callback\/([a-z0-9][a-z0-9._-]{0,62})$/,
    scope: 'none',
    // issuers may add parameters of their own (OpenID Connect Session Management does): what matters is read by name
    query: ['*'],
    answer: callback,
  },
  { method: 'POST', path: /^\/login\/token$/, scope: 'none', query: [], answer: byToken },
  { method: 'POST', path: /^\/login\/link$/, scope: 'none', query: [], answer: byLink },
];

function options({ house }: OpenCall): Answer {
  const { oidc, local } = house.parts.login;
  return { document: { oidc: oidc.map(({ name }) => ({ name, start: `/login/start/${name}` })), local } };
}

async function start({ house, id, query }: OpenCall): Promise<Answer> {
  const { next, fresh, acr, max_age: maxAgeS } = readQuery(query, START);
  const issuer = issuerNamed(house, id);
  const redirectUri = new URL(`/login/callback/${issuer.name}`, house.publicUrl).href;
  const anew = fresh !== undefined || acr !== undefined || maxAgeS !== undefined;
  const strength = { ...(acr === undefined ? {} : { acr }), ...(maxAgeS === undefined ? {} : { maxAgeS }) };
  const begun = await issuer.begin({ redirectUri, ...(anew ? { fresh: strength } : {}) });
  const word = secretWord();
  house.pending.put(markOf(word), { issuer, begun, next: safeNext(next) });
  return { redirect: begun.url, cookies: [setCookie(house.cookies, 'pending', word, PENDING_LOGIN_MS / 1000)] };
}

/** What goes wrong here is told to a human, on the login page: the address bar is at ours already. */
async function callback({ house, id, query, pendingCookie, sessionCookie }: OpenCall): Promise<Answer> {
  const forget = clearCookie(house.cookies, 'pending');
  const pending = pendingCookie === null ? null : house.pending.take(markOf(pendingCookie));
  try {
    if (pending === null || pending.issuer.name !== id) throw new InterlockError('LOGIN_FAILED', 'this browser began no such login, or too long ago');
    if (!sameWord(query.get('state') ?? '', pending.begun.state)) throw new InterlockError('LOGIN_FAILED', 'the answer belongs to another login');
    const came = new URL(pending.begun.redirectUri);
    came.search = query.toString();
    const principal = await pending.issuer.finish(came, pending.begun);
    const { cookie } = logIn(house, principal, pending.issuer.name, sessionCookie);
    return { redirect: pending.next, cookies: [forget, cookie] };
  } catch (error) {
    if (!(error instanceof InterlockError)) throw error;
    house.log.warn({ issuer: id, err: error }, 'a login was not completed');
    const back = pending === null || pending.next === '/' ? '' : `&next=${encodeURIComponent(pending.next)}`;
    return { redirect: `/login?error=${error.code}${back}`, cookies: [forget] };
  }
}

async function byToken({ house, body, sessionCookie }: OpenCall): Promise<Answer> {
  if (!house.parts.login.local) throw new InterlockError('UNSUPPORTED', 'here one logs in at an issuer (identity.local.enabled is off)');
  const { token } = readBody(body, { token: matching(/^[A-Za-z0-9._~+/=-]{1,12000}$/, 'a token') });
  return loggedIn(house, await anyScope(token, house.parts.identity), sessionCookie);
}

async function byLink({ house, body, sessionCookie }: OpenCall): Promise<Answer> {
  const { code } = readBody(body, { code: matching(/^[A-Za-z0-9_-]{43}$/, 'the code of a login link') });
  const principal = house.links.take(markOf(code));
  if (principal === null) throw new InterlockError('LOGIN_FAILED', 'the link was used already, or is older than a minute');
  return loggedIn(house, principal, sessionCookie);
}

function loggedIn(house: House, principal: Principal, former: string | null): Answer {
  const { cookie, session } = logIn(house, principal, null, former);
  return { document: meOf(house, readerOf(principal, house.parts.readers), session), cookies: [cookie] };
}

/** A new word, whatever the browser brought: one that somebody planted there is worth nothing (fixation). */
function logIn(house: House, principal: Principal, issuer: string | null, former: string | null): { cookie: string; session: ConsoleSession } {
  if (principal.subject.type !== 'user') throw new InterlockError('AUTH_SCOPE', 'the console is for humans: agents and services use the API');
  if (former !== null) house.sessions.close(markOf(former));
  const { word, session } = house.sessions.open({ principal, by: issuer === null ? 'local' : 'oidc', issuer });
  const maxAgeS = session.endsMs / 1000 - house.clock.wallUs() / 1_000_000;
  return { cookie: setCookie(house.cookies, 'session', word, maxAgeS), session };
}

function issuerNamed(house: House, name: string): OidcLogin {
  const issuer = house.parts.login.oidc.find((one) => one.name === name);
  if (issuer === undefined) throw new InterlockError('ROUTE_NOT_FOUND', 'there is no such route');
  return issuer;
}
