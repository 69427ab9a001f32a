/** What `interlock approvals` and the API show of one approval request (SURFACE.md); state is a fold over its events. */
import type { Static } from 'typebox';
import { Digest, Timestamp } from './common.ts';
import { Reason, Requirement } from './decision.ts';
import { Subject } from './decision-request.ts';
import { ApprovalBinding } from './event.ts';

export const APPROVAL_STATES = ['open', 'approved', 'denied', 'expired', 'cancelled', 'superseded', 'withdrawn', 'consumed'] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

export const ApprovalView = {
  type: 'object',
  additionalProperties: false,
  required: [
    'approval_id',
    'state',
    'requirement',
    'progress',
    'subject',
    'target',
    'payload_text',
    'binding',
    'expires_at',
    'requested_at',
    'summary',
    'reasons',
    'uses',
  ],
  properties: {
    approval_id: { type: 'string' },
    state: { enum: APPROVAL_STATES },
    requirement: Requirement,
    progress: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['stage', 'approved_by', 'needed'],
        properties: { stage: { type: 'string' }, approved_by: { type: 'array', items: { type: 'string' } }, needed: { type: 'integer' } },
      },
    },
    subject: Subject,
    target: { type: 'string' },
    /** The exact text; whoever shows it escapes it (M8). */
    payload_text: { type: 'string' },
    params: { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'null' }] } },
    /** Of each parameter, as the client declared it: `int4`; `unknown` where it did not. */
    param_types: { type: 'array', items: { type: 'string' } },
    binding: ApprovalBinding,
    payload_digest: Digest,
    expires_at: Timestamp,
    requested_at: Timestamp,
    summary: { type: 'string' },
    reasons: { type: 'array', items: Reason },
    uses: { type: 'integer', minimum: 0 },
    valid_until: Timestamp,
    comment: { type: 'string' },
    denied_by: { type: 'string' },
    /** Why it was closed: both revisions of a superseded request, the jump of a clock … */
    detail: { type: 'string' },
    supersedes: { type: 'string' },
  },
} as const;
export type ApprovalView = Static<typeof ApprovalView>;
