/**
 * Who may read what (SECURITY N6), for every route and live stream alike:
 * readers (members of a group in `api.readers`; where that is not set, holders of a token with scope `approve`) everything; everybody
 * else their own sessions and requests, those of whom acts on their behalf, and the approval requests that ask them.
 * What one may not read answers exactly like what does not exist.
 */
import type { Principal } from '#client/identity';
import type { ApprovalView } from '#schemas/approval';
import type { Subject } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import type { Change, Delegations, Outline, Reader, Readers, ReviewBook } from './parts.ts';

export function readerOf(principal: Principal, readers: Readers): Reader {
  return { principal, all: readsAll(principal, readers) };
}

/** @throws InterlockError APPROVAL_NOT_FOUND, also for what is not theirs to read; APPROVAL_UNAVAILABLE */
export async function readableApproval(book: ReviewBook, id: string, reader: Reader): Promise<ApprovalView> {
  await book.hear(id);
  const approval = book.show(id);
  if (mayReadOutline(reader, approval) || (await isConcerned(book, id, reader))) return approval;
  throw new InterlockError('APPROVAL_NOT_FOUND', `there is no approval request ${id}`);
}

/** By what the request itself says; whom its sources and delegations ask is looked up by `isConcerned`. */
export function mayReadOutline(reader: Reader, approval: Outline): boolean {
  return reader.all || isOwn(reader.principal, approval.subject) || isNamed(reader.principal, approval);
}

/** For lists: what waits for them is theirs to read too. */
export function visibleTo(reader: Reader, book: ReviewBook): (outline: Outline) => boolean {
  const { subject, scopes } = reader.principal;
  if (reader.all || !scopes.includes('approve')) return (outline) => mayReadOutline(reader, outline);
  const waiting = new Set<string>();
  // takes note of each and lets none through: of thousands, none is made whole only to be counted
  book.page({ waitingFor: subject, visible: ({ approval_id }) => waiting.add(approval_id).size < 0 }, { limit: 1 });
  return (outline) => waiting.has(outline.approval_id) || mayReadOutline(reader, outline);
}

/** Whether it is, or was, theirs to decide: then they may look at it, also when it is settled, and also with a token too old to decide. */
export async function isConcerned(book: ReviewBook, id: string, { principal }: Reader): Promise<boolean> {
  if (!principal.scopes.includes('approve')) return false;
  return await book.concerns(id, principal);
}

export async function mayReadChange(reader: Reader, { owners, live }: Change, delegations: Delegations | null): Promise<boolean> {
  if (reader.all || owners === 'everybody') return true;
  if (owners !== 'delegation') return owners.includes(reader.principal.subject.id);
  return (await delegations?.list(reader))?.some(({ delegation_id }) => delegation_id === live.id) ?? false;
}

const OWN_SESSIONS_MAX = 100_000;

/** Lets through what a reader may see of a stream of events that begins at the start of the journal. */
export class EventAccess {
  readonly #reader: Reader;
  readonly #sessions = new Set<string>();

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  allows(event: Event): boolean {
    if (this.#reader.all) return true;
    if (event.session_id === undefined) return false;
    if (event.type === 'session.opened' && isOwn(this.#reader.principal, event.subject_detail)) this.#remember(event.session_id);
    return this.#sessions.has(event.session_id);
  }

  /** The oldest is forgotten first: it is then no longer shown, never shown to another. */
  #remember(session: string): void {
    if (this.#sessions.size >= OWN_SESSIONS_MAX)
      for (const oldest of this.#sessions.keys()) return void (this.#sessions.delete(oldest) && this.#sessions.add(session));
    this.#sessions.add(session);
  }
}

function readsAll(reader: Principal, readers: Readers): boolean {
  if (readers === null) return reader.scopes.includes('approve');
  return reader.subject.properties.groups.some((group) => readers.includes(group));
}

function isOwn(reader: Principal, subject: Subject): boolean {
  return subject.id === reader.subject.id || subject.properties.on_behalf_of?.id === reader.subject.id;
}

function isNamed(reader: Principal, approval: Outline): boolean {
  if (!reader.scopes.includes('approve')) return false;
  const { login, groups } = reader.subject.properties;
  return approval.requirement.stages.some(({ any_of }) =>
    any_of.some(
      (approver) =>
        ('group' in approver && groups.includes(approver.group)) ||
        ('user' in approver && (approver.user === login || approver.user === reader.subject.id)),
    ),
  );
}
