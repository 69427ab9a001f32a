/** What the packages answered, as one judgement (DESIGN §4). Order-free; `test/unit/combine.rego` says the same in Rego and is its oracle. */
import type { DecisionEffect, Judgement, MaskObligation, Obligation, Reason, Requirement, Shadow } from '#schemas/decision';
import type { Chains } from './chains.ts';
import { mergeObligations, supportNeeded } from './obligations.ts';
import type { PackageAnswer, Verdict } from './policy-result.ts';
import { requirementOf } from './requirement.ts';

export interface CombineContext {
  readonly revision: string;
  readonly supportedObligations: readonly string[];
  /** Those of the data documents in force; without them, what names a chain is denied. */
  readonly chains?: Chains;
}

/** A judgement without an approval, and what a valid approval of exactly its requirement would make of it. */
export interface Combined {
  readonly judgement: Judgement;
  readonly approved: Judgement | null;
  /** The masks on columns, of both; null: none. */
  readonly mask: MaskObligation | null;
  /** Why each column is masked, so that a statement that reads only some of them is told only those. */
  readonly masks: readonly { readonly columns: readonly string[]; readonly reason: Reason }[];
  /** What it was put together from: an agent's and its human's are put together once more. */
  readonly answers: readonly PackageAnswer[];
}

export function combine(answers: readonly PackageAnswer[], context: CombineContext): Combined {
  const live = answers.filter((answer) => !answer.shadow);
  const shadow = shadowOf(answers.filter((answer) => answer.shadow));
  const judge = (
    effect: DecisionEffect,
    reasons: readonly Reason[],
    obligations: Obligation[] = [],
    approval: Requirement | null = null,
  ): Judgement => ({
    effect,
    reasons: sortedReasons(reasons),
    obligations,
    approval,
    revision: context.revision,
    shadow,
  });
  const final = (judgement: Judgement): Combined => ({ judgement, approved: null, mask: columnMask(judgement), masks: masksOf(live), answers });

  const denials = reasonsOf(live, 'deny', 'deny');
  if (denials.length > 0) return final(judge('deny', denials));

  const obligations = mergeObligations(live);
  const unsupported = obligations.flatMap(supportNeeded).filter((need) => !context.supportedObligations.includes(need));
  if (unsupported.length > 0) return final(judge('deny', unsupported.map(unsupportedReason)));

  const effect = obligations.some((obligation) => obligation.type === 'mask') ? 'mask' : 'allow';
  const allowed = [...reasonsOf(live, 'allow', 'allow'), ...reasonsOf(live, 'mask', 'mask')];
  const held = reasonsOf(live, 'require_approval', 'require_approval');
  if (held.length > 0) {
    const requirement = requirementOf(live, obligations, context.chains ?? NO_CHAINS);
    if ('code' in requirement) return final(judge('deny', [{ policy: 'interlock', ...requirement, effect: 'deny' }]));
    const judgement = judge('require_approval', [...held, ...reasonsOf(live, 'mask', 'mask')], obligations, requirement);
    return { ...final(judgement), approved: judge(effect, [...allowed, ...held], obligations) };
  }
  if (reasonsOf(live, 'allow', 'allow').length === 0) return final(judge('deny', [DEFAULT_DENY]));
  return final(judge(effect, allowed, obligations));
}

const NO_CHAINS: Chains = new Map();

export const DEFAULT_DENY: Reason = { policy: 'interlock', code: 'DEFAULT_DENY', reason: 'no policy allows this', effect: 'deny' };

/** A refusal that is ours: trouble with policy, unparsed text, impossible masks. */
export function ownDenial(code: string, reason: string, revision: string, hint?: string): Judgement {
  const reasons: Reason[] = [{ policy: 'interlock', code, reason, effect: 'deny', ...(hint === undefined ? {} : { hint }) }];
  return { effect: 'deny', reasons, obligations: [], approval: null, revision, shadow: [] };
}

function reasonsOf(answers: readonly PackageAnswer[], set: 'allow' | 'deny' | 'require_approval' | 'mask', effect: DecisionEffect): Reason[] {
  return answers.flatMap((answer) =>
    (answer[set] as readonly Verdict[]).map(({ code, reason, hint }) => ({
      policy: answer.policy,
      code,
      reason,
      effect,
      ...(hint === undefined ? {} : { hint }),
    })),
  );
}

function columnMask(judgement: Judgement): MaskObligation | null {
  const mask = judgement.obligations.find((obligation) => obligation.type === 'mask');
  return mask && Object.keys(mask.properties.columns).length > 0 ? mask : null;
}

function masksOf(answers: readonly PackageAnswer[]): Combined['masks'] {
  return answers.flatMap((answer) => {
    const reasons = reasonsOf([answer], 'mask', 'mask');
    return answer.mask.map(({ columns = [] }, at) => ({ columns, reason: reasons[at] as Reason }));
  });
}

function unsupportedReason(need: string): Reason {
  return { policy: 'interlock', code: 'OBLIGATION_UNSUPPORTED', reason: `this enforcer cannot fulfil the obligation ${need}`, effect: 'deny' };
}

function shadowOf(answers: readonly PackageAnswer[]): Shadow[] {
  const found = new Map<string, Shadow>();
  for (const answer of answers) {
    for (const effect of ['deny', 'require_approval', 'mask', 'allow'] as const) {
      for (const { code } of answer[effect]) found.set(`${answer.policy}\n${effect}\n${code}`, { policy: answer.policy, effect, code });
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, shadow]) => shadow);
}

const RANK: Readonly<Record<DecisionEffect, number>> = { deny: 0, require_approval: 1, mask: 2, allow: 3 };

/** The deciding ones first; equal ones once. */
function sortedReasons(reasons: readonly Reason[]): Reason[] {
  const unique = new Map(
    reasons.map((reason) => [`${reason.policy}\n${reason.code}\n${reason.reason}\n${reason.hint ?? ''}\n${reason.effect}`, reason]),
  );
  return [...unique].sort(([a, x], [b, y]) => RANK[x.effect] - RANK[y.effect] || (a < b ? -1 : 1)).map(([, reason]) => reason);
}
