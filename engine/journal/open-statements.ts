/** Statements that a process left between their clearance and their end. */
import type { Event } from '#schemas/event';

/** A statement that was cleared and has no end. */
export interface Unfinished {
  readonly statementId: string;
  readonly sessionId: string;
  readonly target: string | undefined;
  readonly subject: string | undefined;
  /** The next of its session. */
  sessionSeq: number;
}

/** Which statements were cleared and have no end; a process that starts ends all that an earlier one left. */
export class OpenStatements {
  readonly #cleared = new Map<string, Unfinished>();
  readonly #lastOfSession = new Map<string, number>();

  see(event: Event): void {
    if (event.type === 'journal.opened') this.#forgetSessions();
    if (event.session_id !== undefined && event.session_seq !== undefined) this.#lastOfSession.set(event.session_id, event.session_seq);
    if (event.statement_id === undefined || event.session_id === undefined) return;
    if (event.type === 'statement.finished') this.#cleared.delete(event.statement_id);
    if (event.type !== 'statement.cleared') return;
    const { target, subject, session_id: sessionId } = event;
    this.#cleared.set(event.statement_id, { statementId: event.statement_id, sessionId, target, subject, sessionSeq: 0 });
  }

  /** A process that started ended the sessions of the one before, but for those that still get their `unknown`. */
  #forgetSessions(): void {
    const kept = new Set([...this.#cleared.values()].map((entry) => entry.sessionId));
    for (const sessionId of this.#lastOfSession.keys()) if (!kept.has(sessionId)) this.#lastOfSession.delete(sessionId);
  }

  cleared(): readonly Unfinished[] {
    return [...this.#cleared.values()].map((entry) => {
      const sessionSeq = (this.#lastOfSession.get(entry.sessionId) ?? -1) + 1;
      this.#lastOfSession.set(entry.sessionId, sessionSeq);
      return { ...entry, sessionSeq };
    });
  }
}
