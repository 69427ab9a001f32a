/** One request as its requester's enforcer (Ticket) and its reviewers (ApprovalView) see it. Nothing is escaped here: who shows it does (M8). */
import type { Ticket } from '#client/approvals';
import type { ApprovalView } from '#schemas/approval';
import type { Approver, Stage } from '#schemas/decision';
import { chainOf } from './chain.ts';
import type { ApprovalRecord } from './record.ts';
import type { Entry } from './store.ts';

export function ticketOf(entry: Entry, publicUrl: string): Ticket {
  const { record } = entry;
  const chain = chainOf(record);
  return {
    approvalId: record.approvalId,
    state: record.state,
    expiresAt: record.validUntil ?? record.expiresAt,
    digest: record.binding.payload,
    url: `${publicUrl.replace(/\/+$/, '')}/approvals/${record.approvalId}`,
    askedFor: (chain.current?.stage ?? chain.stages[0]?.stage)?.any_of.map(named) ?? [],
    comment: record.state === 'denied' ? entry.comment : null,
    approval:
      record.state === 'approved'
        ? {
            valid: true,
            id: record.approvalId,
            approved_by: chain.approvedBy.map((reviewer) => reviewer.properties.login),
            requirement: record.requirement.digest,
          }
        : null,
    rowCeiling: record.rowCeiling,
  };
}

export function viewOf(entry: Entry): ApprovalView {
  const { record, bound } = entry;
  const denial = record.state === 'denied' ? record.verdicts.find((verdict) => verdict.outcome === 'deny') : undefined;
  return {
    approval_id: record.approvalId,
    state: record.state,
    requirement: record.requirement,
    progress: chainOf(record).stages.map(({ stage, approvedBy }) => ({
      stage: stage.id,
      approved_by: approvedBy.map((reviewer) => reviewer.properties.login),
      needed: stage.quorum,
    })),
    subject: record.subject,
    target: record.target,
    payload_text: bound ? utf8.decode(bound.payload) : '',
    ...(bound?.params && paramsOf(bound.params)),
    binding: record.binding,
    payload_digest: record.binding.payload,
    expires_at: record.expiresAt,
    requested_at: record.requestedAt,
    summary: record.summary,
    reasons: [...record.reasons],
    uses: record.used,
    ...(record.validUntil !== null && { valid_until: record.validUntil }),
    ...(denial && { denied_by: denial.reviewer.properties.login }),
    ...(denial && entry.comment !== null && { comment: entry.comment }),
    ...(record.detail !== null && { detail: record.detail }),
    ...(record.supersedes !== null && { supersedes: record.supersedes }),
  };
}

export function namesOf(stage: Stage): string {
  return stage.any_of.map(named).join(', ');
}

/** Why a request can give nothing (any more). */
export function whyVoid(record: ApprovalRecord): string {
  switch (record.state) {
    case 'open':
      return 'it is not approved yet';
    case 'approved':
      return 'it is approved';
    case 'consumed':
      return `it is used up (${record.used} of ${record.requirement.grant.uses ?? 'any number of'} uses)`;
    case 'superseded':
      return `it is superseded${record.detail === null ? '' : `: ${record.detail}`}`;
    case 'expired':
    case 'cancelled':
    case 'withdrawn':
    case 'denied':
      return `it is ${record.state}`;
    case 'changes_requested':
      return 'changes were asked for';
  }
}

function named(approver: Approver): string {
  if ('group' in approver) return `group ${approver.group}`;
  return 'user' in approver ? approver.user : approver.ref;
}

/** The enforcer writes parameters as a JSON list of `Param` (or of texts and nulls). Anything else is shown as what it is: bytes. */
function paramsOf(bytes: Uint8Array): Pick<ApprovalView, 'params' | 'param_types'> {
  const list = parsed(utf8.decode(bytes));
  if (!Array.isArray(list)) return { params: [`\\x${Buffer.from(bytes).toString('hex')}`] };
  return { params: list.map(paramText), param_types: list.map(paramType) };
}

/** A byte order mark is a part of what was sent. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

function paramType(param: unknown): string {
  return typeof param === 'object' && param !== null && 'type' in param && typeof param.type === 'string' ? param.type : 'unknown';
}

function paramText(param: unknown): string | null {
  if (param === null || typeof param === 'string') return param;
  if (typeof param !== 'object' || !('value' in param)) return JSON.stringify(param);
  if (param.value === null || typeof param.value !== 'string') return null;
  const binary = 'encoding' in param && param.encoding === 'base64';
  return binary ? `\\x${Buffer.from(param.value, 'base64').toString('hex')}` : param.value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
