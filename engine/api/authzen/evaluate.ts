/** One evaluation: judged, recorded, answered. What is approved is used here, once, before the answer says so. */
import type { Judgement } from '#schemas/decision';
import { accessInquiry } from './access-inquiry.ts';
import { type Answer, permitted, refusedAnswer } from './answer.ts';
import { type AuthzenHouse, now } from './house.ts';
import type { Asked, Inquiry } from './inquiry.ts';
import type { Question } from './question.ts';
import { reevaluate } from './reevaluation.ts';
import { statementInquiry } from './statement-inquiry.ts';
import { checkFor, type EnforcementPoint, subjectOf } from './who.ts';

export interface Caller {
  readonly point: EnforcementPoint;
  readonly address: string;
  readonly tls: boolean;
}

/** @throws InterlockError AUTH_SCOPE, USAGE, JOURNAL_UNAVAILABLE, APPROVAL_UNAVAILABLE */
export async function evaluate(house: AuthzenHouse, caller: Caller, question: Question): Promise<Answer> {
  const inquiry = inquiryOf(askedOf(house, caller, question));
  const judgement = await inquiry.judge(null);
  switch (judgement.effect) {
    case 'allow':
    case 'mask':
      await inquiry.cleared(judgement, null);
      return permitted(inquiry, judgement, now(house), null);
    case 'deny':
      await inquiry.refused(judgement, codeOf(judgement), 'policy');
      return question.approval === null
        ? refusedAnswer(inquiry, judgement, now(house), { reason: codeOf(judgement) })
        : refusedAnswer(inquiry, judgement, now(house), { reason: 'policy_denied', next: 'none' });
    case 'require_approval':
      return question.approval === null ? await requestable(inquiry, judgement) : await reevaluate(inquiry, judgement, question.approval);
  }
}

/** @throws InterlockError AUTH_SCOPE, USAGE */
export function askedOf(house: AuthzenHouse, { point, address, tls }: Caller, question: Question): Asked {
  checkFor(point, question.subject);
  return { house, point, question, subject: subjectOf(point, question.subject), address, tls };
}

export function inquiryOf(asked: Asked): Inquiry {
  const { statement } = asked.question;
  return statement === null ? accessInquiry(asked) : statementInquiry(asked, statement, asked.house.parts.judge.revision);
}

async function requestable(inquiry: Inquiry, judgement: Judgement): Promise<Answer> {
  const { house } = inquiry.asked;
  await inquiry.refused(judgement, 'APPROVAL_PENDING', 'approval');
  return refusedAnswer(inquiry, judgement, now(house), { reason: 'approval_required', requestable: true });
}

export function codeOf({ reasons }: Judgement): string {
  return reasons[0]?.code ?? 'DEFAULT_DENY';
}
