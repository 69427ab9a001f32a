/** CONTRACT §4: what several engines put in one order. */
import type { Static } from 'typebox';
import { Timestamp } from './common.ts';

const count = { type: 'integer', minimum: 0 } as const;
const text = { type: 'string' } as const;

/**
 * Where several engines write: which message of which log it is. Each engine that follows the log has the event in its own journal; events of one
 * `change` and `index` are one event.
 */
export const Ordered = {
  type: 'object',
  additionalProperties: false,
  required: ['log', 'seq', 'index', 'change', 'engine', 'time'],
  properties: {
    /** The stream, and when it was made. */ log: text,
    seq: count,
    /** Of the event in its change. */ index: count,
    change: text,
    /** Who wrote it. */ engine: text,
    /** By its clock. */ time: Timestamp,
  },
} as const;
export type Ordered = Static<typeof Ordered>;
