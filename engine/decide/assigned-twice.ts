import type { Block, Stmt } from './plan.ts';

/** Statements that can find their target already assigned: another one has the same target, or it stands in a scan. */
export function assignedTwice(blocks: readonly Block[]): ReadonlySet<Stmt> {
  const byTarget = new Map<number, Stmt[]>();
  const repeated = new Set<Stmt>();
  const visit = (block: Block, inScan: boolean): void => {
    for (const entry of block.stmts ?? []) {
      if (entry.type === 'AssignVarOnceStmt') {
        byTarget.set(entry.stmt.target, [...(byTarget.get(entry.stmt.target) ?? []), entry]);
        if (inScan) repeated.add(entry);
      } else if (entry.type === 'BlockStmt') for (const inner of entry.stmt.blocks ?? []) visit(inner, inScan);
      else if (entry.type === 'ScanStmt') visit(entry.stmt.block, true);
      else if (entry.type === 'NotStmt' || entry.type === 'WithStmt') visit(entry.stmt.block, inScan);
    }
  };
  for (const block of blocks) visit(block, false);
  for (const entries of byTarget.values()) if (entries.length > 1) for (const entry of entries) repeated.add(entry);
  return repeated;
}
