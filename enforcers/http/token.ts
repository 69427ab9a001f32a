/** The Interlock token of a request: `Bearer TOKEN`, or `Basic` with the token as its password, for clients that know nothing else. */
import { InterlockError } from '#schemas/errors';
import type { HeaderList } from './answer.ts';
import { onlyValue } from './head.ts';

export interface PresentedToken {
  readonly token: string;
  /** Of Basic: the token must be this login's; null: nobody is named. */
  readonly login: string | null;
}

const TOKEN_CHARS_MAX = 8_192;

/** null: none is presented. @throws InterlockError AUTH_FAILED, Malformed */
export function presentedToken(headers: HeaderList): PresentedToken | null {
  const value = onlyValue(headers, 'authorization');
  if (value === undefined) return null;
  const [, scheme = '', rest = ''] = /^([A-Za-z]+) +([!-~]+)$/.exec(value) ?? [];
  if (rest === '' || rest.length > TOKEN_CHARS_MAX) throw failed('authorization is malformed');
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return { token: rest, login: null };
    case 'basic':
      return basic(rest);
    default:
      throw failed('authorization is neither Bearer nor Basic');
  }
}

function basic(encoded: string): PresentedToken {
  const text = Buffer.from(encoded, 'base64').toString('latin1');
  const colon = text.indexOf(':');
  const token = text.slice(colon + 1);
  if (colon < 0 || !/^[!-~]+$/.test(token)) throw failed('Basic holds no token as its password');
  const login = Buffer.from(text.slice(0, colon), 'latin1').toString('utf8');
  return { token, login: login === '' ? null : login };
}

function failed(why: string): InterlockError {
  return new InterlockError('AUTH_FAILED', why);
}
