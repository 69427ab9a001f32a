import { InterlockError, type ErrorCode } from '#schemas/errors';

const STATUS: Partial<Record<ErrorCode, number>> = {
  USAGE: 400,
  AUTH_FAILED: 401,
  SESSION_EXPIRED: 401,
  LOGIN_FAILED: 401,
  CSRF: 403,
  AUTH_SCOPE: 403,
  NOT_ADMIN: 403,
  VERDICT_SELF: 403,
  VERDICT_NOT_ELIGIBLE: 403,
  VERDICT_TOKEN: 403,
  VERDICT_STEP_UP: 403,
  BREAK_GLASS_REFUSED: 403,
  BREAK_GLASS_REVIEW_OPEN: 403,
  VERDICT_REASON: 400,
  APPROVAL_NOT_FOUND: 404,
  SESSION_NOT_FOUND: 404,
  ENFORCER_NOT_FOUND: 404,
  ENFORCER_EXISTS: 409,
  JOIN_BUSY: 409,
  AGENT_NOT_FOUND: 404,
  AGENT_EXISTS: 409,
  AGENT_REFUSED: 403,
  ROUTE_NOT_FOUND: 404,
  DELEGATION_NOT_FOUND: 404,
  DELEGATION_REFUSED: 403,
  NOTIFICATION_NOT_FOUND: 404,
  RATE_LIMITED: 429,
  UNSUPPORTED: 501,
  VERDICT_CLOSED: 409,
  VERDICT_UNSEEN: 409,
  VERDICT_NOT_SHOWN: 409,
  APPROVAL_VOID: 409,
  APPROVAL_UNAVAILABLE: 503,
  JOURNAL_UNAVAILABLE: 503,
  POLICY_UNAVAILABLE: 503,
  API_BUSY: 503,
  NOT_READY: 503,
  PROJECTION_BEHIND: 503,
  PROJECTION_UNAVAILABLE: 503,
  PROJECTION_SLOW: 503,
  CLOCK: 503,
  DRAINING: 503,
};

export interface Failure {
  readonly status: number;
  readonly document: { readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint?: string } };
}

/** What the client is told: our own errors by name, every other as INTERNAL without a word of its text. */
export function failure(error: unknown): Failure {
  if (!(error instanceof InterlockError)) return { status: 500, document: { error: { code: 'INTERNAL', message: 'a fault of ours' } } };
  const { code, message, hint } = error;
  return { status: STATUS[code] ?? 500, document: { error: { code, message, ...(hint === undefined ? {} : { hint }) } } };
}
