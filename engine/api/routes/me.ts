/** Who one is here, and going. */
import { timestamp } from '#client/clock';
import type { Me } from '#schemas/review';
import type { Answer, Call, Route } from '../call.ts';
import type { House } from '../house.ts';
import type { ConsoleSession } from '../login/console-sessions.ts';
import { clearCookie } from '../login/cookies.ts';
import { markOf, secretWord } from '../login/secret-word.ts';
import type { Reader } from '../parts.ts';
import { InterlockError } from '#schemas/errors';
import { LINK_MS } from '../limits.ts';

export const ME_ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/v1\/status$/, scope: 'any', query: [], answer: status },
  {
    method: 'GET',
    path: /^\/v1\/me$/,
    scope: 'any',
    query: [],
    answer: ({ house, reader, session }) => ({ document: meOf(house, reader, session) }),
  },
  { method: 'POST', path: /^\/v1\/logout$/, scope: 'any', query: [], answer: logout },
  { method: 'POST', path: /^\/v1\/console\/links$/, scope: 'approve', query: [], answer: makeLink },
];

/** Where enforcers stand is the readers' business. */
async function status({ house, reader }: Call): Promise<Answer> {
  const { enforcers, ...rest } = await house.parts.status();
  return { document: reader.all && enforcers !== undefined ? { ...rest, enforcers } : rest };
}

export function meOf(house: House, { principal, all }: Reader, session: ConsoleSession | null): Me {
  const { id, properties } = principal.subject;
  return {
    id,
    login: properties.login,
    groups: [...properties.groups],
    expires_at: timestamp(Math.floor((session?.endsMs ?? principal.expiresAtMs) * 1000)),
    csrf: session?.csrf ?? '',
    reads_all: all,
    decides: principal.scopes.includes('approve') && !principal.scopes.includes('connect') && principal.subject.type === 'user',
    login_by: session?.by ?? 'token',
    authenticated_at: timestamp(principal.issuedAtMs * 1000),
    ...(session === null ? {} : { login_start: session.issuer === null ? '/login' : `/login/start/${session.issuer}` }),
    version: house.parts.version,
    targets: Object.keys(house.parts.targets),
  };
}

function logout({ house, session }: Call): Answer {
  if (session !== null) house.sessions.close(session.mark);
  return { document: {}, cookies: [clearCookie(house.cookies, 'session')] };
}

/** For `interlock console login`: whoever holds such a token could paste it just as well; a link is shorter, and dead after one use. */
function makeLink({ house, principal, session }: Call): Answer {
  if (!house.parts.login.local) throw new InterlockError('UNSUPPORTED', 'login links are for the local issuer (identity.local.enabled)');
  if (session !== null) throw new InterlockError('AUTH_SCOPE', 'a login link is made with a token, not from a login');
  const code = secretWord();
  house.links.put(markOf(code), principal);
  // in the fragment: it reaches no server's log, and no `Referer`
  const url = new URL(`/login#code=${code}`, house.publicUrl);
  return { document: { url: url.href, expires_at: timestamp(house.clock.wallUs() + LINK_MS * 1000) } };
}
