import { refusal, type Refusal } from '#enforcers/common/refusal';
import { visible } from '#enforcers/common/visible';
import type { Fields } from './protocol.ts';
import type { Unsupported } from './support.ts';

/** A refusal in the protocol's words (SURFACE: message, DETAIL, HINT). */
export function errorFields(why: Refusal, severity: 'ERROR' | 'FATAL'): Fields {
  return {
    S: severity,
    V: severity,
    C: why.sqlstate,
    M: visible(why.message),
    D: visible(why.detail),
    ...(why.hint === undefined ? {} : { H: visible(why.hint) }),
  };
}

export function unsupported(what: Unsupported): Refusal {
  return refusal('UNSUPPORTED', `${what.feature} is not supported by the gateway`, { hint: what.instead });
}

/** As the server would say it. */
export function unknownName(of: 'prepared statement' | 'portal', latin1: string): Refusal {
  const name = Buffer.from(latin1, 'latin1').toString();
  return { ...refusal('PROTOCOL', `${of} "${name}" does not exist`), sqlstate: of === 'portal' ? '34000' : '26000', hint: undefined };
}

export function malformed(): Refusal {
  return refusal('PROTOCOL', 'invalid message format');
}
