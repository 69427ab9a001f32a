/** What `interlock approvals` and the API show of one approval request (SURFACE.md); state is a fold over its events. */
import type { Static } from 'typebox';
import { Digest, Timestamp } from './common.ts';
import { Reason, Requirement } from './decision.ts';
import { Subject } from './decision-request.ts';
import { ApprovalBinding, Estimate } from './event.ts';

export const APPROVAL_STATES = [
  'open',
  'approved',
  'denied',
  'expired',
  'cancelled',
  'superseded',
  'withdrawn',
  'changes_requested',
  'consumed',
] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

/** A broken glass and its review. */
export const GlassView = {
  type: 'object',
  additionalProperties: false,
  required: ['by', 'reason', 'time', 'valid_until', 'rule', 'review'],
  properties: {
    by: { type: 'string' },
    reason: { type: 'string' },
    time: Timestamp,
    valid_until: Timestamp,
    rule: { type: 'string' },
    review: { enum: ['open', 'justified', 'unjustified'] },
    reviewed_by: { type: 'string' },
    reviewed_at: Timestamp,
    comment: { type: 'string' },
  },
} as const;
export type GlassView = Static<typeof GlassView>;

/** One human decides in another's place for a while. */
export const DelegationView = {
  type: 'object',
  additionalProperties: false,
  required: ['delegation_id', 'from', 'to', 'starts', 'ends', 'reason', 'state'],
  properties: {
    delegation_id: { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    starts: Timestamp,
    ends: Timestamp,
    reason: { type: 'string' },
    state: { enum: ['planned', 'in_force', 'ended'] },
  },
} as const;
export type DelegationView = Static<typeof DelegationView>;

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
        properties: {
          stage: { type: 'string' },
          approved_by: { type: 'array', items: { type: 'string' } },
          needed: { type: 'integer' },
          denied_by: { type: 'array', items: { type: 'string' } },
          /** Whom it asks, in words: `group dba`, `alice`, `on call: shop (bob)`; escalation's too. */
          asks: { type: 'array', items: { type: 'string' } },
          /** `waiting`: an earlier stage has not its quorum yet. */
          state: { enum: ['waiting', 'asked', 'complete'] },
          escalates_at: Timestamp,
          denies_at: Timestamp,
        },
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
    /** The request that this one answers, after changes were asked for; and the one that answered this. */
    follows: { type: 'string' },
    followed_by: { type: 'string' },
    session_id: { type: 'string' },
    statement_id: { type: 'string' },
    estimate: Estimate,
    /** The plan as the target wrote it, where it is kept. */
    plan_text: { type: 'string' },
    row_ceiling: { anyOf: [{ type: 'integer', minimum: 0 }, { type: 'null' }] },
    settled_at: Timestamp,
    settled_by: { type: 'string' },
    /** What became of its uses: `unknown` after a crash is for a human to find out at the target, never retried. */
    executions: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['statement_id', 'outcome'],
        properties: {
          statement_id: { type: 'string' },
          outcome: { enum: ['running', 'ok', 'error', 'aborted', 'cancelled', 'unknown'] },
          rows: { type: 'integer', minimum: 0 },
          time: Timestamp,
        },
      },
    },
    glass: GlassView,
  },
} as const;
export type ApprovalView = Static<typeof ApprovalView>;
