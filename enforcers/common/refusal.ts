import { ERRORS, InterlockError, type ErrorCode } from '#schemas/errors';
import type { Decision, Reason } from '#schemas/decision';

/** Why a statement does not go to the target; each protocol says it in its own words (its Voice). */
export interface Refusal {
  readonly refused: true;
  /** Ours, or a policy's own. */
  readonly code: string;
  readonly sqlstate: string;
  readonly by: 'policy' | 'approval' | 'fault' | 'support' | 'cancel';
  readonly message: string;
  readonly detail: string;
  readonly hint: string | undefined;
}

/** A refusal of ours, by its code in the catalogue. */
export function refusal(code: ErrorCode, message?: string, options?: { hint?: string | undefined; detail?: string; by?: Refusal['by'] }): Refusal {
  return {
    refused: true,
    code,
    sqlstate: ERRORS[code].sqlstate ?? '58000',
    by: options?.by ?? BY_CODE[code] ?? 'fault',
    message: message ?? ERRORS[code].meaning,
    detail: options?.detail ?? `code=${code}`,
    hint: options?.hint ?? ERRORS[code].remedy,
  };
}

/** What a policy's denial says (SURFACE): the first reason that denies, for none of which a masked value is known. */
export function policyRefusal(decision: Decision): Refusal {
  const reason = decision.reasons.find((one) => one.effect === decision.effect) ?? (decision.reasons[0] as Reason);
  const own = reason.policy === 'interlock' && Object.hasOwn(ERRORS, reason.code) ? ERRORS[reason.code as ErrorCode] : null;
  return {
    refused: true,
    code: reason.code,
    sqlstate: own?.sqlstate ?? '42501',
    by: 'policy',
    message: `refused by policy: ${reason.reason}`,
    detail: verdictDetail(decision, reason),
    hint: reason.hint ?? own?.remedy,
  };
}

/** `decision=<id> policy=<pkg> code=<CODE>`, in this spelling (SURFACE). */
export function verdictDetail(decision: Decision, reason: Reason, approvalId?: string): string {
  const detail = `decision=${decision.decision_id} policy=${reason.policy} code=${reason.code}`;
  return approvalId === undefined ? detail : `${detail} approval=${approvalId}`;
}

/** An approval that is not used, or whose use is taken back: what was approved is not what is there. */
export function noLongerFits(approvalId: string, what: string, detail: string): Refusal {
  return refusal('APPROVAL_VOID', `approval ${approvalId} no longer fits: ${what}`, { detail });
}

/** Anything thrown, as a refusal: a known error says what it is, all else is INTERNAL to a client. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof InterlockError) return refusal(error.code, error.message, { hint: error.hint });
  return refusal('INTERNAL');
}

const BY_CODE: Partial<Record<ErrorCode, Refusal['by']>> = {
  UNSUPPORTED: 'support',
  PREPARED_STALE: 'support',
  PIN_REFUSED: 'support',
  PROTOCOL: 'support',
  TRANSACTION_ABORTED: 'support',
  BUDGET_TEXT: 'support',
  BUDGET_PREPARED: 'support',
  BUDGET_SEGMENT: 'support',
  APPROVAL_PENDING: 'approval',
  APPROVAL_READY: 'approval',
  APPROVAL_NOT_NEEDED: 'approval',
  APPROVAL_DENIED: 'approval',
  APPROVAL_VOID: 'approval',
  APPROVAL_CHANGES: 'approval',
  APPROVAL_NOT_YET: 'approval',
  APPROVAL_FROZEN: 'approval',
  APPROVAL_CHAIN: 'approval',
  APPROVAL_IN_TRANSACTION: 'approval',
  CANCELLED: 'cancel',
};
