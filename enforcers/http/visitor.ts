/** Whoever is at the other end of a connection, with what the headers of the last request came to: for as long as they are the same it is worked out once. */
import { isPromise } from '#enforcers/common/promise';
import { refusal, type Refusal } from '#enforcers/common/refusal';
import { AskedHeaders } from './asked-headers.ts';
import { onlyValue, type RequestHead } from './head.ts';
import type { Peer } from './house.ts';
import { HTTP_LIMITS } from './limits.ts';
import type { HttpSession } from './session.ts';
import type { OpenHouse } from './sessions.ts';
import { credentialHeader } from '#enforcers/common/service/signing-in';
import { presentedToken } from './token.ts';

/** Whose a request is, and its headers as it asks with them. */
export interface Standing {
  readonly session: HttpSession;
  readonly headers: AskedHeaders;
}

export class Visitor {
  readonly #peer: Peer;
  #last: { readonly headers: RequestHead['headers']; readonly standing: Standing } | null = null;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  /** A value where the session is there. Rejects, and throws, AUTH_FAILED and Malformed. */
  admit(head: RequestHead, house: OpenHouse): Standing | Refusal | Promise<Standing | Refusal> {
    if (house.draining) return refusal('DRAINING');
    const last = this.#last;
    const again = last !== null && house.book.lives(last.standing.session);
    if (again && last.headers === head.headers) return unlessBusy(last.standing);
    if (again && saysTheSameOfItself(last.headers, head.headers)) return this.#standing(head, last.standing.session, house);
    const session = this.#session(head, house);
    return isPromise(session) ? session.then((opened) => this.#standing(head, opened, house)) : this.#standing(head, session, house);
  }

  #session({ headers }: RequestHead, house: OpenHouse): HttpSession | Refusal | Promise<HttpSession | Refusal> {
    const presented = presentedToken(headers);
    if (presented === null)
      return refusal('AUTH_FAILED', 'an Interlock token is needed: Authorization: Bearer TOKEN', {
        hint: 'curl -H "Authorization: Bearer $TOKEN" …',
      });
    const { address, tls } = this.#peer;
    if (!tls && !isLoopback(address)) return refusal('AUTH_TLS_REQUIRED');
    const application = headers.find(([name]) => name === 'user-agent')?.[1] ?? '';
    return house.book.of({ address, tls, presented, application: application.slice(0, 200) });
  }

  #standing({ headers }: RequestHead, session: HttpSession | Refusal, house: OpenHouse): Standing | Refusal {
    if ('refused' in session) return session;
    const credential = credentialHeader(session.parts.lease);
    const standing = { session, headers: new AskedHeaders(headers, { rules: house.target.headers ?? {}, credential }) };
    this.#last = { headers, standing };
    return unlessBusy(standing);
  }
}

/** The same token, presented in the same way: other headers, such as the id of a request, make nobody else of a client. */
function saysTheSameOfItself(before: RequestHead['headers'], now: RequestHead['headers']): boolean {
  const presented = onlyValue(now, 'authorization');
  return presented !== undefined && presented === onlyValue(before, 'authorization');
}

function unlessBusy(standing: Standing): Standing | Refusal {
  if (standing.session.running < HTTP_LIMITS.requestsPerSession) return standing;
  return refusal('RATE_LIMITED', `more than ${HTTP_LIMITS.requestsPerSession} requests of this session at a time`);
}

function isLoopback(address: string): boolean {
  return address === '::1' || address === '' || /^(::ffff:)?127\./.test(address);
}
