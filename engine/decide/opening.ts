import type { Judgement } from '#schemas/decision';
import type { DecisionRequest } from '#schemas/decision-request';
import { ownDenial } from './combine.ts';
import type { InForce } from './in-force.ts';

/** A session is opened or refused: it cannot be held for approval, and there is nothing yet to mask. */
export function openingJudgement(force: InForce | null, request: DecisionRequest, revision: string): Judgement {
  if (!force) return ownDenial('POLICY_UNAVAILABLE', 'no policy is in force, or it is older than its maximum age', revision);
  const { judgement } = force.judge.judge('session', null, () => request, request.context.supported_obligations).combined;
  switch (judgement.effect) {
    case 'allow':
    case 'deny':
      return judgement;
    case 'require_approval':
      return ownDenial('OBLIGATION_UNSUPPORTED', 'opening a session cannot be held for approval', revision);
    case 'mask':
      return ownDenial('OBLIGATION_UNSUPPORTED', 'masks are asked for at stage request, not when a session opens', revision);
  }
}
