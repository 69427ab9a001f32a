/**
 * The transaction around an approved write (SECURITY A3): what was approved is looked at again under its locks, and what was touched is
 * counted before anything of it can be committed. Everything marked `own` is the gateway's: it is not judged, and names nothing that the
 * client could mean otherwise.
 *
 *   client                      target
 *   idle, Query Q               own  BEGIN, LOCK TABLE …, survey               Sync
 *                                    — the approval is used, its use is recorded —
 *                               Q                                             its answers are kept back
 *                               own  survey, rows touched, COMMIT or ROLLBACK     Sync
 *   idle, … Execute E, Sync     own  BEGIN, LOCK TABLE …, survey               Flush, behind what left of the same segment
 *                                    — the approval is used, its use is recorded —
 *                               Bind, E                                        names that mean something else by now are seen after it ran
 *                               own  survey, rows touched                      Flush
 *                               own  COMMIT or ROLLBACK                        Sync, in place of the client's own
 *   after BEGIN, Q or E         the same without BEGIN, COMMIT, ROLLBACK: a difference leaves a failed transaction
 *
 * What fails above the line uses no approval: the same statement, run again, has it. Below it the use stands in the record and nothing is tried again.
 * The client is told what it would be told without all this, after the COMMIT. A connection that ends before the COMMIT has left takes
 * everything back; one that ends after it leaves `unknown`.
 */
import type { Clock } from '#client/clock';
import type { Journal } from '#client/journal';
import type { ClearedStatement, Use } from '#enforcers/common/cleared';
import { LIMITS } from '#enforcers/common/limits';
import { refusal, refusalOf, type Refusal } from '#enforcers/common/refusal';
import { cannedReport } from './canned.ts';
import type { FinishOutcome, Running } from './expected.ts';
import type { Told } from './line.ts';
import { differs, lookAgain, lookBack, uncountable, type Approved, type Entering, type Found, type Looking, type Verdict } from './look-again.ts';
import type { Outcomes } from './outcomes.ts';
import { B, ready, report, TRANSACTION } from './protocol.ts';
import type { Sink } from './replies.ts';
import { Withheld } from './withheld.ts';

export interface ControlHost extends Looking {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly outcomes: Outcomes;
  /** Answers of the target go there; null: to the client, as usual. */
  divert(to: Sink | null): void;
  toClient(bytes: Uint8Array): void;
  /** The transaction is over, and the client is idle. */
  ended(): void;
}

export class Controlled {
  readonly #host: ControlHost;
  readonly #kept: Withheld = new Withheld();
  /** Our transaction is open at the target: its states are not the client's. */
  active = false;
  /** It waits for the end of the client's segment. */
  open = false;
  /** ReadyForQuery said last. */
  #status: number = TRANSACTION.idle;
  /** Its intent stands in the journal, and it has not been sent. */
  #unrecorded: ClearedStatement | null = null;
  /** Ran well, and is not committed yet. */
  #uncommitted: Running | null = null;
  #withholds = false;
  #found: Found | null = null;
  /** A text of ours ended the client's segment, and the client has not been told. */
  #untold = false;

  constructor(host: ControlHost) {
    this.#host = host;
  }

  /** What the target says now, be it its last word, does not reach the client. */
  get withholds(): boolean {
    return this.#withholds;
  }

  /** ReadyForQuery while `active`: nothing of it is for the client. */
  ready(status: number): 0 {
    this.#status = status;
    return 0;
  }

  /** Our transaction is open for a Query that has not been sent. */
  get entered(): boolean {
    return this.active && !this.open;
  }

  /** Asked once: whether the refusal of what was entered is the first that the client hears of its segment's end. */
  takeUntold(): boolean {
    const untold = this.#untold;
    this.#untold = false;
    return untold;
  }

  /** Before the approval is used: the transaction, the locks, the last look. */
  async enter(entering: Entering): Promise<Refusal | null> {
    const { way, message } = entering;
    const unknowable = uncountable(entering);
    if (unknowable !== null) return unknowable;
    this.active = way === 'ours';
    // a segment ends with the client's Sync, and our transaction with it, whatever becomes of the statement
    this.open = this.active && message === 'execute';
    this.#found = await lookAgain(entering, this.#host);
    const { verdict } = this.#found;
    this.#untold = verdict !== null && verdict !== 'said';
    return verdict === 'said' ? refusal('CANCELLED', 'what stands before it in its segment has failed; the approval is not used') : verdict;
  }

  /** What was entered does not run. */
  async leave(): Promise<void> {
    await this.#rollback();
    this.active = false;
  }

  async run(approved: Approved): Promise<Verdict> {
    this.#unrecorded = approved.cleared;
    try {
      return await this.#run(approved);
    } catch (error) {
      // the session ends by it, and the target takes back what was not committed
      this.lost();
      throw error;
    } finally {
      this.#unrecorded = null;
    }
  }

  async #run(approved: Approved): Promise<Verdict> {
    const { cleared, way, message } = approved;
    const verdict = (await this.#undurable(approved)) ?? this.#late(approved) ?? (this.#host.alive() ? null : 'said');
    // the session ended while the disk or the target was waited for: it stands in the record already, and nothing leaves
    if (this.#unrecorded === null) return 'said';
    this.#unrecorded = null;
    if (verdict !== null) {
      this.#host.outcomes.withheld(cleared, verdict === 'said' ? null : verdict.sqlstate);
      return this.#refused(verdict);
    }
    if (way === 'check') {
      approved.send(null);
      return null;
    }
    const { running, outcome } = await this.#sent(approved);
    if (outcome !== 'ok') return this.#failed(approved, running, outcome);
    this.#uncommitted = running;
    const why = await this.#lookedBack(approved);
    if (this.#uncommitted === null) return 'said';
    if (why !== null) return this.#takenBack(approved, running, why);
    if (way === 'theirs') return this.#passed(running);
    this.open = message === 'execute';
    if (this.open) this.#kept.spillTo((bytes) => this.#host.toClient(bytes));
    else await this.#commit('query');
    return null;
  }

  /** The client's Sync: what ran is committed. `dead`: the target drops everything up to Sync. `tells`: with ReadyForQuery. */
  async end(dead: boolean, tells: boolean): Promise<void> {
    this.open = false;
    if (dead) {
      await this.#own([], true);
      await this.#rollback();
      this.#giveUp();
      this.#over(tells);
    } else await this.#commit(tells ? 'sync' : 'quiet');
  }

  /** The client's Flush: it waits for an answer before it goes on. What it is given has been counted, and is not yet committed, as without us. */
  flush(): void {
    if (this.open) this.#give();
  }

  /** The connection is gone, or the session ends: nothing was committed. */
  lost(): void {
    if (this.#unrecorded) this.#host.outcomes.withheld(this.#unrecorded);
    this.#unrecorded = null;
    this.#giveUp();
    this.active = false;
    this.open = false;
    this.#untold = false;
  }

  // — before —

  /** Why its intent is not where it has to be; null: it is. */
  async #undurable({ cleared }: Approved): Promise<Refusal | null> {
    const { journal } = this.#host;
    try {
      await journal.durable(cleared.intent);
      return null;
    } catch (error) {
      if (journal.fault !== null) throw error;
      const why = refusalOf(error);
      return { ...why, hint: `${why.hint ?? ''} The approval is used up.`.trim() };
    }
  }

  /** Its decision must still be good when it leaves (M6). */
  #late({ cleared, use }: Approved): Refusal | null {
    const ageMs = (this.#host.clock.monotonicUs() - cleared.decidedUs) / 1000;
    return ageMs < LIMITS.decisionMs - MARGIN_MS ? null : differs(use, 'recording its use took so long that it would have to be decided again');
  }

  /** It never ran. */
  async #refused(why: Refusal | 'said'): Promise<Verdict> {
    if (this.entered) await this.leave();
    return why;
  }

  // — while it runs —

  async #sent({ message, send }: Approved): Promise<{ readonly running: Running; readonly outcome: FinishOutcome }> {
    const { promise, resolve } = Promise.withResolvers<FinishOutcome>();
    this.#kept.drop();
    this.#withhold(true);
    const running = send(resolve);
    if (message === 'execute') this.#host.line.flush();
    this.#host.line.send();
    return { running, outcome: await promise };
  }

  /** The target's own error: the client hears it in the target's words. */
  async #failed({ way, message }: Approved, running: Running, outcome: FinishOutcome): Promise<null> {
    // without a COMMIT nothing of ours can have stayed
    this.#host.outcomes.record(running, way === 'ours' && outcome === 'unknown' ? 'aborted' : outcome);
    if (way === 'ours' && message === 'query') {
      await this.#rollback();
      this.#over(true);
    } else {
      this.open = way === 'ours';
      this.#give();
    }
    return null;
  }

  async #lookedBack(approved: Approved): Promise<Refusal | null> {
    if (this.#kept.overflown) return tooLong(approved.use);
    return this.#found && lookBack(approved, this.#found, this.#kept.written, this.#host);
  }

  async #takenBack({ way, message }: Approved, running: Running, why: Refusal): Promise<Verdict> {
    this.#drop();
    this.#uncommitted = null;
    running.sqlstate = why.sqlstate;
    this.#host.outcomes.record(running, 'aborted');
    if (way === 'ours' && message === 'query') {
      await this.#rollback();
      this.active = false;
    } else this.open = way === 'ours';
    return why;
  }

  /** The client's own transaction goes on. */
  #passed(running: Running): null {
    this.#uncommitted = null;
    this.#host.outcomes.record(running, 'ok');
    this.#give();
    return null;
  }

  // — after —

  async #commit(how: 'query' | 'sync' | 'quiet'): Promise<void> {
    const running = this.#uncommitted;
    this.#uncommitted = null;
    if (!this.#host.alive()) return void (running && this.#host.outcomes.record(running, 'aborted'));
    const told = await this.#own(['COMMIT'], true);
    const lost = told.failed && told.fields === null && !this.#host.alive();
    if (told.fields !== null && running) running.sqlstate = told.fields['C'] ?? 'XX000';
    if (running) this.#host.outcomes.record(running, outcomeOf(told, lost));
    if (told.fields !== null) {
      this.#drop();
      this.#host.toClient(report(B.error, this.#host.canned() ? cannedReport(told.fields) : told.fields));
    }
    await this.#rollback();
    this.#over(how !== 'quiet');
  }

  /** Where our transaction has failed, or was not to be committed. */
  async #rollback(): Promise<void> {
    if (this.#status !== TRANSACTION.idle && this.#host.alive()) await this.#own(['ROLLBACK'], true);
  }

  #over(tells: boolean): void {
    this.active = false;
    this.open = false;
    this.#give();
    if (!this.#host.alive()) return;
    if (tells) this.#host.toClient(ready(TRANSACTION.idle));
    this.#host.ended();
  }

  #giveUp(): void {
    const running = this.#uncommitted;
    this.#uncommitted = null;
    if (running) this.#host.outcomes.record(running, 'aborted');
  }

  #withhold(withholds: boolean): void {
    this.#withholds = withholds;
    this.#host.divert(withholds ? this.#kept : null);
  }

  #give(): void {
    this.#withhold(false);
    const kept = this.#kept.take();
    if (kept.length > 0) this.#host.toClient(kept);
  }

  #drop(): void {
    this.#withhold(false);
    this.#kept.drop();
  }

  #own(texts: readonly string[], sync?: boolean): Promise<Told> {
    return this.#host.line.tell(texts, sync);
  }
}

/** Between what is looked at and what leaves. */
const MARGIN_MS = 500;

function outcomeOf(told: Told, lost: boolean): FinishOutcome {
  if (!told.failed) return 'ok';
  if (told.fields !== null) return 'error';
  return lost ? 'unknown' : 'aborted';
}

function tooLong(use: Use): Refusal {
  const message = `an approved write answers at most ${LIMITS.withheldBytes} bytes, because they are kept back until it is committed`;
  return refusal('BUDGET_SEGMENT', message, {
    detail: use.detail,
    hint: 'Return fewer rows or columns. Nothing was committed, and the approval is used up.',
  });
}
