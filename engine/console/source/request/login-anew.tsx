import type { JSX } from 'react';
import type { RequestPage } from '#schemas/review';

let start = '';

/** `Me.login_start`: where to log in again; known once somebody is logged in. */
export function rememberLoginStart(address: string | undefined): void {
  start = address ?? '';
}

/** Where a fresher or stronger login is all that is missing: the way to it, and back to this request. */
export function LoginAnew({ code, page }: { readonly code: string | undefined; readonly page: RequestPage }): JSX.Element | null {
  const address = loginAnew(code, page);
  if (address === null) return null;
  return (
    <p>
      <a className="button" href={address}>
        Log in again
      </a>
    </p>
  );
}

function loginAnew(code: string | undefined, { approval }: RequestPage): string | null {
  if (code !== 'VERDICT_STEP_UP' && code !== 'VERDICT_TOKEN') return null;
  const stage = approval.progress.find(({ state }) => state === 'asked')?.stage;
  const stepUp = approval.requirement.stages.find(({ id }) => id === stage)?.step_up;
  const query = new URLSearchParams({
    next: `/approvals/${approval.approval_id}`,
    fresh: 'true',
    ...(stepUp?.acr === undefined ? {} : { acr: stepUp.acr }),
    ...(stepUp === undefined ? {} : { max_age: String(stepUp.max_age_s) }),
  });
  return `${start === '' ? '/login' : start}?${query.toString()}`;
}
