/** The closed form of what policies answer (M4): the five sets of DESIGN §4. Anything else in a set is POLICY_RESULT, a refusal. */
import { Compile } from 'typebox/compile';
import type { Static } from 'typebox';
import { Approver, Grant, LIMIT_TYPES, MASK_METHODS, Mask, type MaskMethod, Schedule } from '#schemas/decision';

const text = { type: 'string', maxLength: 4096 } as const;
const code = { type: 'string', minLength: 1, maxLength: 128 } as const;
/** What every item carries; `hint` says what would be allowed, or whom to ask. */
const worded = { code, reason: text, hint: text } as const;
const seconds = { type: 'integer', minimum: 1, maximum: 31_536_000 } as const;

/** `allow` and `deny`. */
export const Verdict = { type: 'object', additionalProperties: false, required: ['code', 'reason'], properties: worded } as const;
export type Verdict = Static<typeof Verdict>;

const approvers = { type: 'array', minItems: 1, maxItems: 64, items: Approver } as const;
const quorum = { type: 'integer', minimum: 1, maximum: 64 } as const;

export const StageAsked = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'any_of'],
  properties: {
    id: { type: 'string', minLength: 1, maxLength: 128 },
    /** 1 if absent; in a chain by name: its place in the list */ order: { type: 'integer', minimum: -1000, maximum: 1000 },
    any_of: approvers,
    /** 1 if absent */ quorum,
    /** 1 if absent */ deny_quorum: quorum,
    escalate: {
      type: 'array',
      maxItems: 8,
      items: { type: 'object', additionalProperties: false, required: ['after_s', 'add'], properties: { after_s: seconds, add: approvers } },
    },
    deny_after_s: seconds,
    reason_required: { type: 'boolean' },
    step_up: { type: 'object', additionalProperties: false, required: ['max_age_s'], properties: { acr: code, max_age_s: seconds } },
  },
} as const;
export type StageAsked = Static<typeof StageAsked>;

const stages = { type: 'array', minItems: 1, maxItems: 16, items: StageAsked } as const;
/** What a chain and an item may say of what is granted. */
const terms = {
  /** one statement, once, if absent */ grant: Grant,
  /** 15 minutes if absent */ valid_for_s: seconds,
  /** one day if absent */ expires_in_s: seconds,
  bind_session: { type: 'boolean' },
  schedules: { type: 'array', maxItems: 8, items: Schedule },
  rows_max: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
} as const;

/** A document of `data.approval_chains`. */
export const ChainDocument = {
  type: 'object',
  additionalProperties: false,
  required: ['stages'],
  properties: { /** for people */ description: text, stages, ...terms },
} as const;
export type ChainDocument = Static<typeof ChainDocument>;

/** At least one of `stages` and `chain`; beside a chain, everything else narrows it. */
export const ApprovalAsked = {
  type: 'object',
  additionalProperties: false,
  required: ['code', 'reason'],
  anyOf: [{ required: ['stages'] }, { required: ['chain'] }],
  properties: { ...worded, /** its name in `data.approval_chains` */ chain: { type: 'string', minLength: 1, maxLength: 128 }, stages, ...terms },
} as const;
export type ApprovalAsked = Verdict &
  Omit<ChainDocument, 'description' | 'stages'> & { readonly chain?: string; readonly stages?: readonly StageAsked[] };

const names = { type: 'array', minItems: 1, maxItems: 4096, items: { type: 'string', minLength: 1, maxLength: 512 } } as const;
/** At least one of columns, paths and detectors. */
export const MaskAsked = {
  type: 'object',
  additionalProperties: false,
  required: ['code', 'reason', 'using'],
  anyOf: [{ required: ['columns'] }, { required: ['paths'] }, { required: ['detectors'] }],
  properties: {
    ...worded,
    columns: names,
    paths: names,
    detectors: names,
    /** a method, or with its settings: `{"using": "partial", "keep": 4}` */ using: { anyOf: [{ enum: MASK_METHODS }, Mask] },
    /** characters kept at the end, `partial` only */ keep: { type: 'integer', minimum: 0, maximum: 64 },
  },
} as const;
export interface MaskAsked extends Verdict {
  readonly columns?: readonly string[];
  readonly paths?: readonly string[];
  readonly detectors?: readonly string[];
  readonly using: MaskMethod | Mask;
  readonly keep?: number;
}

const asked = <P extends object, R extends readonly string[]>(
  properties: P,
  required: R,
): {
  readonly type: 'object';
  readonly additionalProperties: false;
  readonly required: readonly ['type', ...R];
  readonly properties: P & { readonly code: typeof code; readonly reason: typeof text; readonly hint: typeof text };
} => ({ type: 'object', additionalProperties: false, required: ['type', ...required], properties: { ...worded, ...properties } });

/** Flat, as one writes it in Rego: `{"type": "row_limit", "max": 500}`; code and reason are optional. */
export const ObligationAsked = {
  anyOf: [
    asked({ type: { enum: LIMIT_TYPES }, max: { type: 'number', minimum: 0 } }, ['max']),
    asked({ type: { const: 'read_only' } }, []),
    asked({ type: { const: 'step_up' }, acr: code, max_age_s: { type: 'integer', minimum: 0 } }, ['acr', 'max_age_s']),
    asked({ type: { const: 'record' }, request: { enum: ['digest', 'full'] }, response: { enum: ['digest', 'full'] } }, ['request', 'response']),
    asked({ type: { const: 'notification' }, to: { type: 'string', minLength: 1, maxLength: 512 } }, ['to']),
  ],
} as const;
export type ObligationAsked =
  | { readonly type: (typeof LIMIT_TYPES)[number]; readonly max: number }
  | { readonly type: 'read_only' }
  | { readonly type: 'step_up'; readonly acr: string; readonly max_age_s: number }
  | { readonly type: 'record'; readonly request: 'digest' | 'full'; readonly response: 'digest' | 'full' }
  | { readonly type: 'notification'; readonly to: string };

export const SETS = ['allow', 'deny', 'require_approval', 'mask', 'obligation'] as const;
export type SetName = (typeof SETS)[number];

/** What one package answered; a set that it does not define is empty. */
export interface PackageAnswer {
  /** `<scope>.<name>` */
  readonly policy: string;
  readonly shadow: boolean;
  readonly allow: readonly Verdict[];
  readonly deny: readonly Verdict[];
  readonly require_approval: readonly ApprovalAsked[];
  readonly mask: readonly MaskAsked[];
  readonly obligation: readonly ObligationAsked[];
}

export interface Slot {
  readonly policy: string;
  readonly set: SetName;
}

const ITEMS_MAX = 1_024;
const many = <T extends object>(items: T): { readonly type: 'array'; readonly maxItems: number; readonly items: T } => ({
  type: 'array',
  maxItems: ITEMS_MAX,
  items,
});
const CHECKS: Readonly<Record<SetName, { Check(value: unknown): boolean }>> = {
  allow: Compile(many(Verdict)),
  deny: Compile(many(Verdict)),
  require_approval: Compile(many(ApprovalAsked)),
  mask: Compile(many(MaskAsked)),
  obligation: Compile(many(ObligationAsked)),
};

/** @param value one array per slot, in the slots' order. A string says what is wrong, and nothing of the value may be used. */
export function readAnswers(value: unknown, slots: readonly Slot[], shadow: boolean): readonly PackageAnswer[] | string {
  if (!Array.isArray(value) || value.length !== slots.length) return 'the answer does not have one set for each that the packages define';
  const answers = new Map<string, PackageAnswer>();
  for (const [at, { policy, set }] of slots.entries()) {
    const items: unknown = value[at];
    if (!CHECKS[set].Check(items))
      return `${policy}.${set} holds something that is not of the contract's form: ${JSON.stringify(items).slice(0, 300)}`;
    const empty: PackageAnswer = { policy, shadow, allow: [], deny: [], require_approval: [], mask: [], obligation: [] };
    answers.set(policy, { ...(answers.get(policy) ?? empty), [set]: items });
  }
  return [...answers.values()];
}
