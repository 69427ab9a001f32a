/** P21: what a tree may cost, counted without recursion, before anything recurses over it. */
import type { ParseTree } from './parser.ts';

/** AST nodes a text. */
export const NODES_MAX = 20_000;
/** AST levels: a node inside a node. */
export const DEPTH_MAX = 200;

/** What is exceeded; null: nothing. */
export function overBudget(tree: ParseTree): string | null {
  const values: unknown[] = [];
  const depths: number[] = [];
  for (const statement of tree.stmts) push(values, depths, statement.stmt, 1);
  let nodes = 0;
  while (values.length > 0) {
    const value = values.pop();
    const depth = depths.pop() ?? 0;
    if (Array.isArray(value)) {
      for (const item of value) push(values, depths, item, depth);
      continue;
    }
    nodes += 1;
    if (nodes > NODES_MAX) return `more than ${NODES_MAX} nodes`;
    if (depth > DEPTH_MAX) return `nested deeper than ${DEPTH_MAX} levels`;
    const object = value as Readonly<Record<string, unknown>>;
    for (const key in object) {
      const child = object[key];
      const first = key.charCodeAt(0);
      // a wrapper `{"A_Expr": {…}}` is the node itself
      if (first >= 65 && first <= 90) {
        if (typeof child === 'object' && child !== null) for (const inner of Object.values(child)) push(values, depths, inner, depth + 1);
      } else push(values, depths, child, depth + 1);
    }
  }
  return null;
}

function push(values: unknown[], depths: number[], value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  values.push(value);
  depths.push(depth);
}
