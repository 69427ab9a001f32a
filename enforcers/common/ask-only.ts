/**
 * Asking for the approval that a statement needs, and nothing else. It takes the path of every statement (same facts, session, counters, record, and the
 * same objections), and ends in a refusal whatever is decided: what this returns is no `ClearedStatement`, and no approval is consumed here.
 */
import type { Ticket } from '#client/approvals';
import type { Decided, Statement } from '#client/decision-service';
import type { Asked, Scene } from './asked.ts';
import { draftOf } from './draft.ts';
import { heldEvent } from './events.ts';
import { approvalDetail, unaskable, verdictRefusal, whoDecides } from './hold.ts';
import { policyRefusal, refusal, refusalOf, verdictDetail, type Refusal } from './refusal.ts';
import { refuse } from './refuse.ts';
import { approvalReason, surveyOf } from './using.ts';
import { visible } from './visible.ts';

export async function askOnly(asked: Asked, statement: Statement, decided: Decided, scene: Scene): Promise<Refusal> {
  try {
    return refuse(asked, await answered(asked, statement, decided, scene), scene);
  } catch (error) {
    return refuse(asked, refusalOf(error), scene);
  }
}

async function answered(asked: Asked, statement: Statement, decided: Decided, scene: Scene): Promise<Refusal> {
  const { decision } = decided;
  switch (decision.effect) {
    case 'deny':
      return policyRefusal(decision);
    case 'allow':
    case 'mask':
      return refusal('APPROVAL_NOT_NEEDED', undefined, { detail: `decision=${decision.decision_id} code=APPROVAL_NOT_NEEDED` });
    case 'require_approval':
      return (await unaskable(asked, statement, decided, scene)) ?? (await requested(asked, statement, decided, scene));
  }
}

/** Joins the request that is open for it, or opens one. */
async function requested(asked: Asked, statement: Statement, decided: Decided, scene: Scene): Promise<Refusal> {
  const survey = await surveyOf(asked, statement, 'asking', scene);
  const ticket = await scene.approvals.request(draftOf(asked, statement, decided, survey, scene));
  if (ticket.state === 'denied') return verdictRefusal(ticket, decided);
  scene.journal.append(heldEvent(asked, ticket.approvalId, ticket.expiresAt, scene));
  return standing(ticket, decided);
}

function standing(ticket: Ticket, decided: Decided): Refusal {
  const { approvalId, approval, state } = ticket;
  if (state === 'open') {
    const hint = `${visible(whoDecides(ticket))}; then run the same statement, without asking only`;
    return refusal('APPROVAL_PENDING', `asked for, and nothing was run: ${approvalId} is open`, { detail: approvalDetail(ticket, decided), hint });
  }
  if (state === 'approved' && approval !== null) {
    const detail = verdictDetail(decided.decision, { ...approvalReason(decided), code: 'APPROVAL_READY' }, approvalId);
    return refusal('APPROVAL_READY', `approved, and nothing was run: ${approvalId} can be used`, { detail });
  }
  return verdictRefusal(ticket, decided);
}
