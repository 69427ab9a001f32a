/** CONTRACT §3: the decision, its obligations and the approval requirement. */
import type { Static } from 'typebox';
import { Digest, Timestamp } from './common.ts';

/** Strictness in this order: `null` is the strictest. */
export const MASK_METHODS = ['null', 'redact', 'partial', 'hash', 'tokenize', 'bucket'] as const;
export type MaskMethod = (typeof MASK_METHODS)[number];

export const Mask = {
  type: 'object',
  additionalProperties: false,
  required: ['using'],
  properties: { using: { enum: MASK_METHODS }, /** characters kept at the end, `partial` only */ keep: { type: 'integer', minimum: 0 } },
} as const;
export type Mask = Static<typeof Mask>;

const Masks = { type: 'object', additionalProperties: Mask } as const;
const Max = { type: 'object', additionalProperties: false, required: ['max'], properties: { max: { type: 'number', minimum: 0 } } } as const;
const Empty = { type: 'object', additionalProperties: false, properties: {} } as const;

export const MaskObligation = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'type', 'properties'],
  properties: {
    id: { type: 'string' },
    type: { const: 'mask' },
    properties: {
      type: 'object',
      additionalProperties: false,
      required: ['columns', 'paths', 'detectors'],
      properties: { columns: Masks, paths: Masks, detectors: { type: 'array', items: { type: 'string' } } },
    },
  },
} as const;
export type MaskObligation = Static<typeof MaskObligation>;

export const LIMIT_TYPES = ['row_limit', 'byte_limit', 'statement_timeout_ms', 'session_ttl_s', 'estimated_rows_max'] as const;
export type LimitType = (typeof LIMIT_TYPES)[number];

export const LimitObligation = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'type', 'properties'],
  properties: { id: { type: 'string' }, type: { enum: LIMIT_TYPES }, properties: Max },
} as const;
export type LimitObligation = Static<typeof LimitObligation>;

export const ReadOnlyObligation = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'type', 'properties'],
  properties: { id: { type: 'string' }, type: { const: 'read_only' }, properties: Empty },
} as const;
export type ReadOnlyObligation = Static<typeof ReadOnlyObligation>;

export const StepUpObligation = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'type', 'properties'],
  properties: {
    id: { type: 'string' },
    type: { const: 'step_up' },
    properties: {
      type: 'object',
      additionalProperties: false,
      required: ['acr', 'max_age_s'],
      properties: { acr: { type: 'string' }, max_age_s: { type: 'integer', minimum: 0 } },
    },
  },
} as const;
export type StepUpObligation = Static<typeof StepUpObligation>;

export const RecordObligation = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'type', 'properties'],
  properties: {
    id: { type: 'string' },
    type: { const: 'record' },
    properties: {
      type: 'object',
      additionalProperties: false,
      required: ['request', 'response'],
      properties: { request: { enum: ['digest', 'full'] }, response: { enum: ['digest', 'full'] } },
    },
  },
} as const;
export type RecordObligation = Static<typeof RecordObligation>;

export const NotificationObligation = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'type', 'properties'],
  properties: {
    id: { type: 'string' },
    type: { const: 'notification' },
    properties: { type: 'object', additionalProperties: false, required: ['to'], properties: { to: { type: 'string' } } },
  },
} as const;
export type NotificationObligation = Static<typeof NotificationObligation>;

export const Obligation = {
  anyOf: [MaskObligation, LimitObligation, ReadOnlyObligation, StepUpObligation, RecordObligation, NotificationObligation],
} as const;
export type Obligation = Static<typeof Obligation>;
export type ObligationType = Obligation['type'];

export const EFFECTS = ['allow', 'mask', 'require_approval', 'deny'] as const;
/** `mask` means allowed with at least one mask obligation. */
export type DecisionEffect = (typeof EFFECTS)[number];

export const Reason = {
  type: 'object',
  additionalProperties: false,
  required: ['policy', 'code', 'reason', 'effect'],
  properties: {
    policy: { type: 'string' },
    code: { type: 'string', minLength: 1 },
    reason: { type: 'string' },
    effect: { enum: EFFECTS },
    /** what would be allowed, or whom to ask */ hint: { type: 'string' },
  },
} as const;
export type Reason = Static<typeof Reason>;

export const Approver = {
  anyOf: [
    { type: 'object', additionalProperties: false, required: ['group'], properties: { group: { type: 'string', minLength: 1 } } },
    { type: 'object', additionalProperties: false, required: ['user'], properties: { user: { type: 'string', minLength: 1 } } },
    { type: 'object', additionalProperties: false, required: ['ref'], properties: { ref: { type: 'string', minLength: 1 } } },
  ],
} as const;
export type Approver = Static<typeof Approver>;

export const Stage = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'order', 'any_of', 'quorum'],
  properties: {
    id: { type: 'string', minLength: 1 },
    order: { type: 'integer' },
    any_of: { type: 'array', minItems: 1, items: Approver },
    quorum: { type: 'integer', minimum: 1 },
  },
} as const;
export type Stage = Static<typeof Stage>;

export const Grant = {
  type: 'object',
  additionalProperties: false,
  required: ['of', 'uses'],
  properties: {
    of: { enum: ['statement', 'shape'] },
    /** null: any number within valid_for_s */ uses: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }] },
  },
} as const;
export type Grant = Static<typeof Grant>;

export const Requirement = {
  type: 'object',
  additionalProperties: false,
  required: ['stages', 'grant', 'valid_for_s', 'expires_in_s', 'bind_session', 'digest'],
  properties: {
    stages: { type: 'array', minItems: 1, items: Stage },
    grant: Grant,
    valid_for_s: { type: 'integer', minimum: 1 },
    expires_in_s: { type: 'integer', minimum: 1 },
    bind_session: { type: 'boolean' },
    /** Over codes, stages, grant and the obligations in force at use. */
    digest: Digest,
  },
} as const;
export type Requirement = Static<typeof Requirement>;

export const Shadow = {
  type: 'object',
  additionalProperties: false,
  required: ['policy', 'effect', 'code'],
  properties: { policy: { type: 'string' }, effect: { type: 'string' }, code: { type: 'string' } },
} as const;
export type Shadow = Static<typeof Shadow>;

export const Binding = {
  type: 'object',
  additionalProperties: false,
  required: ['payload', 'context', 'expires_at'],
  properties: { payload: Digest, context: Digest, expires_at: Timestamp },
} as const;
export type Binding = Static<typeof Binding>;

export const Decision = {
  type: 'object',
  additionalProperties: false,
  required: ['decision_id', 'effect', 'reasons', 'obligations', 'approval', 'revision', 'shadow', 'binding'],
  properties: {
    decision_id: { type: 'string' },
    effect: { enum: EFFECTS },
    /** Sorted; never empty. */
    reasons: { type: 'array', minItems: 1, items: Reason },
    obligations: { type: 'array', items: Obligation },
    approval: { anyOf: [Requirement, { type: 'null' }] },
    revision: Digest,
    shadow: { type: 'array', items: Shadow },
    binding: Binding,
    /** The bytes travel beside it. */
    rewrite: {
      type: 'object',
      additionalProperties: false,
      required: ['payload', 'masked'],
      properties: { payload: Digest, masked: { type: 'array', items: { type: 'string' } } },
    },
  },
} as const;
export type Decision = Static<typeof Decision>;

/** The pure part of a decision: what the policies answered, before it is bound to one payload and context. */
export type Judgement = Pick<Decision, 'effect' | 'reasons' | 'obligations' | 'approval' | 'revision' | 'shadow'>;
