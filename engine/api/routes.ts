/** Every route: parse → call → present. What may be read is decided in access.ts, for all of them alike. */
import type { OpenRoute, Route } from './call.ts';
import { AGENT_ROUTES } from './routes/agents.ts';
import { APPROVAL_ROUTES } from './routes/approvals.ts';
import { DELEGATION_ROUTES } from './routes/delegations.ts';
import { ENFORCER_ROUTES } from './routes/enforcers.ts';
import { ENROLMENT_ROUTES } from './routes/enrolment.ts';
import { INBOX_ROUTES } from './routes/inbox.ts';
import { LOGIN_ROUTES } from './routes/login.ts';
import { ME_ROUTES } from './routes/me.ts';
import { NOTIFICATION_ROUTES } from './routes/notifications.ts';
import { RECORD_ROUTES } from './routes/record.ts';
import { SESSION_ROUTES } from './routes/sessions.ts';

export const ROUTES: readonly (Route | OpenRoute)[] = [
  ...ME_ROUTES,
  ...INBOX_ROUTES,
  ...APPROVAL_ROUTES,
  ...DELEGATION_ROUTES,
  ...SESSION_ROUTES,
  ...RECORD_ROUTES,
  ...NOTIFICATION_ROUTES,
  ...ENROLMENT_ROUTES,
  ...ENFORCER_ROUTES,
  ...AGENT_ROUTES,
  ...LOGIN_ROUTES,
];
