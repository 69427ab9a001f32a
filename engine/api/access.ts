/**
 * Who may read what (SECURITY N6), for every route alike:
 * readers (members of a group in `api.readers`; where that is not set, holders of a token with scope `approve`) everything; everybody
 * else their own sessions and requests, those of whom acts on their behalf, and the approval requests that name them.
 * What one may not read answers exactly like what does not exist.
 */
import type { Principal } from '#client/identity';
import type { ApprovalView } from '#schemas/approval';
import type { Subject } from '#schemas/decision-request';
import type { Event } from '#schemas/event';
import type { Readers } from './parts.ts';

export function readsAll(reader: Principal, readers: Readers): boolean {
  if (readers === null) return reader.scopes.includes('approve');
  return reader.subject.properties.groups.some((group) => readers.includes(group));
}

export function mayReadApproval(reader: Principal, approval: ApprovalView, readers: Readers): boolean {
  return readsAll(reader, readers) || isOwn(reader, approval.subject) || isAsked(reader, approval);
}

const OWN_SESSIONS_MAX = 100_000;

/** Lets through what a reader may see of a stream of events that begins at the start of the journal. */
export class EventAccess {
  readonly #reader: Principal;
  readonly #all: boolean;
  readonly #sessions = new Set<string>();

  constructor(reader: Principal, readers: Readers) {
    this.#reader = reader;
    this.#all = readsAll(reader, readers);
  }

  allows(event: Event): boolean {
    if (this.#all) return true;
    if (event.session_id === undefined) return false;
    if (event.type === 'session.opened' && isOwn(this.#reader, event.subject_detail)) this.#remember(event.session_id);
    return this.#sessions.has(event.session_id);
  }

  /** The oldest is forgotten first: it is then no longer shown, never shown to another. */
  #remember(session: string): void {
    if (this.#sessions.size >= OWN_SESSIONS_MAX)
      for (const oldest of this.#sessions.keys()) return void (this.#sessions.delete(oldest) && this.#sessions.add(session));
    this.#sessions.add(session);
  }
}

function isOwn(reader: Principal, subject: Subject): boolean {
  return subject.id === reader.subject.id || subject.properties.on_behalf_of?.id === reader.subject.id;
}

function isAsked(reader: Principal, approval: ApprovalView): boolean {
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
