import type { Judgement } from '#schemas/decision';
import type { DecisionRequest } from '#schemas/decision-request';
import type { SessionScope } from '#client/decision-service';
import { digest } from './canonical.ts';
import { ownDenial } from './combine.ts';
import type { InForce } from './in-force.ts';
import { foreignTarget, humanBehind } from './intersection.ts';
import { sessionRequest } from './request.ts';

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

/** Of the other targets that a session reaches, by statements in its calls: each is asked once for, by each revision, as if it were opened there. */
export class Openings {
  readonly #known = new Map<string, { readonly force: InForce; readonly judgement: Judgement }>();

  of(force: InForce, scope: SessionScope, time: string): Judgement {
    const before = this.#known.get(scope.resource.id);
    if (before?.force === force) return before.judgement;
    const request = sessionRequest(scope, { digest: digest(''), bytes: 0 }, time);
    const judgement = openingJudgement(force, request, force.judge.revision);
    this.#known.set(scope.resource.id, { force, judgement });
    return judgement;
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
