/** Holding a statement until somebody decides, and consuming the approval once (DESIGN §1 "Holding is not a decision call"). */
import type { Ticket } from '#client/approvals';
import type { Decided, Statement } from '#client/decision-service';
import type { ApprovalContext } from '#schemas/decision-request';
import type { Requirement } from '#schemas/decision';
import { HoldEnded, type Asked, type Scene } from './asked.ts';
import type { Mint, Outcome, Use } from './cleared.ts';
import { draftOf } from './draft.ts';
import { decidedEvent, heldEvent } from './events.ts';
import { momentOf } from './moment.ts';
import { noLongerFits, policyRefusal, refusal, refusalOf, verdictDetail, type Refusal } from './refusal.ts';
import { refuse } from './refuse.ts';
import { difference, NO_SURVEY, type Survey } from './survey.ts';
import { visible } from './visible.ts';

/** Requirements that change under our eyes are asked for anew at most this often. */
const REQUESTS_MAX = 3;

export async function hold(asked: Asked, statement: Statement, first: Decided, scene: Scene, mint: Mint): Promise<Outcome> {
  try {
    return await held(asked, statement, first, scene, mint);
  } catch (error) {
    return refuse(asked, refusalOf(error), scene);
  }
}

async function held(asked: Asked, statement: Statement, first: Decided, scene: Scene, mint: Mint): Promise<Outcome> {
  if (!opens(scene.approvalRules.inTransaction, asked)) return refuse(asked, inTransaction(first), scene);
  const objection = scene.examiner?.objection(asked, statement) ?? (await deniedEvenIfApproved(asked, statement, first, scene));
  if (objection) return refuse(asked, objection, scene);
  let decided = first;
  for (let request = 0; request < REQUESTS_MAX; request++) {
    const asking = decided;
    const survey = await surveyOf(asked, statement, 'asking', scene);
    const ticket = await settle(asked, await scene.approvals.request(draftOf(asked, statement, asking, survey, scene)), asking, scene);
    if ('refused' in ticket) return refuse(asked, ticket, scene);
    // the settings and the transaction are those of the first decision: nothing else was read of this client meanwhile
    decided = await scene.decisions.decide(statement, { ...momentOf(asked, statement, scene), approval: ticket.approval });
    scene.journal.append(decidedEvent(asked, statement, decided, scene));
    if (decided.decision.effect === 'deny') return refuse(asked, policyRefusal(decided.decision), scene);
    if (fits(decided, ticket.approval)) {
      const use = await used(asked, statement, { ticket, asking, survey }, scene);
      return 'refused' in use ? refuse(asked, use, scene) : mint(asked, statement, decided, scene, use);
    }
    await scene.approvals.supersede(ticket.approvalId, `requirement changed: revision ${first.decision.revision} to ${decided.decision.revision}`);
    if (!decided.decision.approval) break;
  }
  return refuse(asked, refusal('APPROVAL_VOID', 'the policies changed while the approval was asked for'), scene);
}

function opens(rule: 'idle' | 'fresh' | 'any', { transaction, before }: Asked): boolean {
  if (transaction === 'idle') return true;
  // what cannot be shown whole is not asked for
  return (transaction === 'fresh' && rule !== 'idle') || (transaction === 'open' && rule === 'any' && before !== null);
}

/** Nobody is asked about what would be denied anyhow. */
async function deniedEvenIfApproved(asked: Asked, statement: Statement, first: Decided, scene: Scene): Promise<Refusal | null> {
  const { decision_id, approval } = first.decision;
  if (!approval) return refusal('INTERNAL', 'an approval without a requirement');
  const assumed: ApprovalContext = { valid: true, id: 'apr_assumed', approved_by: [], requirement: approval.digest };
  const then = await scene.decisions.decide(statement, { ...momentOf(asked, statement, scene), approval: assumed });
  return then.decision.effect === 'deny' ? policyRefusal({ ...then.decision, decision_id }) : null;
}

/** What stands behind the names, where the protocol can find out. */
function surveyOf(asked: Asked, statement: Statement, purpose: 'asking' | 'using', scene: Scene): Promise<Survey> {
  return scene.examiner?.survey(asked, statement, purpose) ?? Promise.resolve(NO_SURVEY);
}

interface Approved extends Ticket {
  readonly approval: ApprovalContext;
}

interface Granted {
  readonly ticket: Approved;
  readonly asking: Decided;
  /** As it was approved. */
  readonly survey: Survey;
}

/** Looks again at what the names mean, and consumes the approval: once, or it is the refusal that says why not. */
async function used(asked: Asked, statement: Statement, { ticket, asking, survey }: Granted, scene: Scene): Promise<Use | Refusal> {
  const now = await surveyOf(asked, statement, 'using', scene);
  const detail = verdictDetail(asking.decision, approvalReason(asking), ticket.approvalId);
  const differs = difference(survey.objects, now.objects);
  if (differs !== null) return noLongerFits(ticket.approvalId, differs, detail);
  if (!scene.voice.alive()) return refusal('CANCELLED', 'the client left; the approval is not used');
  const { statementId } = asked;
  const draft = draftOf(asked, statement, asking, now, scene);
  try {
    const use = { statementId, enforcer: scene.enforcer, nonce: scene.ids.next('non'), draft };
    const receipt = await scene.approvals.consume(ticket.approvalId, use);
    return { receipt, approval: ticket.approval, survey: now, rowCeiling: ticket.rowCeiling, settings: asked.settings, detail };
  } catch (error) {
    return unused(error, detail);
  }
}

/** Waits until the request is approved; anything else is the refusal it ends in. */
async function settle(asked: Asked, ticket: Ticket, decided: Decided, scene: Scene): Promise<Approved | Refusal> {
  if (ticket.state === 'denied') return verdictRefusal(ticket, decided);
  scene.journal.append(heldEvent(asked, ticket.approvalId, ticket.expiresAt, scene));
  const last = ticket.state === 'open' ? await waited(ticket, decided, scene) : ticket;
  if ('refused' in last) return last;
  if (last.state === 'approved' && last.approval) return { ...last, approval: last.approval };
  return verdictRefusal(last, decided);
}

async function waited(ticket: Ticket, decided: Decided, scene: Scene): Promise<Ticket | Refusal> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new HoldEnded('timeout')), scene.approvalRules.waitMs);
  scene.voice.held(ticket.approvalId, controller);
  scene.voice.notice(`held for approval ${ticket.approvalId}`, approvalDetail(ticket, decided), visible(whoDecides(ticket)));
  try {
    return await scene.approvals.settled(ticket.approvalId, controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    const why = controller.signal.reason instanceof HoldEnded ? controller.signal.reason.why : 'disconnect';
    if (why === 'cancel') await scene.approvals.cancel(ticket.approvalId, scene.subject.id);
    return endedRefusal(why, ticket, decided);
  } finally {
    clearTimeout(timer);
    scene.voice.released();
  }
}

function endedRefusal(why: HoldEnded['why'], ticket: Ticket, decided: Decided): Refusal {
  const detail = approvalDetail(ticket, decided);
  switch (why) {
    case 'cancel':
      return refusal('CANCELLED', 'canceling statement due to user request', { detail, hint: 'The approval request was cancelled too.' });
    case 'disconnect':
      return refusal('CANCELLED', 'the client left; the approval request stays open', { detail });
    case 'timeout':
      return refusal('APPROVAL_PENDING', `not approved in time: ${ticket.approvalId} stays open`, {
        detail,
        hint: `${whoDecides(ticket)}; then run the same statement again`,
      });
  }
}

function verdictRefusal(ticket: Ticket, decided: Decided): Refusal {
  const detail = approvalDetail(ticket, decided);
  if (ticket.state === 'denied') {
    return refusal('APPROVAL_DENIED', `denied by a reviewer${ticket.comment === null ? '' : `: ${ticket.comment}`}`, { detail });
  }
  if (ticket.state === 'changes_requested') {
    return refusal('APPROVAL_CHANGES', `a reviewer asks for another statement${ticket.comment === null ? '' : `: ${ticket.comment}`}`, { detail });
  }
  // whoever begins to wait once it was used is told what whoever comes too late to use it is
  return noLongerFits(ticket.approvalId, ticket.why ?? `it is ${ticket.state}`, detail);
}

/** Somebody else was first, or it ended meanwhile: the engine says what. */
function unused(error: unknown, detail: string): Refusal {
  const why = refusalOf(error);
  return why.code === 'APPROVAL_VOID' ? { ...why, detail } : why;
}

function inTransaction(decided: Decided): Refusal {
  const reason = approvalReason(decided);
  return refusal('APPROVAL_IN_TRANSACTION', `needs approval (${reason.reason}), but its transaction already did work`, {
    detail: verdictDetail(decided.decision, { ...reason, code: 'APPROVAL_IN_TRANSACTION' }),
  });
}

/** The approval counts only for the requirement it was given for. */
function fits(decided: Decided, approval: ApprovalContext): boolean {
  if (decided.decision.effect === 'require_approval') return false;
  const requirement: Requirement | null = decided.decision.approval;
  return requirement === null || requirement.digest === approval.requirement;
}

function whoDecides(ticket: Ticket): string {
  const who = ticket.askedFor.length === 0 ? 'a reviewer' : ticket.askedFor.join(', ');
  return `${who} may decide until ${ticket.expiresAt.slice(0, 16).replace('T', ' ')} UTC: ${command(ticket)} (${ticket.url})`;
}

/** To copy and send to whoever decides. */
function command({ approvalId }: Ticket): string {
  return `interlock approvals approve ${approvalId} --token-file FILE`;
}

function approvalDetail(ticket: Ticket, decided: Decided): string {
  return `${verdictDetail(decided.decision, approvalReason(decided), ticket.approvalId)} digest=${prefix(ticket.digest)}`;
}

/** The reviewer is shown the same digits (SECURITY A7). */
function prefix(digest: Ticket['digest']): string {
  return digest.slice('sha256:'.length).slice(0, 12);
}

function approvalReason(decided: Decided): Decided['decision']['reasons'][number] {
  const { reasons } = decided.decision;
  const reason = reasons.find((one) => one.effect === 'require_approval') ?? reasons[0];
  return reason ?? { policy: 'interlock', code: 'APPROVAL', reason: 'needs approval', effect: 'require_approval' };
}
