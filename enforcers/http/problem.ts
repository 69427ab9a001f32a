/** Refusals in HTTP's own words: `application/problem+json` (RFC 9457). */
import { visible } from '#enforcers/common/visible';
import type { Refusal } from '#enforcers/common/refusal';
import { ERRORS, type ErrorCode } from '#schemas/errors';
import type { HeaderList } from './answer.ts';
import type { Reply } from './reply.ts';

export interface Problem {
  readonly refusal: Refusal;
  /** Where it is another than the code's. */
  readonly status?: number;
  /** What refusals point to. */
  readonly publicUrl: string;
}

/** Answers, where nothing was answered yet; otherwise the answer is broken off. */
export function answerProblem(reply: Reply, problem: Problem): void {
  if (reply.begun) return reply.abort();
  const status = problem.status ?? statusOf(problem.refusal);
  const body = Buffer.from(`${JSON.stringify(bodyOf(problem, status))}\n`, 'utf8');
  const headers: HeaderList = [
    ['content-type', 'application/problem+json'],
    ['content-length', String(body.length)],
    ['cache-control', 'no-store'],
    ['interlock-refusal', inHeader(problem.refusal.code)],
    ...more(problem, status),
  ];
  reply.head(status, headers, false);
  reply.write(body);
  reply.end();
}

function bodyOf({ refusal, publicUrl }: Problem, status: number): Record<string, unknown> {
  const { decision, policy, approval } = named(refusal.detail);
  return {
    type: `urn:interlock:${refusal.code}`,
    title: Object.hasOwn(ERRORS, refusal.code) ? ERRORS[refusal.code as ErrorCode].meaning : 'Refused by policy.',
    status,
    detail: visible(refusal.message),
    code: refusal.code,
    ...(decision !== undefined && { decision }),
    ...(policy !== undefined && { policy }),
    ...(approval !== undefined && { approval, review: reviewPage(publicUrl, approval) }),
    ...(refusal.hint !== undefined && { hint: visible(refusal.hint) }),
  };
}

/** A policy may call its refusal what it likes; in a header stands what is a word there. */
function inHeader(code: string): string {
  return /^[!-~]+$/.test(code) ? code : 'REFUSED';
}

/** `decision=… policy=… code=… approval=…`, as every protocol's refusals have it (SURFACE). */
function named(detail: string): Partial<Record<'decision' | 'policy' | 'approval', string>> {
  return Object.fromEntries([...detail.matchAll(/\b(decision|policy|approval)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]));
}

function reviewPage(publicUrl: string, approval: string): string {
  return `${publicUrl}/approvals/${approval}`;
}

const RETRY_S = '10';

function more({ refusal, publicUrl }: Problem, status: number): HeaderList {
  const { approval } = named(refusal.detail);
  const headers: (readonly [string, string])[] = [];
  if (status === 401)
    headers.push(['www-authenticate', 'Bearer realm="interlock"'], ['www-authenticate', 'Basic realm="interlock", charset="UTF-8"']);
  if (refusal.code === 'APPROVAL_PENDING' || status === 503 || status === 429) headers.push(['retry-after', RETRY_S]);
  if (approval !== undefined) headers.push(['link', `<${reviewPage(publicUrl, approval)}>; rel="related"`]);
  if (status === 501) headers.push(['allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS']);
  return headers;
}

export function statusOf({ code, by }: Pick<Refusal, 'code' | 'by'>): number {
  const known = STATUS[code as ErrorCode];
  if (known !== undefined) return known;
  return by === 'fault' ? 503 : 403;
}

/** All else is 403, and 503 where it is our own trouble. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  AUTH_FAILED: 401,
  SESSION_EXPIRED: 401,
  AUTH_LOGIN_MISMATCH: 401,
  AUTH_SCOPE: 403,
  AUTH_TLS_REQUIRED: 403,
  SESSION_DENIED: 403,
  UNPARSED: 400,
  ENCODING: 400,
  PROTOCOL: 400,
  BUDGET_PARSE: 400,
  BUDGET_TEXT: 413,
  UNSUPPORTED: 501,
  RATE_LIMITED: 429,
  TARGET_UNREACHABLE: 502,
  INTERNAL: 500,
};
