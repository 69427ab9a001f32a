/** One message to one channel, as `interlock notify list` and the API show it. */
import type { Static } from 'typebox';
import { Timestamp } from './common.ts';

const text = { type: 'string' } as const;

export const NotificationView = {
  type: 'object',
  additionalProperties: false,
  required: ['notification_id', 'channel', 'about', 'state', 'tries', 'time'],
  properties: {
    notification_id: text,
    channel: text,
    /** `requested`, `escalated`, `settled` …; `test` for a test message */
    about: text,
    approval_id: text,
    stage: text,
    delegation_id: text,
    state: { enum: ['waiting', 'delivered', 'dead'] },
    tries: { type: 'integer', minimum: 0 },
    /** When it was to be told first; of a delivered or dead one, when that became of it. */
    time: Timestamp,
    /** Why the last attempt failed. */
    detail: text,
    /** How many messages it gathers. */
    gathers: { type: 'integer', minimum: 2 },
  },
} as const;
export type NotificationView = Static<typeof NotificationView>;
