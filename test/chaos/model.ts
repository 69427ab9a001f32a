/** C7: the target holds what a model does that replays the allowed and committed operations: nothing else, nothing twice, no half of a transaction. */
import type { PostgresServer } from '#test/support/postgres';
import type { Finding } from './checks.ts';
import { after } from './under-load.ts';
import type { Operation, Transaction, Workload } from './workload.ts';

const SETTLED_MS = 10_000;

/** @param round part of every marker */
export async function checkModel(
  server: PostgresServer,
  round: string,
  workload: Pick<Workload, 'operations' | 'transactions'>,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const find = (detail: string): void => void findings.push({ check: 'C7 the target is as the model', detail });
  try {
    await settled(server);
    const { rows: notes } = await server.query<{ note: string }>(`SELECT note FROM log WHERE note LIKE 'op\\_${round}\\_%'`);
    checkLog(
      notes.map(({ note }) => note),
      workload.transactions,
      find,
    );
    const { rows: items } = await server.query<{ id: number; note: string }>("SELECT id, note FROM items WHERE note <> 'x'");
    checkItems(new Map(items.map(({ id, note }) => [id, note])), `op_${round}_`, workload.operations, find);
  } catch (error) {
    find(String(error));
  }
  return findings;
}

/** Nothing of a client that is gone runs any more: the server may still be at what it was sent last. */
async function settled(server: PostgresServer): Promise<void> {
  const end = performance.now() + SETTLED_MS;
  for (;;) {
    const { rows } = await server.query<{ left: string }>(
      "SELECT count(*) AS left FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'",
    );
    if (rows[0]?.left === '0') return;
    if (performance.now() > end) throw new Error(`${rows[0]?.left} statements or transactions are still under way after ${SETTLED_MS} ms`);
    await after(50, null);
  }
}

export function checkLog(notes: readonly string[], transactions: readonly Transaction[], find: (detail: string) => void): void {
  const times = new Map<string, number>();
  for (const note of notes) times.set(note, (times.get(note) ?? 0) + 1);
  for (const { operations, begun, answer } of transactions) {
    const there = operations.map(({ marker }) => times.get(marker) ?? 0);
    for (const { marker } of operations) times.delete(marker);
    if (there.some((count) => count > 1)) find(`${markersOf(operations)} stand ${there.join(' and ')} times`);
    if (!begun) continue;
    const markers = markersOf(operations);
    // a COMMIT of a transaction that failed is answered too, with ROLLBACK
    const whole = operations.every((operation) => operation.answer === 'ok');
    if (new Set(there).size > 1) find(`one of ${markers} stands without the other`);
    if (answer === 'ok' && whole && there.includes(0)) find(`${markers} were committed and are not there`);
    if (answer === 'refused' && there.some((count) => count > 0)) find(`${markers} were not committed and are there`);
  }
  for (const note of times.keys()) find(`${note} is in the log and nobody put it there`);
}

function markersOf(operations: readonly Operation[]): string {
  return operations.map(({ marker }) => marker).join(' and ');
}

export function checkItems(
  items: ReadonlyMap<number, string>,
  prefix: string,
  operations: readonly Operation[],
  find: (detail: string) => void,
): void {
  const writes = new Map<number, Operation[]>();
  for (const operation of operations) {
    if (operation.row === undefined) continue;
    const note = items.get(operation.row) ?? 'x';
    writes.set(operation.row, [...(writes.get(operation.row) ?? []), operation]);
    if (operation.answer === 'refused' && note === operation.marker) find(`${note} was refused and stands in row ${operation.row}`);
  }
  for (const [row, those] of writes) {
    const note = items.get(row) ?? 'x';
    const may = those.filter(({ answer }) => answer !== 'refused').map(({ marker }) => marker);
    if (those.some(({ answer }) => answer === 'ok') && !may.includes(note)) find(`row ${row} was written by ${may.join(', ')} and holds ${note}`);
  }
  for (const [row, note] of items) if (note.startsWith(prefix) && !writes.has(row)) find(`${note} stands in row ${row}, which nobody wrote`);
}
