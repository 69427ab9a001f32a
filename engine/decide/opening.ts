import type { Judgement } from '#schemas/decision';
import type { DecisionRequest } from '#schemas/decision-request';
import { ownDenial } from './combine.ts';
import type { InForce } from './in-force.ts';
import { foreignTarget, humanBehind } from './intersection.ts';

/** A session is opened or refused: it cannot be held for approval, and there is nothing yet to mask. An agent’s is also its human’s to open. */
export function openingJudgement(force: InForce | null, request: DecisionRequest, revision: string): Judgement {
  if (!force) return ownDenial('POLICY_UNAVAILABLE', 'no policy is in force, or it is older than its maximum age', revision);
  const foreign = foreignTarget(request, revision);
  if (foreign) return foreign;
  const judgement = openingOf(force, request);
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

function openingOf({ judge }: InForce, request: DecisionRequest): Judgement {
  const { supported_obligations: supported } = request.context;
  const own = judge.judge('session', null, () => request, supported).combined;
  const subject = humanBehind(request.subject);
  if (subject === null) return own.judgement;
  const human = judge.judge('session', null, () => ({ ...request, subject }), supported).combined;
  return judge.both(own, human, supported).judgement;
}
