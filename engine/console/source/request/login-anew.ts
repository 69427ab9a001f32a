import type { RequestPage } from '#schemas/review';
import type { CallError } from '../api/call.ts';

let start = '';

/** `Me.login_start`: where to log in again; known once somebody is logged in. */
export function rememberLoginStart(address: string | undefined): void {
  start = address ?? '';
}

/** A verdict may need a fresher or stronger login: where to get it, and back to this request; null: that is not what is missing. */
export function loginAnew(error: CallError, { approval }: RequestPage): string | null {
  if (error.code !== 'VERDICT_STEP_UP' && error.code !== 'VERDICT_TOKEN') return null;
  const stage = approval.progress.find(({ state }) => state === 'asked')?.stage;
  const stepUp = approval.requirement.stages.find(({ id }) => id === stage)?.step_up;
  const query = new URLSearchParams({
    next: `/approvals/${approval.approval_id}`,
    fresh: 'true',
    ...(stepUp?.acr === undefined ? {} : { acr: stepUp.acr }),
    ...(stepUp === undefined ? {} : { max_age: String(stepUp.max_age_s) }),
  });
  if (start === '') return `/login?next=${encodeURIComponent(`/approvals/${approval.approval_id}`)}`;
  return `${start}${start.includes('?') ? '&' : '?'}${query.toString()}`;
}
