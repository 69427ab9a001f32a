/** CONTRACT §4: what may follow what. Anything else in a journal is a defect of ours, or not our journal. */
import type { Report } from './problem.ts';
import type { CheckpointClaim } from './verify-note.ts';

type Stage = 'received' | 'decided' | 'denied' | 'held' | 'cleared';

interface OpenStatement {
  stage: Stage;
  /** An earlier process's: it may only get its `unknown`. */
  left: boolean;
  readonly seq: number;
}

/** A clearance whose approval was consumed in another journal. */
export interface ApprovalUse {
  readonly seq: number;
  readonly statementId: string;
  readonly approvalId: string;
  readonly receipt: string;
  /** Wall clock of its record, µs. */
  readonly us: number;
}

/** One session, as somebody asked for it. */
export interface SessionSeen {
  first: number;
  last: number;
  events: number;
  closed: boolean;
}

/** What is beyond cannot be looked for, and counts as not found. */
const USES_MAX = 1_000_000;

export class Lifecycle {
  readonly #report: Report;
  readonly #wanted: string | null;
  readonly #statements = new Map<string, OpenStatement>();
  readonly #nextOfSession = new Map<string, number>();
  /** The session of the event before: the events of one record are one session's, and its number is put back when another comes. */
  #sessionId = '';
  #sessionNext = 0;
  /** Receipt → statement. */
  readonly receipts = new Map<string, string>();
  readonly elsewhere: ApprovalUse[] = [];
  readonly checkpoints: CheckpointClaim[] = [];
  sessions = 0;
  /** Wall clock of the record that is read, µs. */
  us = 0;
  /** What the last process said it is; an enforcer of its own has its approvals consumed by the engine. */
  role: string | null = null;
  processes = 0;
  closed = false;
  /** Before the last process began. */
  closedBefore = false;
  session: SessionSeen | null = null;
  /** A record could not be read: what follows cannot be held against it. */
  #holes = false;

  constructor(report: Report, wanted: string | null = null) {
    this.#report = report;
    this.#wanted = wanted;
  }

  hole(): void {
    this.#holes = true;
    this.#statements.clear();
    this.#nextOfSession.clear();
    this.#sessionId = '';
  }

  /** One that stands as JSON. */
  event(event: Readonly<Record<string, unknown>>, seq: number): void {
    const type = event['type'];
    const sessionId = event['session_id'];
    if (typeof sessionId === 'string' && typeof event['session_seq'] === 'number') this.numbered(sessionId, event['session_seq'], seq);
    switch (type) {
      case 'journal.opened':
        this.#processStarted(event['role']);
        return;
      case 'journal.closed':
        this.closed = true;
        return;
      case 'session.opened':
        this.sessions++;
        return;
      case 'session.closed':
        if (this.session !== null && sessionId === this.#wanted) this.session.closed = true;
        return;
      case 'checkpoint.signed':
        this.checkpoints.push({ ...(event as unknown as CheckpointClaim), seq });
        return;
      case 'approval.consumed':
        this.#consumed(String(event['receipt']), event['statement_id'], seq);
        return;
      default:
        if (typeof type === 'string' && type.startsWith('statement.')) this.#statementAsJson(type, event, seq);
    }
  }

  /** Each event of a session, in its order. */
  numbered(sessionId: string, found: number, seq: number): void {
    if (sessionId !== this.#sessionId) this.#enter(sessionId, found);
    const expected = this.#sessionNext;
    if (found !== expected) this.#report(seq, 'SESSION_SEQ', `${sessionId} goes on with ${found} instead of ${expected}`);
    this.#sessionNext = found + 1;
    if (sessionId === this.#wanted) this.#seen(seq);
  }

  received(id: string, seq: number): void {
    if (this.#statements.has(id)) this.#report(seq, 'LIFECYCLE', `${id} is received twice`);
    this.#statements.set(id, { stage: 'received', left: false, seq });
  }

  decided(id: string, denies: boolean, seq: number): void {
    const open = this.#open(id, 'statement.decided', seq);
    if (open === null) return;
    if (open.stage !== 'received' && open.stage !== 'held') this.#wrong(id, 'statement.decided', open, seq);
    else this.#left(id, 'statement.decided', open, seq);
    open.stage = denies ? 'denied' : 'decided';
  }

  held(id: string, seq: number): void {
    const open = this.#open(id, 'statement.held', seq);
    if (open === null) return;
    if (open.stage !== 'decided') this.#wrong(id, 'statement.held', open, seq);
    else this.#left(id, 'statement.held', open, seq);
    open.stage = 'held';
  }

  refused(id: string, seq: number): void {
    const open = this.#open(id, 'statement.refused', seq);
    if (open === null) return;
    if (open.stage === 'cleared') this.#wrong(id, 'statement.refused', open, seq);
    else this.#left(id, 'statement.refused', open, seq);
    this.#statements.delete(id);
  }

  cleared(id: string, approval: { readonly approval_id: string; readonly receipt: string } | null, seq: number): void {
    const open = this.#open(id, 'statement.cleared', seq);
    if (open === null) return;
    if (open.stage !== 'decided') this.#wrong(id, 'statement.cleared', open, seq);
    else this.#left(id, 'statement.cleared', open, seq);
    if (approval !== null) this.#approved(id, approval, seq);
    open.stage = 'cleared';
  }

  finished(id: string, unknown: boolean, seq: number): void {
    const open = this.#open(id, 'statement.finished', seq);
    if (open === null) return;
    if (open.stage !== 'cleared') this.#wrong(id, 'statement.finished', open, seq);
    else if (!unknown) this.#left(id, 'statement.finished', open, seq);
    this.#statements.delete(id);
  }

  /** Statements that were cleared by a process that another one followed must have their end. */
  end(): void {
    for (const [id, open] of this.#statements) if (open.left) this.#report(open.seq, 'LIFECYCLE', `${id} was cleared and has no end`);
  }

  /** Those of a rare form: what stands beside its usual fields is not in the short one. */
  #statementAsJson(type: string, event: Readonly<Record<string, unknown>>, seq: number): void {
    const id = event['statement_id'];
    if (typeof id !== 'string') return;
    const decision = event['decision'] as { effect?: unknown } | undefined;
    switch (type) {
      case 'statement.received':
        return this.received(id, seq);
      case 'statement.decided':
        return this.decided(id, decision?.effect === 'deny', seq);
      case 'statement.held':
        return this.held(id, seq);
      case 'statement.refused':
        return this.refused(id, seq);
      case 'statement.cleared':
        return this.cleared(id, (event['approval'] as { approval_id: string; receipt: string } | undefined) ?? null, seq);
      case 'statement.finished':
        return this.finished(id, event['outcome'] === 'unknown', seq);
      default:
        this.#open(id, type, seq);
    }
  }

  #enter(sessionId: string, found: number): void {
    if (this.#sessionId !== '') this.#nextOfSession.set(this.#sessionId, this.#sessionNext);
    this.#sessionId = sessionId;
    this.#sessionNext = this.#nextOfSession.get(sessionId) ?? (this.#holes ? found : 0);
  }

  #seen(seq: number): void {
    this.session ??= { first: seq, last: seq, events: 0, closed: false };
    this.session.last = seq;
    this.session.events++;
  }

  #open(id: string, type: string, seq: number): OpenStatement | null {
    const open = this.#statements.get(id);
    if (open !== undefined) return open;
    if (!this.#holes) this.#report(seq, 'LIFECYCLE', `${type} of ${id}, which is not under way`);
    return null;
  }

  #wrong(id: string, type: string, { stage }: OpenStatement, seq: number): void {
    this.#report(seq, 'LIFECYCLE', `${type} of ${id}, which is ${stage}`);
  }

  #left(id: string, type: string, { left }: OpenStatement, seq: number): void {
    if (left) this.#report(seq, 'LIFECYCLE', `${type} of ${id}, which an earlier process cleared`);
  }

  #processStarted(role: unknown): void {
    this.role = typeof role === 'string' ? role : null;
    this.processes++;
    this.closedBefore = this.closed;
    this.closed = false;
    for (const [id, open] of this.#statements) {
      if (open.stage === 'cleared') open.left = true;
      else this.#statements.delete(id);
    }
  }

  #consumed(receipt: string, statementId: unknown, seq: number): void {
    if (this.receipts.has(receipt)) this.#report(seq, 'APPROVAL_NOT_CONSUMED', `receipt ${receipt} was given twice`);
    this.receipts.set(receipt, typeof statementId === 'string' ? statementId : '');
  }

  /** Each use stands before the clearance that rests on it, for this statement and no other: here, or in an engine's journal. */
  #approved(id: string, { approval_id: approvalId, receipt }: { readonly approval_id: string; readonly receipt: string }, seq: number): void {
    if (this.#holes || this.receipts.get(receipt) === id) return;
    if (this.role === 'enforcer' && this.elsewhere.length < USES_MAX) this.elsewhere.push({ seq, statementId: id, approvalId, receipt, us: this.us });
    else this.#report(seq, 'APPROVAL_NOT_CONSUMED', `${id} was cleared with ${approvalId}, and no use of it was recorded for it`);
  }
}
