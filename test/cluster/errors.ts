/** What went wrong for a client, named so that it can be counted, and whether a client may simply try again. */
import pg from 'pg';
import type { ErrorCode } from '#schemas/errors';

/** Nothing of the statement has run, the request for approval stands, and the remedy is to do the same again. */
const RETRYABLE: ReadonlySet<string> = new Set<ErrorCode>([
  'DRAINING',
  'APPROVAL_UNAVAILABLE',
  'ENGINE_UNAVAILABLE',
  'CREDENTIAL_UNAVAILABLE',
  'TARGET_BUSY',
]);
/** Not approved in time: the request stays open. The code may be that of the policy that asks for it. */
const PENDING = 'IL001';

export interface Trouble {
  /** `57P01 DRAINING`, `connection refused`, `lost: ECONNRESET`. */
  readonly name: string;
  readonly clean: boolean;
  /** Refused by the gateway, in words of its own; else the connection is gone. */
  readonly refused: boolean;
  /** Empty: none was told. */
  readonly sqlstate: string;
  readonly message: string;
}

/** @param connecting nothing was asked yet on this connection */
export function troubleOf(error: unknown, connecting: boolean): Trouble {
  const { message, code = '' } = error as { readonly message?: string; readonly code?: string };
  if (error instanceof pg.DatabaseError) {
    const own = /code=(\w+)/.exec(error.detail ?? '')?.[1] ?? '';
    return {
      name: `${code} ${own}`,
      clean: code === PENDING || RETRYABLE.has(own),
      refused: true,
      sqlstate: code,
      message: `${error.message} (${error.detail ?? ''})`,
    };
  }
  if (connecting && code === 'ECONNREFUSED') return { name: 'connection refused', clean: true, refused: false, sqlstate: '', message: message ?? '' };
  return {
    name: `${connecting ? 'not connected' : 'lost'}: ${code || (message ?? '')}`,
    clean: false,
    refused: false,
    sqlstate: '',
    message: message ?? '',
  };
}
