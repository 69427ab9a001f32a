/** All that a reviewer sees of one request, in one answer: what they decide on is what they were shown. */
import type { ApprovalView } from '#schemas/approval';
import { shown, shownAgain } from '#client/shown';
import { InterlockError } from '#schemas/errors';
import type { RequestPage, StoryLine } from '#schemas/review';
import { readableApproval } from '../access.ts';
import type { Answer, Call } from '../call.ts';
import { LIMITS } from '../limits.ts';
import type { Projection } from '../parts.ts';

export async function showRequest(call: Call): Promise<Answer> {
  const { house, reader, id } = call;
  const { approvals, reviewText, projection } = house.parts;
  const approval = await readableApproval(approvals, id, reader);
  if (reviewText === null) throw new InterlockError('NOT_READY', 'the text of requests cannot be shown yet');
  await house.views.record(call, { approvalId: id });
  const [text, can, session, earlier] = await Promise.all([
    reviewText(approval),
    approvals.abilities(id, reader.principal),
    had(projection, (from) => from.sessionSoFar(approval, LIMITS.sessionSoFar)),
    had(projection, (from) => from.earlierLike(approval, LIMITS.earlier, reader)),
  ]);
  const missing = [...(session === null ? (['session'] as const) : []), ...(earlier === null ? (['earlier'] as const) : [])];
  const page: RequestPage = {
    approval: safeView(approval),
    text,
    can: [...can],
    story: approvals.story(id).map(safeLine),
    session: [...(session ?? [])],
    earlier: [...(earlier ?? [])],
    ...(missing.length === 0 ? {} : { missing }),
  };
  return { document: page };
}

/** Deciding does not wait for what is only good to know; the page says that it is missing. */
async function had<T>(projection: Projection | null, ask: (from: Projection) => T | Promise<T>): Promise<T | null> {
  if (projection === null) return null;
  try {
    return await ask(projection);
  } catch (error) {
    if (error instanceof InterlockError) return null;
    throw error;
  }
}

/** Words of others, as they may be shown (M8). The statement itself is in `text`, which is made to be looked at. */
function safeView(approval: ApprovalView): ApprovalView {
  const { comment, detail, glass } = approval;
  return {
    ...approval,
    summary: shownAgain(approval.summary),
    binding: { ...approval.binding, objects: approval.binding.objects.map(shown) },
    reasons: approval.reasons.map((reason) => ({
      ...reason,
      reason: shown(reason.reason),
      ...(reason.hint === undefined ? {} : { hint: shown(reason.hint) }),
    })),
    ...(comment === undefined ? {} : { comment: lines(comment) }),
    ...(detail === undefined ? {} : { detail: shown(detail) }),
    ...(approval.params === undefined ? {} : { params: approval.params.map((param) => (param === null ? null : shown(param))) }),
    ...(approval.plan_text === undefined ? {} : { plan_text: lines(approval.plan_text) }),
    ...(glass === undefined
      ? {}
      : { glass: { ...glass, reason: lines(glass.reason), ...(glass.comment === undefined ? {} : { comment: lines(glass.comment) }) } }),
  };
}

function safeLine(line: StoryLine): StoryLine {
  const { who, comment } = line;
  return {
    ...line,
    what: shown(line.what),
    ...(who === undefined ? {} : { who: shown(who) }),
    ...(comment === undefined ? {} : { comment: lines(comment) }),
  };
}

/** Where lines are meant as lines. */
function lines(text: string): string {
  return text.split('\n').map(shown).join('\n');
}
