/** At start: how the statements that used approvals ended, as the journal tells it. */
import type { Event } from '#schemas/event';
import type { ApprovalRecord } from './record.ts';
import type { Execution } from './store.ts';

/** Uses that are looked for at once. Past it the oldest is forgotten: it is then shown without an end, never with a wrong one. */
const USES_MAX = 100_000;

export class Uses {
  /** `cleared`: it may have run, as far as the own journal tells: of an enforcer elsewhere it tells nothing. */
  readonly #uses = new Map<string, Execution & { readonly cleared: boolean }>();

  note(event: Event): void {
    if (event.type === 'approval.consumed') this.#began(event.statement_id ?? '', event.time, isApart(event.enforcer));
    if (this.#uses.size === 0 || event.statement_id === undefined) return;
    const use = this.#uses.get(event.statement_id);
    if (!use) return;
    const { time } = event;
    if (event.type === 'statement.cleared') this.#uses.set(event.statement_id, { ...use, cleared: true });
    else if (event.type === 'statement.finished') {
      const { outcome, rows } = event;
      this.#uses.set(event.statement_id, { outcome, ...(rows !== undefined && { rows }), time, cleared: true });
    } else if (event.type === 'statement.refused' && !use.cleared) this.#uses.set(event.statement_id, { outcome: 'aborted', time, cleared: false });
  }

  forget(record: ApprovalRecord | undefined): void {
    for (const { statementId } of record?.uses ?? []) this.#uses.delete(statementId);
  }

  /** Whatever still ran then runs no more. Consumed and never cleared was never sent; cleared without an end, nobody knows. */
  ended(): ReadonlyMap<string, Execution> {
    const ends = [...this.#uses].map(([id, { cleared, ...use }]): [string, Execution] => [
      id,
      use.outcome === 'running' ? { ...use, outcome: cleared ? 'unknown' : 'aborted' } : use,
    ]);
    return new Map(ends);
  }

  #began(statementId: string, time: string, apart: boolean): void {
    this.#uses.set(statementId, { outcome: 'running', time, cleared: apart });
    if (this.#uses.size > USES_MAX) this.#uses.delete(this.#uses.keys().next().value as string);
  }
}

/** `shop-1/postgresql/shop`: by the name of its certificate; in one process it is `postgresql/shop`. */
function isApart(enforcer: string): boolean {
  return enforcer.split('/').length > 2;
}
