/**
 * The access request endpoint: a denial that may be requested becomes an approval request, and its state can be asked.
 * https://openid.github.io/authzen/authzen-access-request-approval-profile-1_0.html
 */
import { InterlockError } from '#schemas/errors';
import type { ApprovalView } from '#schemas/approval';
import { digestOf } from './canonical.ts';
import { covers, type Denial } from './denials.ts';
import { askedOf, type Caller, inquiryOf } from './evaluate.ts';
import { approvalsOf, type AuthzenHouse } from './house.ts';
import { POINT_SETTING } from './inquiry.ts';
import { Problem } from './problem.ts';
import { object, type Question, readQuestion, wrong } from './question.ts';
import { type TaskAnswer, taskOf } from './task.ts';

/** @param key of the header `Idempotency-Key` */
export async function submit(house: AuthzenHouse, caller: Caller, body: unknown, key: string | null): Promise<TaskAnswer> {
  const given = object(body, 'the request');
  if (given['items'] !== undefined) throw wrong('`items` is not supported: submit one request for each');
  if (given['callback'] !== undefined)
    throw wrong('`callback` is not supported: poll `task.status_endpoint`, or configure a webhook in `approvals.notify`');
  const { id: point } = caller.point;
  const digest = digestOf(given);
  const before = key === null ? null : house.submissions.find(point, key, digest);
  if (before !== null && !before.same) throw new Problem('duplicate_request', 'this Idempotency-Key came with another body before');
  if (before !== null) return taskOf(approvalsOf(house).show(before.approvalId), house);
  const question = readQuestion(given);
  const denial = denialOf(house, point, given['denial'], question);
  const { approvalId } = await open(house, caller, asDenied(question, denial));
  if (key !== null) house.submissions.add(point, key, digest, approvalId);
  return taskOf(approvalsOf(house).show(approvalId), house);
}

/** Only the enforcement point that asked sees it; to all others there is no such task. */
export async function status(house: AuthzenHouse, caller: Caller, id: string): Promise<TaskAnswer> {
  return taskOf(await known(house, caller, id), house);
}

export async function cancel(house: AuthzenHouse, caller: Caller, id: string): Promise<TaskAnswer> {
  const view = await known(house, caller, id);
  if (view.state !== 'open') throw new Problem('invalid_task_state', `the task is ${view.state.replaceAll('_', ' ')}`);
  await approvalsOf(house).cancel(id, view.subject.id);
  const now = approvalsOf(house).show(id);
  if (now.state !== 'cancelled') throw new Problem('invalid_task_state', `the task is ${now.state.replaceAll('_', ' ')}`);
  return taskOf(now, house);
}

function denialOf(house: AuthzenHouse, point: string, value: unknown, question: Question): Denial {
  const { evaluation_id: evaluationId } = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  if (typeof evaluationId !== 'string') throw new Problem('invalid_denial_binding', '`denial.evaluation_id` is missing');
  const denial: Denial | null = house.denials.find(evaluationId);
  if (denial === null || denial.point !== point)
    throw new Problem('invalid_denial_binding', 'no denial of this name may be requested: evaluate again');
  if (house.denials.isPast(denial)) throw new Problem('expired_denial', `it could be requested until ${denial.expiresAt}: evaluate again`);
  if (!covers(denial, question)) throw new Problem('invalid_denial_binding', 'subject, resource, action or context is another than what was denied');
  return denial;
}

/** What was said at the submission alone is no part of what is approved: the question comes again without it. */
function asDenied(question: Question, { context }: Denial): Question {
  return { ...question, context: Object.fromEntries(Object.entries(question.context).filter(([name]) => context.has(name))) };
}

/** Judged again, under the policies of now: what is asked for is what will be needed. The same question joins the request that is open. */
async function open(house: AuthzenHouse, caller: Caller, question: Question): Promise<{ readonly approvalId: string }> {
  const inquiry = inquiryOf(askedOf(house, caller, question));
  const judgement = await inquiry.judge(null);
  if (judgement.effect !== 'require_approval') {
    await inquiry.refused(judgement, judgement.reasons[0]?.code ?? 'DEFAULT_DENY', 'policy');
    throw new Problem('not_requestable', 'policy asks for no approval any more: evaluate again');
  }
  const ticket = await approvalsOf(house).request(inquiry.draft(judgement));
  await inquiry.refused(judgement, 'APPROVAL_PENDING', 'approval');
  return ticket;
}

async function known(house: AuthzenHouse, { point }: Caller, id: string): Promise<ApprovalView> {
  await approvalsOf(house).hear(id);
  const view = find(house, id);
  if (view === null || view.binding.settings[POINT_SETTING] !== point.id) throw new Problem('unknown_task', 'there is no such task of yours');
  return view;
}

function find(house: AuthzenHouse, id: string): ApprovalView | null {
  try {
    return approvalsOf(house).show(id);
  } catch (error) {
    if (error instanceof InterlockError && error.code === 'APPROVAL_NOT_FOUND') return null;
    throw error;
  }
}
