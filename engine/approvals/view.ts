/** One request as its requester's enforcer (Ticket) and its reviewers (ApprovalView) see it. Nothing is escaped here: who shows it does (M8). */
import type { Ticket } from '#client/approvals';
import type { ApprovalView } from '#schemas/approval';
import type { Approver, Stage } from '#schemas/decision';
import type { Chain } from './chain.ts';
import { timesOf } from './escalation.ts';
import type { ApprovalRecord } from './record.ts';
import type { Entry } from './store.ts';
import type { World } from './world.ts';

export function ticketOf({ record, words }: Entry, publicUrl: string, chain: Chain): Ticket {
  return {
    approvalId: record.approvalId,
    state: record.state,
    expiresAt: record.validUntil ?? record.expiresAt,
    url: `${publicUrl.replace(/\/+$/, '')}/approvals/${record.approvalId}`,
    askedFor: (chain.current?.stage ?? chain.stages[0]?.stage)?.any_of.map(named) ?? [],
    comment: declinedWith(record, words),
    ...(record.state === 'open' || record.state === 'approved' ? {} : { why: whyVoid(record) }),
    approval:
      record.state === 'approved'
        ? {
            valid: true,
            id: record.approvalId,
            approved_by: (record.glass ? [record.glass.by] : chain.approvedBy).map((reviewer) => reviewer.properties.login),
            requirement: record.requirement.digest,
          }
        : null,
    rowCeiling: record.rowCeiling,
    digest: record.binding.payload,
  };
}

/** What the view takes from beside the entry. */
export interface Surroundings {
  /** Judged now. */
  readonly chain: Chain;
  readonly world: World;
  readonly followedBy: string | null;
}

export function viewOf(entry: Entry, { chain, world, followedBy }: Surroundings): ApprovalView {
  const { record, bound } = entry;
  const comment = declinedWith(record, entry.words);
  const denial = record.state === 'denied' ? record.verdicts.findLast((verdict) => verdict.outcome === 'deny') : undefined;
  return {
    approval_id: record.approvalId,
    state: record.state,
    requirement: record.requirement,
    progress: progressOf(record, chain, world),
    subject: record.subject,
    target: record.target,
    payload_text: bound ? utf8.decode(bound.payload) : '',
    ...(bound?.params && paramsOf(bound.params)),
    // in memory it is whole, also where the record has no text
    binding: bound ? { ...record.binding, objects: [...bound.objects] } : record.binding,
    payload_digest: record.binding.payload,
    expires_at: record.expiresAt,
    requested_at: record.requestedAt,
    summary: record.summary,
    reasons: [...record.reasons],
    uses: record.used,
    row_ceiling: record.rowCeiling,
    ...(record.estimate && { estimate: record.estimate }),
    ...(entry.plan !== null && { plan_text: entry.plan }),
    ...(record.sessionId !== null && { session_id: record.sessionId }),
    ...(record.statementId !== null && { statement_id: record.statementId }),
    ...(record.validUntil !== null && { valid_until: record.validUntil }),
    ...(denial && { denied_by: denial.reviewer.properties.login }),
    ...(comment !== null && { comment }),
    ...(record.detail !== null && { detail: record.detail }),
    ...(record.supersedes !== null && { supersedes: record.supersedes }),
    ...(record.follows !== null && { follows: record.follows }),
    ...(followedBy !== null && { followed_by: followedBy }),
    ...settledOf(record),
    ...executionsOf(entry),
    ...glassOf(entry),
  };
}

/** The words of whoever declined it; null: it is not declined, or without a word. */
function declinedWith({ state, verdicts }: ApprovalRecord, words: Entry['words']): string | null {
  if (state !== 'denied' && state !== 'changes_requested') return null;
  const last = verdicts.findLast(({ outcome }) => outcome === (state === 'denied' ? 'deny' : 'changes'));
  return (last?.comment && words.get(last.comment.digest)) ?? null;
}

function progressOf(record: ApprovalRecord, chain: Chain, world: World): ApprovalView['progress'] {
  return chain.stages.map((progress) => {
    const { stage, approvedBy, deniedBy, askedAt } = progress;
    return {
      stage: stage.id,
      approved_by: approvedBy.map((reviewer) => reviewer.properties.login),
      needed: stage.quorum,
      denied_by: deniedBy.map((reviewer) => reviewer.properties.login),
      asks: stage.any_of.map((approver) => resolved(approver, world)),
      state: approvedBy.length >= stage.quorum ? 'complete' : askedAt === null ? 'waiting' : 'asked',
      ...timesOf(record, progress),
    };
  });
}

function settledOf({ settlements }: ApprovalRecord): Pick<ApprovalView, 'settled_at' | 'settled_by'> {
  const last = settlements.at(-1);
  return { ...(last && { settled_at: last.time }), ...(last && last.by !== null && { settled_by: last.by }) };
}

function executionsOf({ executions }: Entry): Pick<ApprovalView, 'executions'> {
  if (executions.size === 0) return {};
  return {
    executions: [...executions].map(([statement_id, { outcome, rows, time }]) => ({
      statement_id,
      outcome,
      ...(rows !== undefined && { rows }),
      time,
    })),
  };
}

function glassOf({ record: { glass }, words }: Entry): Pick<ApprovalView, 'glass'> {
  if (!glass) return {};
  const { review } = glass;
  const comment = review?.comment && words.get(review.comment.digest);
  return {
    glass: {
      by: glass.by.properties.login,
      reason: words.get(glass.reason.digest) ?? '',
      time: glass.time,
      valid_until: glass.validUntil,
      rule: glass.rule,
      review: review?.outcome ?? 'open',
      ...(review && { reviewed_by: review.by.properties.login, reviewed_at: review.time }),
      ...(typeof comment === 'string' && { comment }),
    },
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

/** `on call: shop (bob)`: whom a reference names now. */
function resolved(approver: Approver, world: World): string {
  if (!('ref' in approver)) return named(approver);
  const names = world.resolve(approver.ref);
  if (names === null) return `${named(approver)} (does not answer, so nobody)`;
  return `${named(approver)} (${names.map(named).join(', ') || 'nobody'})`;
}

export function named(approver: Approver): string {
  if ('group' in approver) return `group ${approver.group}`;
  if ('user' in approver) return approver.user;
  return approver.ref.replace(/^oncall:/, 'on call: ').replace(/^(directory|rego):/, '$1: ');
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
