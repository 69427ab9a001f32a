/**
 * The transaction around an approved write (SECURITY A3): what was approved is looked at again under its locks, and what was touched is
 * counted before anything of it can be committed. Everything marked `own` is the gateway's: it is not judged, and names nothing that the
 * client could mean otherwise.
 *
 *   client                      target
 *   idle, Query Q               own  BEGIN, LOCK TABLE …, survey            Sync
 *                               Q                                          its answers are kept back
 *                               own  rows touched, COMMIT or ROLLBACK       Sync
 *   idle, … Execute E, Sync     own  BEGIN, LOCK TABLE …, survey            Flush, behind the Parse and Bind of the same segment: they hold the
 *                               E                                          locks of what they mean by their names
 *                               own  rows touched                           Flush
 *                               own  COMMIT or ROLLBACK                     Sync, in place of the client's own
 *   after BEGIN, Q or E         the same without BEGIN, COMMIT, ROLLBACK: a difference leaves a failed transaction
 *
 * The client is told what it would be told without all this, after the COMMIT. A connection that ends before the COMMIT has left takes
 * everything back; one that ends after it leaves `unknown`.
 */
import type { Clock } from '#client/clock';
import type { Journal } from '#client/journal';
import type { ClearedStatement, Use } from '#enforcers/common/cleared';
import { LIMITS } from '#enforcers/common/limits';
import { noLongerFits, refusal, type Refusal } from '#enforcers/common/refusal';
import { difference } from '#enforcers/common/survey';
import { cannedReport } from './canned.ts';
import type { FinishOutcome, Running } from './expected.ts';
import type { Line, Told } from './line.ts';
import type { Outcomes } from './outcomes.ts';
import { B, ready, report, TRANSACTION } from './protocol.ts';
import type { Sink } from './replies.ts';
import { literal, TOUCHED_SQL } from './survey-sql.ts';
import { documentOf, objectsOf, questionOf } from './survey.ts';
import { countsOf, tooMany, type Counts } from './touched.ts';
import { Withheld } from './withheld.ts';

export interface ControlHost {
  readonly line: Line;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly outcomes: Outcomes;
  /** Answers of the target go there; null: to the client, as usual. */
  divert(to: Sink | null): void;
  toClient(bytes: Uint8Array): void;
  /** Texts of the target are withheld (M14). */
  canned(): boolean;
  alive(): boolean;
  /** The transaction is over, and the client is idle. */
  ended(): void;
}

/** `ours`: the client has no transaction; `theirs`: it has one; `check`: it only reads, and is looked at again before. */
export type Way = 'ours' | 'theirs' | 'check';

/** A statement that is to run, and how its message is sent. */
export interface Approved {
  readonly cleared: ClearedStatement;
  readonly use: Use;
  readonly way: Way;
  readonly message: 'query' | 'execute';
  /** Puts the client's bytes behind what is to leave. */
  readonly send: (controlled: Running['controlled']) => Running;
}

/** `said`: the client knows already why it does not run; null: it ran, and the client knows what came of it. */
export type Verdict = Refusal | 'said' | null;

export class Controlled {
  readonly #host: ControlHost;
  readonly #kept: Withheld = new Withheld();
  /** Our transaction is open at the target: its states are not the client's. */
  active = false;
  /** It waits for the end of the client's segment. */
  open = false;
  /** ReadyForQuery said last. */
  #status: number = TRANSACTION.idle;
  /** Ran well, and is not committed yet. */
  #uncommitted: Running | null = null;
  /** Rows that were touched before it. */
  #before: Counts = {};

  constructor(host: ControlHost) {
    this.#host = host;
  }

  /** ReadyForQuery while `active`: nothing of it is for the client. */
  ready(status: number): 0 {
    this.#status = status;
    return 0;
  }

  async run(approved: Approved): Promise<Verdict> {
    const { cleared, way, message } = approved;
    let sent = false;
    try {
      const why = await this.#enter(approved);
      if (why !== null) {
        this.#host.outcomes.withheld(cleared, sqlstateOf(why));
        return await this.#refused(approved, why);
      }
      sent = true;
      if (way === 'check') {
        approved.send(null);
        return null;
      }
      const { running, outcome } = await this.#sent(approved);
      if (outcome !== 'ok') return await this.#failed(approved, running, outcome);
      const differs = await this.#touchedTooMany(approved);
      if (differs !== null) return await this.#takenBack(approved, running, differs);
      if (way === 'theirs') return this.#recorded(running, 'ok');
      this.#uncommitted = running;
      this.open = message === 'execute';
      if (!this.open) await this.#commit('query');
      return null;
    } catch (error) {
      // the session ends by it; the target takes back what was not committed
      if (!sent) this.#host.outcomes.withheld(cleared);
      this.lost();
      throw error;
    }
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
    this.#giveUp();
    this.active = false;
    this.open = false;
  }

  // — before —

  async #enter({ cleared, use, way, message }: Approved): Promise<Verdict> {
    const host = this.#host;
    await host.journal.durable(cleared.intent);
    if (!host.alive()) return 'said';
    const ceiling = use.rowCeiling;
    if (ceiling !== null && cleared.statement.facts.effects.some(({ verb }) => verb === 'truncate')) {
      return this.#differs(use, `TRUNCATE does not tell how many rows it takes, and it was approved for at most ${ceiling}`);
    }
    const survey = questionOf(cleared.statement.facts);
    if (way === 'check') return this.#surveyed(await this.#own([survey]), 0, use);
    // a segment that is open takes part; a Query ends it first, so that an error of ours cannot stand in it
    if (message === 'query' && host.line.open) await this.#own([], true);
    this.active = way === 'ours';
    const told = await this.#own([...(way === 'ours' ? ['BEGIN'] : []), ...lockTexts(use), survey, ...(ceiling === null ? [] : [TOUCHED_SQL])]);
    const why = this.#surveyed(told, 1, use);
    if (why !== null) return why;
    this.#before = countsOf(told.values[2]);
    return this.#unlimited(await this.#own([`SET LOCAL lock_timeout = ${literal(told.values[0] ?? '0')}`]), cleared, use);
  }

  #surveyed(told: Told, at: number, use: Use): Verdict {
    if (told.failed) return this.#trouble(told, use);
    const document = documentOf(told.values[at]);
    for (const [name, value] of Object.entries(document.settings)) {
      const approved = use.settings[name];
      if (approved !== undefined && approved !== value) return this.#differs(use, `${name} was ${approved} when it was approved; now it is ${value}`);
    }
    const differs = difference(use.survey.objects, objectsOf(document));
    return differs === null ? null : this.#differs(use, differs);
  }

  #unlimited(told: Told, cleared: ClearedStatement, use: Use): Verdict {
    if (told.failed) return this.#trouble(told, use);
    if (!this.#host.alive()) return 'said';
    const ageMs = (this.#host.clock.monotonicUs() - cleared.decidedUs) / 1000;
    return ageMs < LIMITS.decisionMs - MARGIN_MS ? null : this.#differs(use, 'its locks took so long that it would have to be decided again');
  }

  /** Our own texts were refused, or dropped because of what the client sent before them. */
  #trouble({ fields }: Told, use: Use): Verdict {
    if (fields === null) return 'said';
    if (fields['C'] === '57014')
      return refusal('CANCELLED', 'canceling statement due to user request', { detail: use.detail, hint: 'The approval is used up.' });
    const words = this.#host.canned() ? '' : `: ${fields['M'] ?? ''}`;
    return this.#differs(use, `the target said ${fields['C'] ?? 'XX000'} when it was to be locked and looked at again${words}`);
  }

  #differs(use: Use, what: string): Refusal {
    return noLongerFits(use.approval.id, what, use.detail);
  }

  /** It never ran. */
  async #refused({ way, message }: Approved, why: Refusal | 'said'): Promise<Verdict> {
    if (way !== 'ours') return why;
    // a segment ends with the client's Sync, and our transaction with it
    if (message === 'execute') this.open = this.active;
    else {
      await this.#rollback();
      this.active = false;
    }
    return why;
  }

  // — while it runs —

  async #sent({ message, send }: Approved): Promise<{ readonly running: Running; readonly outcome: FinishOutcome }> {
    const { promise, resolve } = Promise.withResolvers<FinishOutcome>();
    this.#kept.drop();
    this.#host.divert(this.#kept);
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

  async #touchedTooMany({ use }: Approved): Promise<Refusal | null> {
    if (this.#kept.overflown) return tooLong(use);
    if (use.rowCeiling === null) return null;
    const told = await this.#own([TOUCHED_SQL]);
    if (told.failed) return this.#differs(use, 'the rows that it touched could not be counted');
    const found = tooMany(use.rowCeiling, this.#kept.written, this.#before, countsOf(told.values[0]));
    return found === null ? null : this.#differs(use, found);
  }

  async #takenBack({ way, message }: Approved, running: Running, why: Refusal): Promise<Verdict> {
    this.#drop();
    running.sqlstate = why.sqlstate;
    this.#host.outcomes.record(running, 'aborted');
    if (way === 'ours' && message === 'query') {
      await this.#rollback();
      this.active = false;
    } else this.open = way === 'ours';
    return why;
  }

  #recorded(running: Running, outcome: FinishOutcome): null {
    this.#host.outcomes.record(running, outcome);
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

  #give(): void {
    this.#host.divert(null);
    const kept = this.#kept.take();
    if (kept.length > 0) this.#host.toClient(kept);
  }

  #drop(): void {
    this.#host.divert(null);
    this.#kept.drop();
  }

  #own(texts: readonly string[], sync?: boolean): Promise<Told> {
    return this.#host.line.tell(texts, sync);
  }
}

/** Between what is looked at and what leaves. */
const MARGIN_MS = 500;

function lockTexts({ survey }: Use): string[] {
  const modes = Map.groupBy(survey.locks, ({ mode }) => mode);
  const locks = [...modes].map(([mode, some]) => `LOCK TABLE ${some.map(({ object }) => object).join(', ')} IN ${mode} MODE`);
  return ['SHOW lock_timeout', `SET LOCAL lock_timeout = ${LIMITS.approvedLockMs}`, ...locks];
}

function outcomeOf(told: Told, lost: boolean): FinishOutcome {
  if (!told.failed) return 'ok';
  if (told.fields !== null) return 'error';
  return lost ? 'unknown' : 'aborted';
}

function sqlstateOf(why: Refusal | 'said'): string | null {
  return why === 'said' ? null : why.sqlstate;
}

function tooLong(use: Use): Refusal {
  const message = `an approved write answers at most ${LIMITS.withheldBytes} bytes, because they are kept back until it is committed`;
  return refusal('BUDGET_SEGMENT', message, {
    detail: use.detail,
    hint: 'Return fewer rows or columns. Nothing was committed, and the approval is used up.',
  });
}
