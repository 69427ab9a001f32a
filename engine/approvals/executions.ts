/** What became of the uses of an approval: they run, and end once. Nothing here starts anything again. */
import { timestamp } from '#client/clock';
import type { Core } from './core.ts';
import { USES_KEPT } from './fold.ts';
import type { ApprovalRecord, StatementEnd } from './record.ts';
import type { SharedEnd } from './ordering/parts.ts';
import type { Entry, Execution } from './store.ts';

export function began(core: Core, entry: Entry, statementId: string): void {
  if (entry.executions.has(statementId)) return;
  core.running.set(statementId, entry);
  put(core, entry, statementId, { outcome: 'running' });
}

export function ended(core: Core, end: StatementEnd): void {
  const { statementId, outcome, rows } = end;
  const entry = core.running.get(statementId) ?? begunBefore(core, end);
  if (!entry) return;
  core.running.delete(statementId);
  put(core, entry, statementId, { outcome, ...(rows !== undefined && { rows }) });
  const { approvalId } = entry.record;
  core.ordered.tellEnd({ approvalId, statementId, outcome, ...(rows !== undefined && { rows }), time: timestamp(core.clock.wallUs()) });
}

/** It ran when this engine was started: its enforcer has gone on meanwhile, and says so now. */
function begunBefore(core: Core, { approvalId, statementId }: StatementEnd): Entry | null {
  const entry = approvalId === undefined ? undefined : core.store.get(approvalId);
  if (!entry || !entry.record.uses.some((use) => use.statementId === statementId)) return null;
  return open(entry.executions.get(statementId)) ? entry : null;
}

/** Where the end is not known, whoever knows it is believed. */
function open(known: Execution | undefined): boolean {
  return known === undefined || known.outcome === 'running' || known.outcome === 'unknown';
}

/** Another engine says how a use ended that its enforcers told it of. */
export function endedElsewhere(core: Core, { approvalId, statementId, outcome, rows, time }: SharedEnd): void {
  const entry = core.store.get(approvalId);
  if (!entry || !entry.record.uses.some((use) => use.statementId === statementId)) return;
  if (!open(entry.executions.get(statementId))) return;
  core.running.delete(statementId);
  keep(core, entry, statementId, { outcome, ...(rows !== undefined && { rows }), time });
}

/** What the own journal tells at the start, where nothing newer is known. */
export function told({ uses }: ApprovalRecord, executions: Map<string, Execution>, ends: ReadonlyMap<string, Execution>): void {
  for (const { statementId } of uses) {
    const end = ends.get(statementId);
    if (end && !executions.has(statementId)) executions.set(statementId, end);
  }
}

function put(
  core: Core,
  entry: Entry,
  statementId: string,
  what: Pick<StatementEnd, 'rows'> & { readonly outcome: StatementEnd['outcome'] | 'running' },
): void {
  keep(core, entry, statementId, { ...what, time: timestamp(core.clock.wallUs()) });
}

function keep(core: Core, { executions, record }: Entry, statementId: string, execution: Execution): void {
  executions.set(statementId, execution);
  for (const [oldest] of executions) {
    if (executions.size <= USES_KEPT) break;
    executions.delete(oldest);
    core.running.delete(oldest);
  }
  if (!core.restoring) core.listeners.say({ approvalId: record.approvalId, about: 'executed', state: record.state, here: true });
}
