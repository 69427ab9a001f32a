/** Drafts and tickets of approvals as they cross the channel. */
import type { ApprovalDraft, DraftEstimate, Ticket } from '#client/approvals';
import type { Payload } from '#client/journal';
import type { DraftMessage, TicketMessage } from '#schemas/apart';

export function draftMessage(draft: ApprovalDraft): DraftMessage {
  const { sessionId, statementId, payload, params, objects, estimate, sentence, ...same } = draft;
  return {
    ...same,
    settings: { ...draft.settings },
    session_id: sessionId,
    statement_id: statementId,
    payload: payloadMessage(payload),
    params: params === null ? null : payloadMessage(params),
    objects: [...objects],
    ...(sentence === undefined ? {} : { sentence }),
    ...(estimate === undefined ? {} : { estimate: estimateMessage(estimate) }),
  };
}

export function draftOf(message: DraftMessage): ApprovalDraft {
  const { subject, target, database, role, settings, transaction, objects, decision, requirement, facts, sentence, estimate } = message;
  return {
    subject,
    target,
    database,
    role,
    settings,
    transaction,
    objects,
    decision,
    requirement,
    facts,
    sessionId: message.session_id,
    statementId: message.statement_id,
    payload: payloadOf(message.payload),
    params: message.params === null ? null : payloadOf(message.params),
    ...(sentence === undefined ? {} : { sentence }),
    ...(estimate === undefined ? {} : { estimate: estimateOf(estimate) }),
  };
}

export function ticketMessage(ticket: Ticket): TicketMessage {
  const { approvalId, expiresAt, askedFor, rowCeiling, ...same } = ticket;
  return { ...same, approval_id: approvalId, expires_at: expiresAt, asked_for: [...askedFor], row_ceiling: rowCeiling };
}

export function ticketOf(message: TicketMessage): Ticket {
  const { state, digest, url, comment, why, approval } = message;
  return {
    state,
    digest,
    url,
    comment,
    approval,
    approvalId: message.approval_id,
    expiresAt: message.expires_at,
    askedFor: message.asked_for,
    rowCeiling: message.row_ceiling,
    ...(why === undefined ? {} : { why }),
  };
}

function payloadMessage({ bytes, media }: Payload): DraftMessage['payload'] {
  return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'), media };
}

function payloadOf({ bytes, media }: DraftMessage['payload']): Payload {
  return { bytes: Buffer.from(bytes, 'base64'), media };
}

function estimateMessage({ plan, ...estimate }: DraftEstimate): NonNullable<DraftMessage['estimate']> {
  return { ...estimate, ...(plan === undefined ? {} : { plan: payloadMessage(plan) }) };
}

function estimateOf({ plan, state, rows, cost, detail }: NonNullable<DraftMessage['estimate']>): DraftEstimate {
  return {
    state,
    ...(rows === undefined ? {} : { rows }),
    ...(cost === undefined ? {} : { cost }),
    ...(detail === undefined ? {} : { detail }),
    ...(plan === undefined ? {} : { plan: payloadOf(plan) }),
  };
}
