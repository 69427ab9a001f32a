/**
 * Using an approval, once (DESIGN §1). Everything that may fail, or take long, comes first: what the names mean, the locks at the target, a decision
 * that is still good. Last of all the engine consumes it; so what did not come to that is tried again with the same approval.
 */
import type { Ticket } from '#client/approvals';
import type { Decided, Statement } from '#client/decision-service';
import type { ApprovalContext } from '#schemas/decision-request';
import type { Decision, Requirement } from '#schemas/decision';
import type { Asked, Scene } from './asked.ts';
import type { Use } from './cleared.ts';
import { draftOf } from './draft.ts';
import { decidedEvent, heldEvent } from './events.ts';
import type { Given } from './given.ts';
import { LIMITS } from './limits.ts';
import { momentOf } from './moment.ts';
import { noLongerFits, policyRefusal, refusal, refusalOf, verdictDetail, type Refusal } from './refusal.ts';
import { difference, NO_SURVEY, type Survey } from './survey.ts';

export interface Approved extends Ticket {
  readonly approval: ApprovalContext;
}

export interface Granted {
  readonly ticket: Approved;
  /** The decision that asked for it. */
  readonly asking: Decided;
  /** As it was approved. */
  readonly survey: Survey;
  /** Decided again, with the approval, and when. */
  readonly decided: Decided;
  readonly decidedUs: number;
}

export interface Used {
  readonly use: Use;
  /** What it runs by. */
  readonly decided: Decided;
}

/** The use, or the refusal that says why there is none: then the approval is not used by this. */
export async function useOnce(asked: Asked, statement: Statement, granted: Granted, scene: Scene): Promise<Used | Refusal> {
  const { ticket, asking, survey } = granted;
  const detail = verdictDetail(asking.decision, approvalReason(asking), ticket.approvalId);
  const now = await surveyOf(asked, statement, 'using', scene);
  const differs = difference(survey.objects, now.objects);
  if (differs !== null) return noLongerFits(ticket.approvalId, differs, detail);
  if (!scene.voice.alive()) return left();
  const given: Given = { approval: ticket.approval, survey: now, rowCeiling: ticket.rowCeiling, settings: asked.settings, detail };
  const why = (await scene.examiner?.enter?.(asked, statement, given)) ?? null;
  if (why !== null) {
    // nobody is told to ask anew and then given the old one again
    if (why.code === 'APPROVAL_VOID') await scene.approvals.supersede(ticket.approvalId, why.message);
    return why;
  }
  const decided = await stillGood(asked, statement, granted, scene);
  if ('refused' in decided) return decided;
  if (!scene.voice.alive()) return left();
  const { statementId } = asked;
  const draft = draftOf(asked, statement, asking, now, scene);
  try {
    const use = { statementId, enforcer: scene.enforcer, nonce: scene.ids.next('non'), draft };
    return { use: { ...given, receipt: await scene.approvals.consume(ticket.approvalId, use) }, decided };
  } catch (error) {
    return unused(error, detail);
  }
}

/** What stands behind the names, where the protocol can find out. */
export function surveyOf(asked: Asked, statement: Statement, purpose: 'asking' | 'using', scene: Scene): Promise<Survey> {
  return scene.examiner?.survey(asked, statement, purpose) ?? Promise.resolve(NO_SURVEY);
}

/** The approval counts only for the requirement it was given for. */
export function fits(decided: Decided, approval: ApprovalContext): boolean {
  if (decided.decision.effect === 'require_approval') return false;
  const requirement: Requirement | null = decided.decision.approval;
  return requirement === null || requirement.digest === approval.requirement;
}

export function approvalReason(decided: Decided): Decision['reasons'][number] {
  const { reasons } = decided.decision;
  const reason = reasons.find((one) => one.effect === 'require_approval') ?? reasons[0];
  return reason ?? { policy: 'interlock', code: 'APPROVAL', reason: 'needs approval', effect: 'require_approval' };
}

/** A decision is good for seconds (M6), and locks may have taken as long: then it was held for them, and is decided anew. */
async function stillGood(asked: Asked, statement: Statement, granted: Granted, scene: Scene): Promise<Decided | Refusal> {
  const { ticket, decided: first, decidedUs } = granted;
  if (scene.clock.monotonicUs() - decidedUs <= LIMITS.decisionReusedMs * 1000) return first;
  const decided = await scene.decisions.decide(statement, { ...momentOf(asked, statement, scene), approval: ticket.approval });
  scene.journal.append(heldEvent(asked, ticket.approvalId, ticket.expiresAt, scene));
  scene.journal.append(decidedEvent(asked, statement, decided, scene));
  if (decided.decision.effect === 'deny') return policyRefusal(decided.decision);
  if (fits(decided, ticket.approval)) return decided;
  return refusal('APPROVAL_VOID', `approval ${ticket.approvalId} no longer fits: the policies changed while its locks were waited for`);
}

/** Somebody else was first, or it ended meanwhile: the engine says what. */
function unused(error: unknown, detail: string): Refusal {
  const why = refusalOf(error);
  return why.code === 'APPROVAL_VOID' ? { ...why, detail } : why;
}

function left(): Refusal {
  return refusal('CANCELLED', 'the client left; the approval is not used');
}
