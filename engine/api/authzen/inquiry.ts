/** One question on its way to an answer, whichever kind it is: judged, recorded, and what an approval of it is bound to. */
import type { ApprovalDraft, Receipt } from '#client/approvals';
import type { Judgement } from '#schemas/decision';
import type { ApprovalContext, Subject } from '#schemas/decision-request';
import type { AuthzenHouse } from './house.ts';
import type { Question } from './question.ts';
import type { EnforcementPoint } from './who.ts';

export interface Asked {
  readonly house: AuthzenHouse;
  readonly point: EnforcementPoint;
  readonly question: Question;
  readonly subject: Subject;
  /** Of the enforcement point. */
  readonly address: string;
  readonly tls: boolean;
}

export interface Inquiry {
  readonly evaluationId: string;
  readonly asked: Asked;
  judge(approval: ApprovalContext | null): Promise<Judgement>;
  /** What is asked for, and compared with when it is used: the same for the same question. */
  draft(judgement: Judgement): ApprovalDraft;
  held(approvalId: string, expiresAt: string): void;
  /** It ends here, and nothing may be done: durable when it resolves. */
  refused(judgement: Judgement, code: string, by: 'policy' | 'approval'): Promise<void>;
  /** It may be done: durable when it resolves. */
  cleared(judgement: Judgement, receipt: Receipt | null): Promise<void>;
}

export { POINT_SETTING } from '#client/approvals';
