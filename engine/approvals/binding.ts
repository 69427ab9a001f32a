/** What an approval is bound to (DESIGN §1), with plain bytes: this form lives in memory only. Events carry salted digests. */
import { createHash } from 'node:crypto';
import type { ApprovalDraft } from '#client/approvals';
import type { Journal } from '#client/journal';
import type { Requirement } from '#schemas/decision';
import type { ApprovalBinding } from '#schemas/event';
import { type CodeParams, shapeOf } from './grant-shape.ts';
import { wordsOf } from './sentence/words.ts';

export interface Bound {
  readonly principal: string;
  readonly onBehalfOf: string | null;
  readonly target: string;
  readonly database: string;
  readonly role: string;
  /** What the reviewer is shown; of a grant for a shape, that of the statement that asked. */
  readonly payload: Uint8Array;
  readonly params: Uint8Array | null;
  /** Of a grant for a shape: compared in the place of payload and parameters. */
  readonly shape: string | null;
  readonly settings: Readonly<Record<string, string>>;
  readonly transaction: string;
  readonly objects: readonly string[];
  readonly requirement: string;
  /** Only if policy says `bind_session`. */
  readonly session: string | null;
}

/** @param grant as it was asked for, which is not always what the draft asks for now */
export function boundOf(draft: ApprovalDraft, grant: Pick<Requirement, 'grant' | 'bind_session'>, codeParams?: CodeParams): Bound {
  return {
    principal: draft.subject.id,
    onBehalfOf: draft.subject.properties.on_behalf_of?.id ?? null,
    target: draft.target,
    database: draft.database,
    role: draft.role,
    // A copy: the enforcer's buffer may be used again.
    payload: Uint8Array.from(draft.payload.bytes),
    params: draft.params && Uint8Array.from(draft.params.bytes),
    shape: shapeOf(draft, grant, codeParams),
    settings: { ...draft.settings },
    transaction: draft.transaction,
    objects: draft.objects.toSorted(),
    requirement: draft.requirement.digest,
    session: grant.bind_session ? draft.sessionId : null,
  };
}

/** From what the journal kept; the bytes are those that stand beside the record. */
export function boundOfRecord(binding: ApprovalBinding, payload: Uint8Array, params: Uint8Array | null): Bound {
  return {
    principal: binding.principal,
    onBehalfOf: binding.on_behalf_of,
    target: binding.target,
    database: binding.database,
    role: binding.role,
    payload,
    params,
    shape: binding.shape ?? null,
    settings: binding.settings,
    transaction: binding.transaction,
    objects: binding.objects,
    requirement: binding.requirement,
    session: binding.session ?? null,
  };
}

/** As it stands in the event. `literals: false`: of texts that ran before it in its transaction only the digest stands there. */
export function salted(bound: Bound, draft: ApprovalDraft, journal: Pick<Journal, 'digestOf'>, literals: boolean): ApprovalBinding {
  return {
    principal: bound.principal,
    on_behalf_of: bound.onBehalfOf,
    target: bound.target,
    database: bound.database,
    role: bound.role,
    payload: journal.digestOf(draft.payload),
    params: draft.params && journal.digestOf(draft.params),
    settings: bound.settings,
    transaction: bound.transaction,
    objects: literals ? [...bound.objects] : bound.objects.map((object) => withoutText(object, journal)),
    requirement: bound.requirement,
    ...(bound.session !== null && { session: bound.session }),
    ...(bound.shape !== null && { shape: bound.shape }),
  };
}

/** `2 before it: UPDATE …` */
function withoutText(object: string, journal: Pick<Journal, 'digestOf'>): string {
  const [, head, text] = /^(\d+ before it: )([^]*)$/.exec(object) ?? [];
  return head === undefined || text === undefined ? object : `${head}${journal.digestOf({ bytes: Buffer.from(text), media: 'text' })}`;
}

/** Field by field, in the order a reader looks for it; a compiler error here means that a bound field is compared nowhere. */
const FIELDS: Readonly<Record<keyof Bound, string>> = {
  principal: 'principal',
  onBehalfOf: 'on_behalf_of',
  target: 'target',
  database: 'database',
  role: 'role',
  shape: 'shape',
  payload: 'payload',
  params: 'params',
  settings: 'settings',
  transaction: 'transaction',
  objects: 'objects',
  session: 'session',
  requirement: 'requirement',
};

/** What a shape stands for. */
const EXACT: readonly (keyof Bound)[] = ['payload', 'params'];

/** The contract's name of the first field in which they differ; null when equal. `requirement` is compared last. */
export function differing(a: Bound, b: Bound): string | null {
  for (const [field, name] of Object.entries(FIELDS) as [keyof Bound, string][]) {
    if (a.shape !== null && EXACT.includes(field)) continue; // the shapes are equal: they are compared before
    if (canonical(a[field]) !== canonical(b[field])) return name;
  }
  return null;
}

/** Equal for drafts that may join: everything but the requirement, whose change supersedes. */
export function joinKey(bound: Bound): string {
  return digestOver(bound, ['requirement']);
}

const READ_BYTES_MAX = 64 * 1024;

/**
 * A denial is remembered for the requirement, across sessions, and for the same words: to reconnect, to begin a transaction first, to write it in other
 * lines or with another comment is not to ask anew.
 */
export function denialKey(bound: Bound): string {
  const payload =
    bound.payload.length > READ_BYTES_MAX || !mayBeSql(bound.payload) ? bound.payload : Buffer.from(JSON.stringify(wordsOf(bound.payload)));
  return digestOver({ ...bound, payload }, ['session', 'transaction']);
}

// what begins as a request of HTTP or MCP: the lexer would take an accept header's slash and star for a comment without an end, and all of them for one
function mayBeSql(payload: Uint8Array): boolean {
  return !/^(?:[A-Z]+ [!-~]+\r\n|\{"method":)/.test(
    Buffer.from(payload.buffer, payload.byteOffset, Math.min(payload.length, START_BYTES)).toString('latin1'),
  );
}

/** A request line is no longer. */
const START_BYTES = 16_384;

/** Who was asked to change a statement may come with the same shape and other values: only the very same one is told again. */
export function changesKey(bound: Bound): string {
  return `changes ${denialKey({ ...bound, shape: null })}`;
}

function digestOver(bound: Bound, without: readonly (keyof Bound)[]): string {
  const hash = createHash('sha256');
  for (const field of Object.keys(FIELDS) as (keyof Bound)[]) {
    if (!without.includes(field) && !(bound.shape !== null && EXACT.includes(field))) hash.update(`${field}=${canonical(bound[field])}\n`);
  }
  return hash.digest('base64');
}

/** One spelling for one value: JSON escapes what could run into the next field, and bytes stand as their digest. */
function canonical(value: Bound[keyof Bound]): string {
  if (value === null || typeof value === 'string') return JSON.stringify(value);
  if (value instanceof Uint8Array) return `bytes:${createHash('sha256').update(value).digest('hex')}`;
  if (Array.isArray(value)) return JSON.stringify(value);
  return JSON.stringify(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
