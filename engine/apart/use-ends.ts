/** How approved statements ended, told to the engine: it has the approvals, the enforcer's journal the statements. */
import type { Log } from '#client/log';
import type { UseEnd } from '#schemas/apart';
import type { Dialer } from '../channel/parts.ts';
import { APART_LIMITS } from './limits.ts';
import { ask } from './messages.ts';

/** An end as the enforcer's journal has it, once that is durable. */
export type StatementEnded = Pick<UseEnd, 'outcome' | 'rows'> & { readonly statementId: string };

/** What is read of the journal's events. */
export interface Recorded {
  readonly type: string;
  readonly statement_id?: string;
  readonly approval?: { readonly approval_id: string };
  readonly outcome?: UseEnd['outcome'];
  readonly rows?: number;
}

/** Each engine that is connected is told the last ends once more: what it heard already it passes over. */
export class UseEnds {
  readonly #engines: Pick<Dialer, 'call' | 'onChange' | 'channel'>;
  readonly #log: Log;
  /** By statement. */
  readonly #running = new Map<string, string>();
  readonly #ended = new Map<string, UseEnd>();
  readonly #untold = new Set<string>();
  readonly #stop: () => void;
  #telling = false;

  constructor(engines: Pick<Dialer, 'call' | 'onChange' | 'channel'>, log: Log) {
    this.#engines = engines;
    this.#log = log;
    this.#stop = engines.onChange((channel) => {
      if (channel === null) return;
      for (const id of this.#ended.keys()) this.#untold.add(id);
      void this.#tell();
    });
  }

  began(approvalId: string, statementId: string): void {
    this.#running.set(statementId, approvalId);
    if (this.#running.size > APART_LIMITS.usesRunning) this.#running.delete(this.#running.keys().next().value as string);
  }

  /**
   * What the process before this one ran: its ends, `unknown` for what it left open among them. What
   * began or ended meanwhile is newer.
   */
  async recall(events: AsyncIterable<Recorded>): Promise<void> {
    const cleared = new Map<string, string>();
    for await (const event of events) {
      const id = event.statement_id ?? '';
      if (event.type === 'statement.cleared' && event.approval !== undefined) cleared.set(id, event.approval.approval_id);
      if (event.type !== 'statement.finished' || event.outcome === undefined) continue;
      const approvalId = cleared.get(id);
      cleared.delete(id);
      if (approvalId === undefined || this.#running.has(id) || this.#ended.has(id)) continue;
      this.#keep({ approval_id: approvalId, statement_id: id, outcome: event.outcome, ...(event.rows === undefined ? {} : { rows: event.rows }) });
    }
    void this.#tell();
  }

  runs(statementId: string): boolean {
    return this.#running.has(statementId);
  }

  ended({ statementId, outcome, rows }: StatementEnded): void {
    const approvalId = this.#running.get(statementId);
    if (approvalId === undefined) return;
    this.#running.delete(statementId);
    this.#keep({ approval_id: approvalId, statement_id: statementId, outcome, ...(rows === undefined ? {} : { rows }) });
    void this.#tell();
  }

  close(): void {
    this.#stop();
  }

  #keep(end: UseEnd): void {
    this.#ended.set(end.statement_id, end);
    this.#untold.add(end.statement_id);
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= APART_LIMITS.endsKept) break;
      this.#ended.delete(oldest);
      this.#untold.delete(oldest);
    }
  }

  async #tell(): Promise<void> {
    if (this.#telling) return;
    this.#telling = true;
    try {
      while (this.#untold.size > 0 && this.#engines.channel !== null) await this.#tellSome([...this.#untold].slice(0, APART_LIMITS.endsAtOnce));
    } catch (error) {
      // they are told again with the next end, or to the next engine
      this.#log.warn({ err: error, untold: this.#untold.size }, 'how approved statements ended could not be told to the engine');
    } finally {
      this.#telling = false;
    }
  }

  async #tellSome(ids: readonly string[]): Promise<void> {
    const ends = ids.map((id) => this.#ended.get(id)).filter((end) => end !== undefined);
    for (const id of ids) this.#untold.delete(id);
    try {
      await ask(this.#engines, 'approvals.ended', { ends }, { deadlineMs: APART_LIMITS.answerMs });
    } catch (error) {
      for (const id of ids) if (this.#ended.has(id)) this.#untold.add(id);
      throw error;
    }
  }
}
