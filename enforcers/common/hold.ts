/** Holding a statement until somebody decides, and consuming the approval once (DESIGN §1 "Holding is not a decision call"). */
import type { Ticket } from '#client/approvals';
import type { Decided, Statement } from '#client/decision-service';
import type { ApprovalContext } from '#schemas/decision-request';
import { HoldEnded, type Asked, type Scene } from './asked.ts';
import type { Mint, Outcome } from './cleared.ts';
import { draftOf } from './draft.ts';
import { decidedEvent, heldEvent } from './events.ts';
import { momentOf } from './moment.ts';
import { noLongerFits, policyRefusal, refusal, refusalOf, verdictDetail, type Refusal } from './refusal.ts';
import { refuse } from './refuse.ts';
import { type Approved, approvalReason, fits, surveyOf, useOnce } from './using.ts';
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
  const objection = await unaskable(asked, statement, first, scene);
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
      const decidedUs = scene.clock.monotonicUs();
      const used = await useOnce(asked, statement, { ticket, asking, survey, decided, decidedUs }, scene);
      return 'refused' in used ? refuse(asked, used, scene) : mint(asked, statement, used.decided, scene, used.use);
    }
    await scene.approvals.supersede(ticket.approvalId, `requirement changed: revision ${first.decision.revision} to ${decided.decision.revision}`);
    if (!decided.decision.approval) break;
  }
  return refuse(asked, refusal('APPROVAL_VOID', 'the policies changed while the approval was asked for'), scene);
}

/** Why nobody is asked about it; null: somebody may be. */
export async function unaskable(asked: Asked, statement: Statement, first: Decided, scene: Scene): Promise<Refusal | null> {
  if (!opens(scene.approvalRules.inTransaction, asked)) return inTransaction(first);
  return scene.examiner?.objection(asked, statement) ?? (await deniedEvenIfApproved(asked, statement, first, scene));
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

export function verdictRefusal(ticket: Ticket, decided: Decided): Refusal {
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

function inTransaction(decided: Decided): Refusal {
  const reason = approvalReason(decided);
  return refusal('APPROVAL_IN_TRANSACTION', `needs approval (${reason.reason}), but its transaction already did work`, {
    detail: verdictDetail(decided.decision, { ...reason, code: 'APPROVAL_IN_TRANSACTION' }),
  });
}

export function whoDecides(ticket: Ticket): string {
  const who = ticket.askedFor.length === 0 ? 'a reviewer' : ticket.askedFor.join(', ');
  return `${who} may decide until ${ticket.expiresAt.slice(0, 16).replace('T', ' ')} UTC: ${command(ticket)} (${ticket.url})`;
}

/** To copy and send to whoever decides. */
function command({ approvalId }: Ticket): string {
  return `interlock approvals approve ${approvalId} --token-file FILE`;
}

export function approvalDetail(ticket: Ticket, decided: Decided): string {
  return `${verdictDetail(decided.decision, approvalReason(decided), ticket.approvalId)} digest=${prefix(ticket.digest)}`;
}

/** The reviewer is shown the same digits (SECURITY A7). */
function prefix(digest: Ticket['digest']): string {
  return digest.slice('sha256:'.length).slice(0, 12);
}
