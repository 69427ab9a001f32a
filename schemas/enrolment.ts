/** Who is an enforcer of this installation, as the API and `interlock enforcer` show it. No field is a secret. */
import type { Static } from 'typebox';
import { Timestamp } from './common.ts';

const text = { type: 'string' } as const;
const when = { anyOf: [Timestamp, { type: 'null' }] } as const;

export const ENFORCER_STATES = ['invited', 'joined', 'removed'] as const;

/** What enforcers and targets are called. */
export const ENFORCER_NAME = '^[a-z0-9][a-z0-9_-]{0,62}$';

export const EnforcerView = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'state', 'targets', 'invited_until', 'joined_at', 'certificate_until', 'by'],
  properties: {
    name: text,
    state: { enum: ENFORCER_STATES },
    /** What its certificate lets it ask for; while invited: what it will. */ targets: { type: 'array', items: text },
    /** A code is out that nobody used yet. */ invited_until: when,
    joined_at: when,
    /** Last moment of its newest certificate. */ certificate_until: when,
    /** Who invited, or removed, it. */ by: text,
  },
} as const;
export type EnforcerView = Static<typeof EnforcerView>;

/** The answer to an invitation: the only time that the code is shown. */
export const EnforcerInvitation = {
  type: 'object',
  additionalProperties: false,
  required: ['code', 'expires_at', 'enforcer'],
  properties: { code: text, expires_at: Timestamp, enforcer: EnforcerView },
} as const;
export type EnforcerInvitation = Static<typeof EnforcerInvitation>;
