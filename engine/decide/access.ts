/** Questions of enforcement points that are not ours, and that carry no statement: judged by the packages of scope `access` (ADR 0012). */
import type { AccessRequest } from '#schemas/access-request';
import type { Judgement } from '#schemas/decision';
import { ownDenial } from './combine.ts';
import type { InForce } from './in-force.ts';

export interface AccessJudged {
  readonly judgement: Judgement;
}

/** An approval counts only for exactly the requirement that it was given for. */
export function judgeAccess(force: InForce | null, request: AccessRequest, revision: string): AccessJudged {
  if (!force) return { judgement: ownDenial('POLICY_UNAVAILABLE', 'no policy is in force, or it is older than its maximum age', revision) };
  const { combined } = force.judge.judge('access', null, () => request, request.context.supported_obligations);
  const { judgement, approved } = combined;
  const { approval } = request.context;
  const counts = approval?.valid === true && approved !== null && approval.requirement === judgement.approval?.digest;
  return { judgement: counts ? approved : judgement };
}
