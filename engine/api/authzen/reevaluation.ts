/**
 * The same question again, with an approval by its name. The name alone permits nothing: the approval must be of this enforcement point, this
 * subject and exactly this question, still good under the policies of now, and not used up. The answer says what to do next.
 * https://openid.github.io/authzen/authzen-access-request-approval-profile-1_0.html#name-completion-semantics
 */
import type { Receipt, Ticket } from '#client/approvals';
import type { ApprovalView } from '#schemas/approval';
import type { Judgement } from '#schemas/decision';
import { InterlockError } from '#schemas/errors';
import { type Answer, permitted, refusedAnswer, type Why } from './answer.ts';
import { approvalsOf, now } from './house.ts';
import { type Inquiry, POINT_SETTING } from './inquiry.ts';
import type { ApprovalReference } from './question.ts';

const RETRY_S = 5;

export async function reevaluate(inquiry: Inquiry, judgement: Judgement, { id }: ApprovalReference): Promise<Answer> {
  const { house, point, subject } = inquiry.asked;
  const approvals = approvalsOf(house);
  await approvals.hear(id);
  const ticket = approvals.ticket(id);
  const view = ticket === null ? null : approvals.show(id);
  if (ticket === null || view === null || view.binding.settings[POINT_SETTING] !== point.id || view.subject.id !== subject.id)
    return await refuse(inquiry, judgement, { reason: 'approval_unverifiable', next: 'none' });
  if (ticket.approval === null) return await refuse(inquiry, judgement, whyNot(view));
  inquiry.held(id, ticket.expiresAt);
  const again = await inquiry.judge(ticket.approval);
  const used = await use(inquiry, { asking: judgement, approved: again }, ticket);
  if ('reason' in used) return await refuse(inquiry, again, used);
  await inquiry.cleared(again, used);
  return permitted(inquiry, again, now(house), { id, approved_until: view.valid_until ?? ticket.expiresAt, receipt: used.receipt });
}

interface Judged {
  readonly asking: Judgement;
  readonly approved: Judgement;
}

/** Compare-and-append on the approval's own stream: of two at once, one is first. */
async function use(inquiry: Inquiry, { asking, approved }: Judged, { approvalId }: Ticket): Promise<Receipt | Why> {
  const { house, point } = inquiry.asked;
  if (approved.effect === 'deny') return { reason: 'policy_denied', next: 'none' };
  if (approved.effect === 'require_approval') return { reason: 'approval_expired', next: 'request', requestable: true };
  const draft = inquiry.draft(asking);
  try {
    const nonce = house.parts.ids.next('non');
    return await approvalsOf(house).consume(approvalId, { statementId: inquiry.evaluationId, enforcer: point.login, nonce, draft });
  } catch (error) {
    if (!(error instanceof InterlockError) || !VOID.has(error.code)) throw error;
    if (error.code === 'APPROVAL_NOT_YET' || error.code === 'APPROVAL_FROZEN') return { reason: 'policy_denied', next: 'retry', retryAfterS: 60 };
    const otherwise = / its \w+ is another/.test(error.message);
    return { reason: otherwise ? 'out_of_scope' : 'approval_expired', next: 'request', requestable: true };
  }
}

const VOID: ReadonlySet<string> = new Set(['APPROVAL_VOID', 'APPROVAL_NOT_YET', 'APPROVAL_FROZEN']);

function whyNot({ state }: ApprovalView): Why {
  switch (state) {
    case 'open':
      return { reason: 'approval_pending', next: 'retry', retryAfterS: RETRY_S };
    case 'denied':
    case 'changes_requested':
      return { reason: 'approval_denied', next: 'none' };
    case 'approved':
    case 'consumed':
    case 'expired':
    case 'cancelled':
    case 'superseded':
    case 'withdrawn':
      return { reason: 'approval_expired', next: 'request', requestable: true };
  }
}

async function refuse(inquiry: Inquiry, judgement: Judgement, why: Why): Promise<Answer> {
  await inquiry.refused(judgement, why.reason === 'approval_pending' ? 'APPROVAL_PENDING' : 'APPROVAL_VOID', 'approval');
  return refusedAnswer(inquiry, judgement, now(inquiry.asked.house), why);
}
