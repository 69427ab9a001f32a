/**
 * What engine and enforcers say to each other over the private channel (engine/apart), by method: JSON, bytes as base64. Both ends hold what they
 * are told against these forms; a key that is not known yet is passed over, so that neighbours of two versions work together.
 */
import type { Static } from 'typebox';
import { APPROVAL_STATES } from './approval.ts';
import { Digest, Timestamp } from './common.ts';
import { Decision, Requirement } from './decision.ts';
import { ApprovalContext, Client, Subject } from './decision-request.ts';
import { EnforcerSelf } from './enforcer-report.ts';
import { Facts } from './facts.ts';

const id = { type: 'string', minLength: 1, maxLength: 64 } as const;
const text = { type: 'string', maxLength: 4096 } as const;
const name = { type: 'string', minLength: 1, maxLength: 64 } as const;
const count = { type: 'integer', minimum: 0 } as const;
const nullable = <const S extends object>(schema: S): { readonly anyOf: readonly [S, { readonly type: 'null' }] } => ({
  anyOf: [schema, { type: 'null' }],
});
const object = <const P extends object, const R extends readonly (keyof P & string)[]>(
  properties: P,
  required: R,
): { readonly type: 'object'; readonly properties: P; readonly required: R } => ({ type: 'object', properties, required });
const NOTHING = object({}, []);

/** 16 MiB in base64: more than any statement may have. */
const Bytes = { type: 'string', maxLength: 22_369_624, pattern: '^[A-Za-z0-9+/]*={0,2}$' } as const;
const Payload = object({ bytes: Bytes, media: { enum: ['text', 'params', 'facts', 'comment', 'rows'] } }, ['bytes', 'media']);

const DraftEstimate = object(
  {
    state: { enum: ['ok', 'timeout', 'refused', 'error', 'none'] },
    rows: { type: 'number', minimum: 0 },
    cost: { type: 'number', minimum: 0 },
    plan: Payload,
    detail: text,
  },
  ['state'],
);

export const DraftMessage = object(
  {
    subject: Subject,
    session_id: { type: 'string', maxLength: 64 },
    statement_id: id,
    target: name,
    database: text,
    role: text,
    payload: Payload,
    params: nullable(Payload),
    settings: { type: 'object', additionalProperties: { type: 'string' } },
    transaction: text,
    objects: { type: 'array', items: { type: 'string' } },
    decision: Decision,
    requirement: Requirement,
    facts: Facts,
    sentence: text,
    estimate: DraftEstimate,
  },
  [
    'subject',
    'session_id',
    'statement_id',
    'target',
    'database',
    'role',
    'payload',
    'params',
    'settings',
    'transaction',
    'objects',
    'decision',
    'requirement',
    'facts',
  ],
);
export type DraftMessage = Static<typeof DraftMessage>;

export const TicketMessage = object(
  {
    approval_id: id,
    state: { enum: APPROVAL_STATES },
    expires_at: Timestamp,
    digest: Digest,
    url: text,
    asked_for: { type: 'array', items: { type: 'string' } },
    comment: nullable({ type: 'string' }),
    why: { type: 'string' },
    approval: nullable(ApprovalContext),
    row_ceiling: nullable(count),
  },
  ['approval_id', 'state', 'expires_at', 'digest', 'url', 'asked_for', 'comment', 'approval', 'row_ceiling'],
);
export type TicketMessage = Static<typeof TicketMessage>;

const Principal = object(
  {
    subject: Subject,
    scopes: { type: 'array', items: { type: 'string' } },
    expires_at_ms: { type: 'number' },
    issued_at_ms: { type: 'number' },
  },
  ['subject', 'scopes', 'expires_at_ms', 'issued_at_ms'],
);

/** `LeaseScheme` of engine/client/credentials. */
const LeaseScheme = {
  anyOf: [
    object({ kind: { enum: ['none', 'bearer', 'basic'] } }, ['kind']),
    object({ kind: { enum: ['header', 'env'] }, name: text }, ['kind', 'name']),
    object({ kind: { const: 'oauth_client' }, tokenUrl: text, scope: text, audience: text }, ['kind', 'tokenUrl']),
    object({ kind: { const: 'sigv4' }, region: text, service: text }, ['kind', 'region', 'service']),
  ],
} as const;

/** How the statement of one use ended. */
export const UseEnd = object(
  {
    approval_id: id,
    statement_id: id,
    outcome: { enum: ['ok', 'error', 'aborted', 'cancelled', 'unknown'] },
    rows: count,
  },
  ['approval_id', 'statement_id', 'outcome'],
);
export type UseEnd = Static<typeof UseEnd>;

/** What the engine decides about a target, and its enforcer must know. */
export const TargetDescription = object(
  {
    env: text,
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    approvals: object({ wait_ms: count, in_transaction: { enum: ['idle', 'fresh', 'any'] } }, ['wait_ms', 'in_transaction']),
    /** `agents.cool_down`; absent: none. */
    cool_down: object({ denials: count, within_ms: count, for_ms: count }, ['denials', 'within_ms', 'for_ms']),
  },
  ['env', 'labels', 'approvals'],
);
export type TargetDescription = Static<typeof TargetDescription>;

const SessionMessage = object(
  {
    session_id: id,
    subject: Subject,
    target: name,
    client: Client,
    opened_at: Timestamp,
    statements: count,
    state: { enum: ['idle', 'active', 'held'] },
    approval_id: nullable(id),
  },
  ['session_id', 'subject', 'target', 'client', 'opened_at', 'statements', 'state', 'approval_id'],
);
export type SessionMessage = Static<typeof SessionMessage>;

const HeldLeases = { type: 'array', maxItems: 1_000, items: object({ id, handle: text }, ['id']) } as const;

const tally = { type: 'integer', minimum: 0 } as const;

/** What one agent did lately, in the windows of `context.usage`. */
export const AgentCounts = object({ id: { type: 'string', maxLength: 2_048 }, statements: tally, rows: tally, denials: tally }, [
  'id',
  'statements',
  'rows',
  'denials',
]);
export type AgentCounts = Static<typeof AgentCounts>;
const Counted = object({ agents: { type: 'array', maxItems: 1_000, items: AgentCounts } }, ['agents']);

/** Asked by enforcers, answered by the engine. */
export const ENGINE_CALLS = {
  'identity.authenticate': {
    /** `resource`: what clients call the endpoint of this target, where a token may be for it alone (RFC 8707). */
    question: object({ target: name, token: { type: 'string', maxLength: 65_536 }, resource: { type: 'string', maxLength: 2_048 } }, [
      'target',
      'token',
    ]),
    answer: Principal,
  },
  'credentials.lease': {
    question: object({ target: name }, ['target']),
    answer: object({ id, user: text, password: text, role: text, scheme: LeaseScheme, handle: text }, ['id', 'user', 'password']),
  },
  /** Still used; `gone`: those of which it need not speak again. */
  'credentials.keep': {
    question: object({ target: name, leases: HeldLeases }, ['target', 'leases']),
    answer: object({ gone: { type: 'array', items: id } }, ['gone']),
  },
  'credentials.release': { question: object({ target: name, leases: HeldLeases }, ['target', 'leases']), answer: NOTHING },
  'targets.describe': {
    question: object({ targets: { type: 'array', maxItems: 256, items: name } }, ['targets']),
    answer: object({ public_url: text, targets: { type: 'object', additionalProperties: TargetDescription } }, ['public_url', 'targets']),
  },
  'approvals.request': { question: object({ draft: DraftMessage }, ['draft']), answer: TicketMessage },
  'approvals.consume': {
    question: object({ approval_id: id, statement_id: id, enforcer: text, nonce: id, draft: DraftMessage }, [
      'approval_id',
      'statement_id',
      'enforcer',
      'nonce',
      'draft',
    ]),
    answer: object({ approval_id: id, receipt: text }, ['approval_id', 'receipt']),
  },
  'approvals.cancel': { question: object({ approval_id: id, by: text }, ['approval_id', 'by']), answer: NOTHING },
  'approvals.supersede': { question: object({ approval_id: id, detail: text }, ['approval_id', 'detail']), answer: NOTHING },
  'approvals.ended': { question: object({ ends: { type: 'array', maxItems: 256, items: UseEnd } }, ['ends']), answer: NOTHING },
  /** Agents as this enforcer counted them; as all others of the engine did, the same agents. */
  'usage.share': { question: Counted, answer: Counted },
  'enforcer.report': { question: object({ targets: { type: 'array', maxItems: 256, items: EnforcerSelf } }, ['targets']), answer: NOTHING },
} as const;

/** Asked by engines, answered by the enforcer. */
/** What a client sent, or was answered: bounded by the limits of its target, and of whoever asks. */
const words = { type: 'string', maxLength: 4_194_304 } as const;
const textOrNull = nullable(words);

/** One statement for whoever holds the token, and what came back: as `engine/calls` has them. */
export const CallQuestion = object(
  {
    target: name,
    token: { type: 'string', maxLength: 65_536 },
    login: words,
    application: words,
    rows_max: count,
    bytes_max: count,
    ask: {
      anyOf: [
        object({ kind: { const: 'sql' }, statement: words, params: { type: 'array', maxItems: 1_000, items: textOrNull }, database: textOrNull }, [
          'kind',
          'statement',
          'params',
          'database',
        ]),
        object({ kind: { const: 'http' }, method: text, path: words, headers: { type: 'object', additionalProperties: words }, body: textOrNull }, [
          'kind',
          'method',
          'path',
          'headers',
          'body',
        ]),
        object({ kind: { const: 'mcp' }, tool: words, arguments: textOrNull }, ['kind', 'tool', 'arguments']),
      ],
    },
  },
  ['target', 'token', 'login', 'application', 'rows_max', 'bytes_max', 'ask'],
);
export type CallQuestion = Static<typeof CallQuestion>;

const flag = { type: 'boolean' } as const;
export const CallAnswer = {
  anyOf: [
    object(
      {
        outcome: { const: 'rows' },
        columns: { type: 'array', items: words },
        rows: { type: 'array', items: { type: 'array', items: textOrNull } },
        truncated: flag,
        tag: words,
      },
      ['outcome', 'columns', 'rows', 'truncated', 'tag'],
    ),
    object({ outcome: { const: 'response' }, status: count, media: words, text: words, truncated: flag }, [
      'outcome',
      'status',
      'media',
      'text',
      'truncated',
    ]),
    object({ outcome: { const: 'pending' }, approvalId: text, message: words, hint: words }, ['outcome', 'approvalId', 'message', 'hint']),
    object({ outcome: { const: 'refused' }, code: text, sqlstate: textOrNull, message: words, detail: words, hint: words }, [
      'outcome',
      'code',
      'sqlstate',
      'message',
      'detail',
      'hint',
    ]),
  ],
} as const;
export type CallAnswer = Static<typeof CallAnswer>;

export const ENFORCER_CALLS = {
  'sessions.list': { question: NOTHING, answer: object({ sessions: { type: 'array', maxItems: 10_000, items: SessionMessage } }, ['sessions']) },
  'sessions.terminate': { question: object({ session_id: id }, ['session_id']), answer: object({ terminated: { type: 'boolean' } }, ['terminated']) },
  /** Run at this enforcer's own door, as by any client: judged, held, masked, recorded there. */
  'calls.run': { question: CallQuestion, answer: CallAnswer },
  /** The same, and nothing is run: the approval that it needs is asked for. A call of its own: whoever does not know it must not run it instead. */
  'calls.ask': { question: CallQuestion, answer: CallAnswer },
  /** The sender's newest policies. `needed`: they are not in force here, and are judged by here. */
  'bundle.newest': { question: object({ revision: Digest }, ['revision']), answer: object({ needed: { type: 'boolean' } }, ['needed']) },
} as const;

/** Waits until the request leaves `open`: one message, a `TicketMessage`. */
export const SettledArgument = object({ approval_id: id }, ['approval_id']);
export type SettledArgument = Static<typeof SettledArgument>;

/** What the receiver made of a bundle that was pushed: the bytes are the question of `bundle.push`. */
export const BundleAnswer = object(
  { outcome: { enum: ['activated', 'confirmed', 'rejected', 'unwanted'] }, revision: text, number: count, code: text, detail: text },
  ['outcome', 'revision'],
);
export type BundleAnswer = Static<typeof BundleAnswer>;
