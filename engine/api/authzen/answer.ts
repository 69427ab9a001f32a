/** A decision in AuthZEN's words, with the Obligations and the Access Request and Approval profile in its context. */
import type { Judgement, Obligation, Reason } from '#schemas/decision';
import type { Inquiry } from './inquiry.ts';

export interface Answer {
  readonly decision: boolean;
  readonly context: AnswerContext;
}

export interface AnswerContext {
  readonly evaluation_id: string;
  readonly evaluated_at: string;
  /** The most important one, for programs. */
  readonly reason: string;
  readonly reasons: readonly Reason[];
  readonly revision: string;
  readonly obligations?: readonly Obligation[];
  readonly access_request?: AccessRequestHint;
  readonly approval?: ApprovalUsed;
  /** Of a re-evaluation that was denied. */
  readonly next_action?: 'request' | 'retry' | 'none';
  readonly retry_after?: number;
}

export interface AccessRequestHint {
  readonly endpoint: string;
  readonly template: string;
  readonly expires_at: string;
  readonly display: { readonly title: string; readonly description: string };
}

export interface ApprovalUsed {
  readonly id: string;
  readonly approved_until: string;
  /** Proof of this use, in the record. */
  readonly receipt: string;
}

export function permitted(inquiry: Inquiry, judgement: Judgement, at: string, approval: ApprovalUsed | null): Answer {
  const reason = judgement.reasons[0]?.code ?? '';
  return {
    decision: true,
    context: { ...contextOf(inquiry, judgement, at, reason), ...obligationsOf(judgement), ...(approval === null ? {} : { approval }) },
  };
}

export interface Why {
  readonly reason: string;
  /** It may be asked for: the hint says how. */
  readonly requestable?: boolean;
  readonly next?: 'request' | 'retry' | 'none';
  readonly retryAfterS?: number;
}

/** What a denial asks to be masked or limited is nobody's duty: nothing is done. */
export function refusedAnswer(inquiry: Inquiry, judgement: Judgement, at: string, { reason, requestable = false, next, retryAfterS }: Why): Answer {
  return {
    decision: false,
    context: {
      ...contextOf(inquiry, judgement, at, reason),
      ...(requestable ? { access_request: hintOf(inquiry, judgement) } : {}),
      ...(next === undefined ? {} : { next_action: next }),
      ...(retryAfterS === undefined ? {} : { retry_after: retryAfterS }),
    },
  };
}

function contextOf({ evaluationId }: Inquiry, { reasons, revision }: Judgement, at: string, reason: string): AnswerContext {
  return { evaluation_id: evaluationId, evaluated_at: at, reason, reasons, revision };
}

function obligationsOf({ obligations }: Judgement): { readonly obligations?: readonly Obligation[] } {
  return obligations.length === 0 ? {} : { obligations };
}

/** What may be requested is remembered, so that a submission can be held against it. */
function hintOf(inquiry: Inquiry, judgement: Judgement): AccessRequestHint {
  const { house, point, question } = inquiry.asked;
  const { expiresAt } = house.denials.add(inquiry.evaluationId, point.id, question);
  const [first] = judgement.reasons;
  return {
    endpoint: `${house.publicUrl}/access/v1/requests`,
    template: judgement.approval?.chains?.[0] ?? first?.code ?? 'approval',
    expires_at: expiresAt,
    display: { title: 'Needs approval', description: first?.reason ?? '' },
  };
}
