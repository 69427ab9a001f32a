import type { Refusal } from '#enforcers/common/refusal';
import type { Fields } from './protocol.ts';

/** A refusal in the protocol's words (SURFACE: message, DETAIL, HINT). */
export function errorFields(why: Refusal, severity: 'ERROR' | 'FATAL'): Fields {
  return {
    S: severity,
    V: severity,
    C: why.sqlstate,
    M: why.message,
    D: why.detail,
    ...(why.hint === undefined ? {} : { H: why.hint }),
  };
}
