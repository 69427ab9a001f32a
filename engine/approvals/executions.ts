/** What became of the uses of an approval: they run, and end once. Nothing here starts anything again. */
import { timestamp } from '#client/clock';
import type { Core } from './core.ts';
import { USES_KEPT } from './fold.ts';
import type { StatementEnd } from './record.ts';
import type { Entry } from './store.ts';

export function began(core: Core, entry: Entry, statementId: string): void {
  if (entry.executions.has(statementId)) return;
  core.running.set(statementId, entry);
  put(core, entry, statementId, { outcome: 'running' });
}

export function ended(core: Core, { statementId, outcome, rows }: StatementEnd): void {
  const entry = core.running.get(statementId);
  if (!entry) return;
  core.running.delete(statementId);
  put(core, entry, statementId, { outcome, ...(rows !== undefined && { rows }) });
}

function put(
  core: Core,
  entry: Entry,
  statementId: string,
  what: Pick<StatementEnd, 'rows'> & { readonly outcome: StatementEnd['outcome'] | 'running' },
): void {
  const { executions, record } = entry;
  executions.set(statementId, { ...what, time: timestamp(core.clock.wallUs()) });
  for (const [oldest] of executions) {
    if (executions.size <= USES_KEPT) break;
    executions.delete(oldest);
    core.running.delete(oldest);
  }
  core.listeners.say({ approvalId: record.approvalId, about: 'executed', state: record.state, here: true });
}
