/** What the console and the terminal show (`/v1/inbox`, `/v1/approvals/ID/page`, `/v1/search` …). Texts are already safe to show: SECURITY M8, A7. */
import type { Static } from 'typebox';
import { ApprovalView, APPROVAL_STATES, DelegationView } from './approval.ts';
import { Digest, Timestamp } from './common.ts';
import { EFFECTS } from './decision.ts';

const text = { type: 'string' } as const;
const count = { type: 'integer', minimum: 0 } as const;
const object = <const P extends object, const R extends readonly (keyof P & string)[]>(
  properties: P,
  required: R,
): { readonly type: 'object'; readonly additionalProperties: false; readonly properties: P; readonly required: R } => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});

export const TOKEN_KINDS = ['keyword', 'name', 'string', 'number', 'operator', 'comment', 'parameter', 'space', 'hidden', 'other'] as const;

/** `text` is what to show: a hidden character is its name (`U+202E RIGHT-TO-LEFT OVERRIDE`), a long run of blanks is `20,000 spaces`. */
export const ReviewToken = object({ kind: { enum: TOKEN_KINDS }, text }, ['kind', 'text'] as const);
export type ReviewToken = Static<typeof ReviewToken>;

/** The whole text, always: what cannot be shown whole has `complete: false` and cannot be approved. */
export const ReviewText = object(
  {
    complete: { type: 'boolean' },
    bytes: count,
    lines: count,
    /** First 12 hexadecimal digits of the payload's digest: the requester's notice shows the same ones. */ digest_prefix: text,
    digest: Digest,
    statements: {
      type: 'array',
      items: object(
        {
          /** from 1 */ number: { type: 'integer', minimum: 1 } as const,
          /** `DELETE`, `CREATE TABLE` … */ kind: text,
          tokens: { type: 'array', items: ReviewToken },
        },
        ['number', 'kind', 'tokens'] as const,
      ),
    },
    /** Of the protocol, as the client sent them. */
    params: {
      type: 'array',
      items: object(
        {
          /** `$1` is 1 */ number: { type: 'integer', minimum: 1 } as const,
          /** As the client declared it. */ type: text,
          tokens: { type: 'array', items: ReviewToken },
        },
        ['number', 'type', 'tokens'] as const,
      ),
    },
    /** What a reader could miss: `2 hidden characters`, `a comment holds a second WHERE`, `20,000 spaces`. */
    warnings: { type: 'array', items: text },
  },
  ['complete', 'bytes', 'lines', 'digest_prefix', 'digest', 'statements', 'warnings'] as const,
);
export type ReviewText = Static<typeof ReviewText>;

export const InboxItem = object(
  {
    approval_id: text,
    state: { enum: APPROVAL_STATES },
    summary: text,
    login: text,
    /** The human behind an agent. */ on_behalf_of: text,
    subject_type: text,
    target: text,
    env: text,
    requested_at: Timestamp,
    expires_at: Timestamp,
    codes: { type: 'array', items: text },
    /** The stage that is asked now. */ stage: text,
    approved: count,
    needed: count,
    /** The reader may decide it now. */ mine: { type: 'boolean' },
    /** A broken glass whose review is open. */ review: { enum: ['open', 'justified', 'unjustified'] },
  },
  [
    'approval_id',
    'state',
    'summary',
    'login',
    'subject_type',
    'target',
    'requested_at',
    'expires_at',
    'codes',
    'approved',
    'needed',
    'mine',
  ] as const,
);
export type InboxItem = Static<typeof InboxItem>;

export const INBOX_BOXES = ['to_decide', 'asked', 'all', 'reviews'] as const;
export type InboxBox = (typeof INBOX_BOXES)[number];

const page = <T extends object>(
  items: T,
): {
  readonly type: 'object';
  readonly additionalProperties: false;
  readonly properties: {
    readonly items: { readonly type: 'array'; readonly items: T };
    readonly next: { readonly anyOf: readonly [{ readonly type: 'string' }, { readonly type: 'null' }] };
    readonly total: { readonly type: 'integer'; readonly minimum: 0 };
  };
  readonly required: readonly ['items', 'next', 'total'];
} => ({
  type: 'object',
  additionalProperties: false,
  properties: {
    items: { type: 'array', items },
    /** Pass it as `cursor` for what follows; null: that was all. */
    next: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    /** Of all pages; at most 10,000 are counted. */
    total: { type: 'integer', minimum: 0 },
  },
  required: ['items', 'next', 'total'],
});

export const InboxPage = page(InboxItem);
export type InboxPage = Static<typeof InboxPage>;

export const StatementItem = object(
  {
    statement_id: text,
    session_id: text,
    time: Timestamp,
    login: text,
    on_behalf_of: text,
    target: text,
    action: text,
    /** As its reader may see it; absent where it is not kept in clear. At most 2,000 characters, `cut` says so. */ text,
    cut: { type: 'boolean' },
    effect: { enum: EFFECTS },
    codes: { type: 'array', items: text },
    /** `DELETE public.payments` */ touched: { type: 'array', items: text },
    /** How it ended; `running` while it has not. */
    outcome: { enum: ['running', 'held', 'refused', 'prepared', 'ok', 'error', 'aborted', 'cancelled', 'unknown'] },
    refused: text,
    sqlstate: text,
    rows: count,
    bytes: count,
    duration_us: count,
    masked: { type: 'object', additionalProperties: count },
    approval_id: text,
  },
  ['statement_id', 'session_id', 'time', 'login', 'target', 'action', 'codes', 'touched', 'outcome'] as const,
);
export type StatementItem = Static<typeof StatementItem>;
export const StatementPage = page(StatementItem);
export type StatementPage = Static<typeof StatementPage>;

export const SessionItem = object(
  {
    session_id: text,
    time: Timestamp,
    login: text,
    on_behalf_of: text,
    subject_type: text,
    target: text,
    database: text,
    client: text,
    application: text,
    protocol: text,
    state: { enum: ['open', 'closed'] },
    closed_at: Timestamp,
    reason: text,
    statements: count,
    refused: count,
    held: count,
  },
  ['session_id', 'time', 'login', 'subject_type', 'target', 'protocol', 'state', 'statements', 'refused', 'held'] as const,
);
export type SessionItem = Static<typeof SessionItem>;
export const SessionPage = page(SessionItem);
export type SessionPage = Static<typeof SessionPage>;

export const ACTS = ['approve', 'deny', 'changes', 'cancel', 'withdraw', 'break_glass', 'review'] as const;
export type Act = (typeof ACTS)[number];

/** What the reader may do with a request now; `why` says why not, `code` is the error that the attempt would get. */
export const Ability = object({ act: { enum: ACTS }, allowed: { type: 'boolean' }, code: text, why: text, reason_required: { type: 'boolean' } }, [
  'act',
  'allowed',
] as const);
export type Ability = Static<typeof Ability>;

/** One line of a request's story. */
export const StoryLine = object({ time: Timestamp, type: text, who: text, what: text, comment: text }, ['time', 'type', 'what'] as const);
export type StoryLine = Static<typeof StoryLine>;

/** All that a reviewer sees of one request. */
export const RequestPage = object(
  {
    approval: ApprovalView,
    text: ReviewText,
    can: { type: 'array', items: Ability },
    story: { type: 'array', items: StoryLine },
    /** The statements of its session before it, newest first; at most 50. */ session: { type: 'array', items: StatementItem },
    /** Earlier requests of the same shape on the same target, newest first; at most 10. */ earlier: { type: 'array', items: InboxItem },
    /** What could not be had just now: an empty list here says nothing then. */ missing: { type: 'array', items: { enum: ['session', 'earlier'] } },
  },
  ['approval', 'text', 'can', 'story', 'session', 'earlier'] as const,
);
export type RequestPage = Static<typeof RequestPage>;

/** A session with its statements, oldest first. */
export const SessionDetail = object({ session: SessionItem, statements: StatementPage }, ['session', 'statements'] as const);
export type SessionDetail = Static<typeof SessionDetail>;

/** Who is logged in to the console. */
export const Me = object(
  {
    id: text,
    login: text,
    groups: { type: 'array', items: text },
    expires_at: Timestamp,
    /** Goes back in the header `x-interlock-csrf` of everything that changes something; empty with a bearer token, which needs none. */ csrf: text,
    reads_all: { type: 'boolean' },
    /** May give verdicts: a token with scope `approve`. */ decides: { type: 'boolean' },
    login_by: { enum: ['local', 'oidc', 'token'] },
    /** When they last showed who they are: a verdict needs at most an hour. */ authenticated_at: Timestamp,
    /** Where to log in anew for a verdict that needs it; `next`, `acr` and `max_age` go behind it. */ login_start: text,
    version: text,
    targets: { type: 'array', items: text },
  },
  ['id', 'login', 'groups', 'expires_at', 'csrf', 'reads_all', 'decides', 'login_by', 'version', 'targets'] as const,
);
export type Me = Static<typeof Me>;

/** One line of `/v1/live` (server-sent events): something that the reader may see has changed; they ask again for what they show. */
export const LiveEvent = object(
  { kind: { enum: ['approval', 'session', 'statement', 'delegation', 'policy'] }, id: text, state: text, session_id: text },
  ['kind', 'id'] as const,
);
export type LiveEvent = Static<typeof LiveEvent>;

export const DelegationPage = page(DelegationView);
export type DelegationPage = Static<typeof DelegationPage>;
