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

/** All that an enforcer may be able to fulfil, as `supported_obligations` spells it. One that does not say what it can is told everything, and refuses what it cannot. */
export const ALL_OBLIGATIONS: readonly string[] = [
  'mask',
  'mask.paths',
  'mask.detectors',
  ...LIMIT_TYPES,
  'read_only',
  'step_up',
  'record',
  'notification',
];

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

/** A fresh and strong enough login, on the verdict itself: `acr` as the issuer spells it, age in seconds. */
export const StepUp = {
  type: 'object',
  additionalProperties: false,
  required: ['max_age_s'],
  properties: { acr: { type: 'string', minLength: 1 }, max_age_s: { type: 'integer', minimum: 1 } },
} as const;
export type StepUp = Static<typeof StepUp>;

/** After so long without its quorum, a stage asks these as well. It adds, and never lowers what is required. */
export const Escalation = {
  type: 'object',
  additionalProperties: false,
  required: ['after_s', 'add'],
  properties: { after_s: { type: 'integer', minimum: 1 }, add: { type: 'array', minItems: 1, items: Approver } },
} as const;
export type Escalation = Static<typeof Escalation>;

export const Stage = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'order', 'any_of', 'quorum'],
  properties: {
    id: { type: 'string', minLength: 1 },
    order: { type: 'integer' },
    /**
     * Who is asked. A `ref` names a source that is looked up at the verdict and again at use: `directory:manager`, `directory:owner`,
     * `directory:role/NAME`, `oncall:NAME`, `rego:NAME`. One that does not answer resolves to nobody.
     */
    any_of: { type: 'array', minItems: 1, items: Approver },
    quorum: { type: 'integer', minimum: 1 },
    /** How many must deny; 1 if absent. */
    deny_quorum: { type: 'integer', minimum: 1 },
    escalate: { type: 'array', items: Escalation },
    /** Undecided for so long since the stage is asked: the request is denied. */
    deny_after_s: { type: 'integer', minimum: 1 },
    /** An approval needs words as well; a denial always may have them. */
    reason_required: { type: 'boolean' },
    step_up: StepUp,
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

/** When an approval may be used: days and times of day in one time zone, across midnight where `to` is not after `from`. */
export const Schedule = {
  type: 'object',
  additionalProperties: false,
  required: ['time_zone', 'windows'],
  properties: {
    /** IANA: `Europe/Zurich` */ time_zone: { type: 'string', minLength: 1 },
    windows: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['days', 'from', 'to'],
        properties: {
          days: { type: 'array', minItems: 1, items: { enum: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] } },
          /** `HH:MM` */ from: { type: 'string', pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' },
          to: { type: 'string', pattern: '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$' },
        },
      },
    },
  },
} as const;
export type Schedule = Static<typeof Schedule>;

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
    /** The approval may be used inside these windows only; of several policies, inside all of theirs. */
    schedules: { type: 'array', items: Schedule },
    /** The row ceiling: an approved write that touches more rows is rolled back. Absent: derived from the estimate that the reviewer saw. */
    rows_max: { type: 'integer', minimum: 0 },
    /** Names of the chains in `data.approval_chains` that it was put together from. */
    chains: { type: 'array', items: { type: 'string' } },
    /** Over codes, stages, grant, windows, ceiling and the obligations in force at use. */
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
