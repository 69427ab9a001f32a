/** CONTRACT §4: what a reader of the journal sees. What is stored is engine/journal/FORMAT.md's. */
import type { Static } from 'typebox';
import { Digest, Timestamp } from './common.ts';
import { Approver, Binding, Decision, EFFECTS, Reason, Requirement } from './decision.ts';
import { Client, Resource, Subject } from './decision-request.ts';
import { EnforcerInvited, EnforcerJoined, EnforcerRemoved, EnforcerRenewed } from './event-enrolment.ts';
import { AgentAdded, AgentCooled, AgentIssuer, AgentRemoved, AgentRenewed, AgentRotated } from './event-agent.ts';
import { Ordered } from './event-ordered.ts';

/** A reference to bytes that stand beside the record: `digest` is sha256(salt ‖ bytes). */
export const PayloadRef = {
  type: 'object',
  additionalProperties: false,
  required: ['digest', 'bytes', 'form'],
  properties: { digest: Digest, bytes: { type: 'integer', minimum: 0 }, form: { enum: ['clear', 'redacted', 'sealed', 'absent'] } },
} as const;
export type PayloadRef = Static<typeof PayloadRef>;

/** The record's own fields: `seq` has no gaps in a journal, `session_seq` none in a session, `index` counts the events of one record. */
export const EventBase = {
  type: 'object',
  required: ['contract', 'type', 'time', 'tick_us', 'journal', 'seq', 'index', 'prev'],
  properties: {
    contract: { const: 1 },
    type: { type: 'string' },
    time: Timestamp,
    tick_us: { type: 'string' },
    journal: { type: 'string' },
    seq: { type: 'integer', minimum: 0 },
    index: { type: 'integer', minimum: 0 },
    prev: Digest,
    session_id: { type: 'string' },
    session_seq: { type: 'integer', minimum: 0 },
    statement_id: { type: 'string' },
    target: { type: 'string' },
    subject: { type: 'string' },
    trace_id: { type: 'string' },
  },
} as const;
export type EventBase = Static<typeof EventBase>;

const text = { type: 'string' } as const;
const count = { type: 'integer', minimum: 0 } as const;

/** What an approval is bound to (DESIGN §1): equal at use, or the approval does not count. Digests are salted with the payload's salt. */
export const ApprovalBinding = {
  type: 'object',
  additionalProperties: false,
  required: ['principal', 'on_behalf_of', 'target', 'database', 'role', 'payload', 'params', 'settings', 'transaction', 'objects', 'requirement'],
  properties: {
    principal: text,
    on_behalf_of: { anyOf: [text, { type: 'null' }] },
    target: text,
    database: text,
    role: text,
    payload: Digest,
    params: { anyOf: [Digest, { type: 'null' }] },
    settings: { type: 'object', additionalProperties: text },
    transaction: text,
    /** resolved objects where a catalog is at hand */ objects: { type: 'array', items: text },
    requirement: Digest,
    session: text,
    /** Of a grant for a shape: stands in the place of the exact payload and parameters. */ shape: text,
  },
} as const;
export type ApprovalBinding = Static<typeof ApprovalBinding>;

export const JournalOpened = {
  type: 'object',
  required: ['type', 'version', 'boot', 'recovered'],
  properties: {
    type: { const: 'journal.opened' },
    version: text,
    boot: text,
    recovered: {
      type: 'object',
      additionalProperties: false,
      required: ['records', 'cut_bytes', 'unknown'],
      properties: { records: count, cut_bytes: count, unknown: count },
    },
    /** Which process: `up`, `engine` or `enforcer`. */ role: text,
  },
} as const;
export type JournalOpened = Static<typeof JournalOpened>;

export const JournalClosed = {
  type: 'object',
  required: ['type', 'reason'],
  properties: { type: { const: 'journal.closed' }, reason: text },
} as const;
export type JournalClosed = Static<typeof JournalClosed>;

export const PolicyActivated = {
  type: 'object',
  required: ['type', 'revision', 'previous', 'source'],
  properties: { type: { const: 'policy.activated' }, revision: Digest, previous: { anyOf: [Digest, { type: 'null' }] }, source: text },
} as const;
export type PolicyActivated = Static<typeof PolicyActivated>;

export const PolicyRejected = {
  type: 'object',
  required: ['type', 'source', 'code', 'at'],
  properties: { type: { const: 'policy.rejected' }, source: text, code: text, at: text },
} as const;
export type PolicyRejected = Static<typeof PolicyRejected>;

export const SessionOpened = {
  type: 'object',
  required: ['type', 'subject_detail', 'resource', 'client', 'protocol', 'decision_id', 'revision', 'lease'],
  properties: {
    type: { const: 'session.opened' },
    subject_detail: Subject,
    resource: Resource,
    client: Client,
    protocol: text,
    decision_id: text,
    revision: Digest,
    lease: text,
  },
} as const;
export type SessionOpened = Static<typeof SessionOpened>;

export const SessionRefused = {
  type: 'object',
  required: ['type', 'code'],
  properties: { type: { const: 'session.refused' }, code: text, client: Client },
} as const;
export type SessionRefused = Static<typeof SessionRefused>;

export const SessionClosed = {
  type: 'object',
  required: ['type', 'reason', 'statements', 'bytes_in', 'bytes_out'],
  properties: {
    type: { const: 'session.closed' },
    reason: { enum: ['client', 'target', 'policy', 'terminated', 'drain', 'fault'] },
    statements: count,
    bytes_in: count,
    bytes_out: count,
  },
} as const;
export type SessionClosed = Static<typeof SessionClosed>;

export const StatementReceived = {
  type: 'object',
  required: ['type', 'action', 'payload', 'mode'],
  properties: { type: { const: 'statement.received' }, action: text, payload: PayloadRef, mode: text, params: PayloadRef, shape: Digest },
} as const;
export type StatementReceived = Static<typeof StatementReceived>;

export const StatementDecided = {
  type: 'object',
  required: ['type', 'decision', 'facts', 'cached', 'judged_us'],
  properties: {
    type: { const: 'statement.decided' },
    decision: Decision,
    facts: PayloadRef,
    cached: { type: 'boolean' },
    judged_us: { type: 'number', minimum: 0 },
  },
} as const;
export type StatementDecided = Static<typeof StatementDecided>;

export const StatementHeld = {
  type: 'object',
  required: ['type', 'approval_id', 'expires_at'],
  properties: { type: { const: 'statement.held' }, approval_id: text, expires_at: Timestamp },
} as const;
export type StatementHeld = Static<typeof StatementHeld>;

export const StatementRefused = {
  type: 'object',
  required: ['type', 'code', 'by'],
  properties: {
    type: { const: 'statement.refused' },
    code: text,
    by: { enum: ['policy', 'approval', 'fault', 'support', 'cancel'] },
    sqlstate: text,
  },
} as const;
export type StatementRefused = Static<typeof StatementRefused>;

export const StatementCleared = {
  type: 'object',
  required: ['type', 'payload', 'binding', 'obligations'],
  properties: {
    type: { const: 'statement.cleared' },
    payload: PayloadRef,
    binding: Binding,
    obligations: { type: 'array', items: text },
    params: PayloadRef,
    approval: { type: 'object', additionalProperties: false, required: ['approval_id', 'receipt'], properties: { approval_id: text, receipt: text } },
  },
} as const;
export type StatementCleared = Static<typeof StatementCleared>;

export const StatementFinished = {
  type: 'object',
  required: ['type', 'outcome', 'bytes', 'response_digest', 'masked', 'duration_us'],
  properties: {
    type: { const: 'statement.finished' },
    outcome: { enum: ['ok', 'error', 'aborted', 'cancelled', 'unknown'] },
    bytes: count,
    response_digest: { anyOf: [Digest, { type: 'null' }] },
    masked: { type: 'object', additionalProperties: count },
    duration_us: count,
    rows: count,
    tag: text,
    sqlstate: text,
  },
} as const;
export type StatementFinished = Static<typeof StatementFinished>;

/** EXPLAIN through the gateway's own connection; `state` says why there is no number. The plan is a payload: it shows constants (M17). */
export const Estimate = {
  type: 'object',
  additionalProperties: false,
  required: ['state'],
  properties: {
    state: { enum: ['ok', 'timeout', 'refused', 'error', 'none'] },
    rows: { type: 'number', minimum: 0 },
    cost: { type: 'number', minimum: 0 },
    plan: PayloadRef,
    detail: text,
  },
} as const;
export type Estimate = Static<typeof Estimate>;

export const ApprovalRequested = {
  type: 'object',
  required: ['type', 'approval_id', 'requirement', 'binding', 'payload', 'summary', 'expires_at'],
  properties: {
    type: { const: 'approval.requested' },
    ordered: Ordered,
    approval_id: text,
    requirement: Requirement,
    binding: ApprovalBinding,
    payload: PayloadRef,
    summary: text,
    expires_at: Timestamp,
    params: PayloadRef,
    supersedes: text,
    /** Who asks, whole: eligibility is judged against it, and it must be the same after a restart. */
    subject_detail: Subject,
    /** Why policy asked, for the reviewer. */
    reasons: { type: 'array', items: Reason },
    /** The revision that asked; named when another one supersedes the request. */
    revision: Digest,
    /** What the target's planner thinks of it. */
    estimate: Estimate,
    /** The most rows that it may touch, as the reviewer saw it; null: no ceiling could be had. */
    row_ceiling: { anyOf: [count, { type: 'null' }] },
    /** The request that this one answers, after `changes`. */
    follows: text,
  },
} as const;
export type ApprovalRequested = Static<typeof ApprovalRequested>;

export const ApprovalVerdict = {
  type: 'object',
  required: ['type', 'approval_id', 'stage', 'outcome', 'reviewer'],
  properties: {
    type: { const: 'approval.verdict' },
    ordered: Ordered,
    approval_id: text,
    stage: text,
    /** `changes`: closes the request, and asks for another statement. */
    outcome: { enum: ['approve', 'deny', 'changes'] },
    reviewer: Subject,
    acr: text,
    auth_time: text,
    comment: PayloadRef,
    /** The delegation by which the reviewer was asked, where it was one. */
    delegation: text,
  },
} as const;
export type ApprovalVerdict = Static<typeof ApprovalVerdict>;

export const ApprovalSettled = {
  type: 'object',
  required: ['type', 'approval_id', 'outcome'],
  properties: {
    type: { const: 'approval.settled' },
    ordered: Ordered,
    approval_id: text,
    outcome: { enum: ['approved', 'denied', 'expired', 'cancelled', 'superseded', 'withdrawn', 'changes_requested'] },
    valid_until: Timestamp,
    detail: text,
    /** Whose doing it was, where it was somebody's: the login. */
    by: text,
  },
} as const;
export type ApprovalSettled = Static<typeof ApprovalSettled>;

export const ApprovalEscalated = {
  type: 'object',
  required: ['type', 'approval_id', 'stage', 'added'],
  properties: { type: { const: 'approval.escalated' }, ordered: Ordered, approval_id: text, stage: text, added: { type: 'array', items: Approver } },
} as const;
export type ApprovalEscalated = Static<typeof ApprovalEscalated>;

export const ApprovalConsumed = {
  type: 'object',
  required: ['type', 'approval_id', 'enforcer', 'nonce', 'receipt'],
  properties: { type: { const: 'approval.consumed' }, ordered: Ordered, approval_id: text, enforcer: text, nonce: text, receipt: text },
} as const;
export type ApprovalConsumed = Static<typeof ApprovalConsumed>;

/** The requester took the approval themselves, by the break-glass rules in force; a review stays open until somebody else closes it. */
export const ApprovalGlassBroken = {
  type: 'object',
  required: ['type', 'approval_id', 'by', 'reason', 'valid_until', 'rule', 'reviewers'],
  properties: {
    type: { const: 'approval.glass_broken' },
    ordered: Ordered,
    approval_id: text,
    by: Subject,
    reason: PayloadRef,
    valid_until: Timestamp,
    /** The rule of `data.break_glass` that let them. */ rule: text,
    /** Who may close the review. */ reviewers: { type: 'array', items: Approver },
  },
} as const;
export type ApprovalGlassBroken = Static<typeof ApprovalGlassBroken>;

export const ApprovalGlassReviewed = {
  type: 'object',
  required: ['type', 'approval_id', 'by', 'outcome'],
  properties: {
    type: { const: 'approval.glass_reviewed' },
    ordered: Ordered,
    approval_id: text,
    by: Subject,
    outcome: { enum: ['justified', 'unjustified'] },
    comment: PayloadRef,
  },
} as const;
export type ApprovalGlassReviewed = Static<typeof ApprovalGlassReviewed>;

/** `from` lets `to` decide in their place between two times; it applies to requests already open. */
export const DelegationOpened = {
  type: 'object',
  required: ['type', 'delegation_id', 'from', 'to', 'starts', 'ends', 'reason'],
  properties: {
    type: { const: 'delegation.opened' },
    ordered: Ordered,
    delegation_id: text,
    from: Subject,
    /** login or subject id */ to: text,
    starts: Timestamp,
    ends: Timestamp,
    reason: text,
  },
} as const;
export type DelegationOpened = Static<typeof DelegationOpened>;

export const DelegationEnded = {
  type: 'object',
  required: ['type', 'delegation_id', 'by'],
  properties: { type: { const: 'delegation.ended' }, ordered: Ordered, delegation_id: text, by: text },
} as const;
export type DelegationEnded = Static<typeof DelegationEnded>;

/** What became of one message to one channel: `dead` after the last try, visible and re-sendable. */
export const NotificationSent = {
  type: 'object',
  required: ['type', 'notification_id', 'channel', 'about', 'outcome', 'tries'],
  properties: {
    type: { const: 'notification.sent' },
    notification_id: text,
    channel: text,
    /** what it told: `requested`, `escalated`, `settled`, `glass_broken` … */ about: text,
    approval_id: text,
    outcome: { enum: ['delivered', 'dead'] },
    tries: count,
    detail: text,
    /** The stage whose reviewers it asked. */
    stage: text,
    delegation_id: text,
    /** The gathered message in which it was told. */
    within: text,
  },
} as const;
export type NotificationSent = Static<typeof NotificationSent>;

export const ApprovalViewed = {
  type: 'object',
  required: ['type', 'by', 'approval_id'],
  properties: { type: { const: 'approval.viewed' }, by: text, approval_id: text },
} as const;
export type ApprovalViewed = Static<typeof ApprovalViewed>;

export const RecordingViewed = {
  type: 'object',
  required: ['type', 'by'],
  properties: { type: { const: 'recording.viewed' }, by: text },
} as const;
export type RecordingViewed = Static<typeof RecordingViewed>;

/** A question of an outside enforcement point that carries no statement, and its answer. Durable before it is answered. */
export const AccessEvaluated = {
  type: 'object',
  required: ['type', 'evaluation_id', 'enforcer', 'subject_detail', 'action', 'resource', 'question', 'decision', 'effect', 'reasons', 'revision'],
  properties: {
    type: { const: 'access.evaluated' },
    evaluation_id: text,
    /** Whose token asked. */ enforcer: text,
    subject_detail: Subject,
    action: text,
    /** `type/id` */ resource: text,
    /** Subject, action, resource and context, as they were asked. */ question: PayloadRef,
    decision: { type: 'boolean' },
    effect: { enum: EFFECTS },
    reasons: { type: 'array', items: Reason },
    revision: Digest,
    approval: { type: 'object', additionalProperties: false, required: ['approval_id', 'receipt'], properties: { approval_id: text, receipt: text } },
  },
} as const;
export type AccessEvaluated = Static<typeof AccessEvaluated>;

export const CheckpointSigned = {
  type: 'object',
  required: ['type', 'origin', 'size', 'root', 'key_id', 'signature'],
  properties: { type: { const: 'checkpoint.signed' }, origin: text, size: count, root: text, key_id: text, signature: text },
} as const;
export type CheckpointSigned = Static<typeof CheckpointSigned>;

/** The archive is not as it must be: `open` when it is seen first, again with `open: false` when it is mended. */
export const ArchiveAlarm = {
  type: 'object',
  required: ['type', 'code', 'open', 'detail'],
  properties: {
    type: { const: 'archive.alarm' },
    /**
     * drift: a stream's configuration is not the one that was set up; lost: the archive lost records that it had acknowledged; conflict, gap, foreign,
     * checkpoint: what it holds of a journal is not that journal; forged: what stands among the approvals of several engines, or was said to them, is of no engine.
     */
    code: { enum: ['drift', 'lost', 'conflict', 'gap', 'foreign', 'checkpoint', 'forged'] },
    open: { type: 'boolean' },
    detail: text,
    /** The stream, or the journal, that it is about. */
    of: text,
  },
} as const;
export type ArchiveAlarm = Static<typeof ArchiveAlarm>;

export const AdminChanged = {
  type: 'object',
  required: ['type', 'by', 'what'],
  properties: { type: { const: 'admin.changed' }, by: text, what: text, before: text, after: text },
} as const;
export type AdminChanged = Static<typeof AdminChanged>;

/** Every event body by its `type`. A stored event is `EventBase & body`. */
export const EVENTS = {
  'journal.opened': JournalOpened,
  'journal.closed': JournalClosed,
  'policy.activated': PolicyActivated,
  'policy.rejected': PolicyRejected,
  'session.opened': SessionOpened,
  'session.refused': SessionRefused,
  'session.closed': SessionClosed,
  'statement.received': StatementReceived,
  'statement.decided': StatementDecided,
  'statement.held': StatementHeld,
  'statement.refused': StatementRefused,
  'statement.cleared': StatementCleared,
  'statement.finished': StatementFinished,
  'approval.requested': ApprovalRequested,
  'approval.verdict': ApprovalVerdict,
  'approval.settled': ApprovalSettled,
  'approval.escalated': ApprovalEscalated,
  'approval.consumed': ApprovalConsumed,
  'approval.glass_broken': ApprovalGlassBroken,
  'approval.glass_reviewed': ApprovalGlassReviewed,
  'approval.viewed': ApprovalViewed,
  'delegation.opened': DelegationOpened,
  'delegation.ended': DelegationEnded,
  'notification.sent': NotificationSent,
  'recording.viewed': RecordingViewed,
  'access.evaluated': AccessEvaluated,
  'enforcer.invited': EnforcerInvited,
  'enforcer.joined': EnforcerJoined,
  'enforcer.renewed': EnforcerRenewed,
  'enforcer.removed': EnforcerRemoved,
  'agent.added': AgentAdded,
  'agent.rotated': AgentRotated,
  'agent.renewed': AgentRenewed,
  'agent.removed': AgentRemoved,
  'agent.issuer': AgentIssuer,
  'agent.cooled': AgentCooled,
  'checkpoint.signed': CheckpointSigned,
  'archive.alarm': ArchiveAlarm,
  'admin.changed': AdminChanged,
} as const;
export type EventType = keyof typeof EVENTS;
export type EventBody = {
  [T in EventType]: Static<(typeof EVENTS)[T]>;
}[EventType];
export type Event = EventBase & EventBody;
