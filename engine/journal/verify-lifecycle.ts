/** CONTRACT §4: what may follow what. Anything else in a journal is a defect of ours, or not our journal. */
import type { Report } from './problem.ts';
import type { SeenEvent } from './verify-body.ts';
import type { CheckpointClaim } from './verify-note.ts';

type Stage = 'received' | 'decided' | 'denied' | 'held' | 'cleared';

const AFTER: Readonly<Record<Stage, readonly string[]>> = {
  received: ['statement.refused', 'statement.decided'],
  decided: ['statement.refused', 'statement.held', 'statement.cleared'],
  denied: ['statement.refused'],
  held: ['statement.decided', 'statement.refused'],
  cleared: ['statement.finished'],
};

interface OpenStatement {
  stage: Stage;
  /** An earlier process's: it may only get its `unknown`. */
  left: boolean;
  readonly seq: number;
}

export class Lifecycle {
  readonly #report: Report;
  readonly #statements = new Map<string, OpenStatement>();
  readonly #nextOfSession = new Map<string, number>();
  readonly #receipts = new Map<string, string>();
  readonly checkpoints: CheckpointClaim[] = [];
  sessions = 0;
  /** A record could not be read: what follows cannot be held against it. */
  #holes = false;

  constructor(report: Report) {
    this.#report = report;
  }

  hole(): void {
    this.#holes = true;
    this.#statements.clear();
    this.#nextOfSession.clear();
  }

  see(event: SeenEvent, seq: number): void {
    if (event.type === 'journal.opened') this.#processStarted();
    if (event.type === 'session.opened') this.sessions++;
    if (event.type === 'checkpoint.signed') this.checkpoints.push({ ...(event.fields as unknown as CheckpointClaim), seq });
    if (event.type === 'approval.consumed') this.#consumed(event, seq);
    if (event.sessionId !== undefined && event.sessionSeq !== undefined) this.#numbered(event.sessionId, event.sessionSeq, seq);
    if (event.statementId !== undefined && event.type.startsWith('statement.')) this.#statement(event.statementId, event, seq);
  }

  /** Statements that were cleared by a process that another one followed must have their end. */
  end(): void {
    for (const [id, open] of this.#statements) if (open.left) this.#report(open.seq, 'LIFECYCLE', `${id} was cleared and has no end`);
  }

  #processStarted(): void {
    const kept = new Set<string>();
    for (const [id, open] of this.#statements) {
      if (open.stage === 'cleared') open.left = true;
      else this.#statements.delete(id);
      kept.add(id);
    }
  }

  #numbered(sessionId: string, found: number, seq: number): void {
    const expected = this.#nextOfSession.get(sessionId) ?? (this.#holes ? found : 0);
    if (found !== expected) this.#report(seq, 'SESSION_SEQ', `${sessionId} goes on with ${found} instead of ${expected}`);
    this.#nextOfSession.set(sessionId, found + 1);
  }

  #statement(id: string, event: SeenEvent, seq: number): void {
    const open = this.#statements.get(id);
    if (event.type === 'statement.received') {
      if (open) this.#report(seq, 'LIFECYCLE', `${id} is received twice`);
      this.#statements.set(id, { stage: 'received', left: false, seq });
      return;
    }
    if (!open) {
      if (!this.#holes) this.#report(seq, 'LIFECYCLE', `${event.type} of ${id}, which is not under way`);
      return;
    }
    const unknown = event.type === 'statement.finished' && event.fields['outcome'] === 'unknown';
    if (!AFTER[open.stage].includes(event.type)) this.#report(seq, 'LIFECYCLE', `${event.type} of ${id}, which is ${open.stage}`);
    else if (open.left && !unknown) this.#report(seq, 'LIFECYCLE', `${event.type} of ${id}, which an earlier process cleared`);
    if (event.type === 'statement.cleared') this.#approved(id, event, seq);
    this.#advance(id, open, event);
  }

  #advance(id: string, open: OpenStatement, event: SeenEvent): void {
    switch (event.type) {
      case 'statement.decided':
        open.stage = event.fields['effect'] === 'deny' ? 'denied' : 'decided';
        return;
      case 'statement.held':
        open.stage = 'held';
        return;
      case 'statement.cleared':
        open.stage = 'cleared';
        return;
      default:
        this.#statements.delete(id);
    }
  }

  #consumed(event: SeenEvent, seq: number): void {
    const receipt = String(event.fields['receipt']);
    if (this.#receipts.has(receipt)) this.#report(seq, 'APPROVAL_NOT_CONSUMED', `receipt ${receipt} was given twice`);
    this.#receipts.set(receipt, event.statementId ?? '');
  }

  /** Each use stands before the clearance that rests on it, for this statement and no other. */
  #approved(id: string, event: SeenEvent, seq: number): void {
    const approval = event.fields['approval'] as { approval_id: string; receipt: string } | undefined;
    if (approval === undefined || this.#holes) return;
    if (this.#receipts.get(approval.receipt) === id) return;
    this.#report(seq, 'APPROVAL_NOT_CONSUMED', `${id} was cleared with ${approval.approval_id}, and no use of it was recorded for it`);
  }
}
