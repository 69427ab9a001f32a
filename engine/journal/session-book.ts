/** The sessions that the journal numbers: their constants and their next `session_seq`. */
import type { Payload } from '#client/journal';
import { InterlockError } from '#schemas/errors';

/** Open sessions, all targets together. */
const SESSIONS_MAX = 65_536;
/** Closed sessions remembered, so that a late event still counts on. */
const CLOSED_MAX = 1024;

export interface SessionConstants {
  readonly session_id: string;
  readonly target?: string;
  readonly subject?: string;
  readonly trace_id?: string;
}
export interface SessionEntry {
  constants: SessionConstants;
  next: number;
  /** Where the constants are defined; -1: not in this segment. */
  segment: number;
  id: number;
  /** What each statement between `received` and its end was received with: a decision's binding names it. Goes with the session. */
  readonly open: Map<string, Payload>;
}

export class SessionBook {
  readonly #entries = new Map<string, SessionEntry>();
  readonly #closed: string[] = [];

  find(sessionId: string): SessionEntry | undefined {
    return this.#entries.get(sessionId);
  }

  entry(sessionId: string, event: Omit<SessionConstants, 'session_id'>): SessionEntry {
    const known = this.#entries.get(sessionId);
    if (!known) return this.#open(sessionId, event);
    const { constants } = known;
    if (
      (event.target !== undefined && event.target !== constants.target) ||
      (event.subject !== undefined && event.subject !== constants.subject) ||
      (event.trace_id !== undefined && event.trace_id !== constants.trace_id)
    ) {
      known.constants = { ...constants, ...constantsOf(sessionId, event) };
      known.segment = -1;
    }
    return known;
  }

  /** A session of an earlier process whose statements are ended now. */
  resume(sessionId: string, from: { readonly target: string | undefined; readonly subject: string | undefined }, next: number): void {
    const { target, subject } = from;
    if (this.#entries.has(sessionId)) return;
    this.#open(sessionId, { ...(target === undefined ? {} : { target }), ...(subject === undefined ? {} : { subject }) }).next = next;
  }

  close(sessionId: string): void {
    this.#closed.push(sessionId);
    if (this.#closed.length > CLOSED_MAX) this.#entries.delete(this.#closed.shift() as string);
  }

  #open(sessionId: string, event: Omit<SessionConstants, 'session_id'>): SessionEntry {
    if (this.#entries.size >= SESSIONS_MAX + CLOSED_MAX) throw new InterlockError('BUDGET_CONNECTIONS', 'the journal numbers no more sessions');
    const entry: SessionEntry = { constants: constantsOf(sessionId, event), next: 0, segment: -1, id: -1, open: new Map() };
    this.#entries.set(sessionId, entry);
    return entry;
  }
}

function constantsOf(sessionId: string, event: Omit<SessionConstants, 'session_id'>): SessionConstants {
  return {
    session_id: sessionId,
    ...(event.target === undefined ? {} : { target: event.target }),
    ...(event.subject === undefined ? {} : { subject: event.subject }),
    ...(event.trace_id === undefined ? {} : { trace_id: event.trace_id }),
  };
}
