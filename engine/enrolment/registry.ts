/**
 * Who is an enforcer: a fold over `enforcer.*`, whoever wrote them. It knows no store and no clock; a record that does not fit what stands before it
 * changes nothing.
 */
import type { EnforcerView } from '#schemas/enrolment';
import type { Event } from '#schemas/event';

/** One enforcer, as its events tell it. */
export interface EnforcerRecord {
  readonly name: string;
  readonly state: EnforcerView['state'];
  /** In force: what the enrolment was made for; empty before anybody joined. */
  readonly targets: readonly string[];
  /** In force; null: nobody joined yet, or it was removed. */
  readonly enrolment: string | null;
  /** The newest invitation; it stays after use, so that the same key may ask again when the answer was lost. */
  readonly invitation: Invited | null;
  readonly joinedAt: string | null;
  readonly certificateUntil: string | null;
  readonly by: string;
  /** Position of its last event: what the next one is compared with. */
  readonly last: number;
}

export interface Invited {
  readonly enrolment: string;
  readonly targets: readonly string[];
  readonly codeHash: string;
  readonly expiresAt: string;
  /** Digest of the key that used it; null: nobody yet. */
  readonly usedBy: string | null;
}

export type RegistryEvent = Extract<Event, { type: `enforcer.${string}` }>;

export function isRegistryEvent(event: Event): event is RegistryEvent {
  return event.type.startsWith('enforcer.');
}

export function streamOf(name: string): string {
  return `enforcer:${name}`;
}

export class Registry {
  readonly #records = new Map<string, EnforcerRecord>();
  readonly #byCode = new Map<string, string>();

  get size(): number {
    return this.#records.size;
  }

  get(name: string): EnforcerRecord | undefined {
    return this.#records.get(name);
  }

  /** Whose newest invitation has this code, used or not. */
  byCode(codeHash: string): EnforcerRecord | undefined {
    return this.#records.get(this.#byCode.get(codeHash) ?? '');
  }

  all(): readonly EnforcerRecord[] {
    return [...this.#records.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Whether it changed anything: what was seen already does not. */
  apply(event: RegistryEvent): boolean {
    const before = this.#records.get(event.enforcer);
    if (before !== undefined && event.seq <= before.last) return false;
    const after = fold(before, event);
    if (after === null) return false;
    if (before?.invitation) this.#byCode.delete(before.invitation.codeHash);
    if (after.invitation) this.#byCode.set(after.invitation.codeHash, after.name);
    this.#records.set(after.name, after);
    return true;
  }
}

/** null: it does not fit. */
export function fold(before: EnforcerRecord | undefined, event: RegistryEvent): EnforcerRecord | null {
  const last = event.seq;
  switch (event.type) {
    case 'enforcer.invited':
      return { ...(before ?? fresh(event.enforcer)), ...invited(before, event), by: event.by, last };
    case 'enforcer.joined': {
      const invitation = before?.invitation;
      if (before === undefined || invitation?.enrolment !== event.enrolment_id) return null;
      if (invitation.usedBy !== null && invitation.usedBy !== event.key) return null;
      return {
        ...before,
        state: 'joined',
        targets: invitation.targets,
        enrolment: event.enrolment_id,
        invitation: { ...invitation, usedBy: event.key },
        joinedAt: before.enrolment === event.enrolment_id ? before.joinedAt : event.time,
        certificateUntil: event.not_after,
        last,
      };
    }
    case 'enforcer.renewed':
      if (before === undefined || before.enrolment !== event.enrolment_id) return null;
      return { ...before, certificateUntil: event.not_after, last };
    case 'enforcer.removed':
      if (before === undefined) return null;
      return { ...before, state: 'removed', enrolment: null, invitation: null, certificateUntil: null, by: event.by, last };
  }
}

function fresh(name: string): EnforcerRecord {
  return { name, state: 'invited', targets: [], enrolment: null, invitation: null, joinedAt: null, certificateUntil: null, by: '', last: -1 };
}

/** Who has joined stays so until somebody uses the new code. */
function invited(
  before: EnforcerRecord | undefined,
  event: Extract<RegistryEvent, { type: 'enforcer.invited' }>,
): Pick<EnforcerRecord, 'state' | 'invitation'> {
  const { enrolment_id: enrolment, targets, code_hash: codeHash, expires_at: expiresAt } = event;
  return { state: before?.enrolment ? 'joined' : 'invited', invitation: { enrolment, targets, codeHash, expiresAt, usedBy: null } };
}
