/** EXPLAIN for a reviewer: of the exact text with the parameters that were bound, in a read-only transaction of the gateway's own. */
import type { DraftEstimate } from '#client/approvals';
import { LIMITS } from '#enforcers/common/limits';
import type { FunctionClass, SqlFacts } from '#schemas/sql-facts';
import type { SqlKind } from '#schemas/sql-kinds';
import type { OwnRows } from './own-client.ts';
import { codeAtPlanning, type SurveyDocument } from './survey.ts';

/** Runs one text with the parameters of the statement. */
export type Explain = (sql: string) => Promise<OwnRows>;

/** Planning may run functions: those of the server that only compute, or look at its catalog. */
const HARMLESS: ReadonlySet<FunctionClass> = new Set(['pure', 'catalog']);
const EXPLAINED: ReadonlySet<SqlKind> = new Set<SqlKind>(['select', 'values', 'table', 'insert', 'update', 'delete', 'merge']);
const CANCELED = '57014';

/** Never rejects for what the target says of a plan: then the estimate says that there is none, and why. */
export async function estimateOf(facts: SqlFacts, text: Uint8Array, document: SurveyDocument, explain: Explain): Promise<DraftEstimate> {
  const top = facts.statements.filter(({ parent, class: kind }) => parent === null && kind !== 'session');
  const other = top.find(({ kind }) => !EXPLAINED.has(kind));
  if (other || top.length === 0)
    return { state: 'none', detail: other ? `no plan is made for ${other.kind.replaceAll('_', ' ')}` : 'nothing to plan' };
  const code = codeOf(facts) ?? codeAtPlanning(document);
  if (code !== null) return { state: 'refused', detail: `planning it could run ${code}` };
  const plans: Plan[] = [];
  for (const { span } of top) {
    const plan = await planOf(Buffer.from(text.subarray(span.start, span.end)).toString(), explain);
    if ('state' in plan) return plan;
    plans.push(plan);
  }
  return summed(plans);
}

function codeOf(facts: SqlFacts): string | null {
  if (facts.opaque.length > 0) return `what is not known of it: ${facts.opaque[0]?.detail ?? ''}`;
  for (const { functions } of facts.statements) {
    const found = functions.find((use) => !HARMLESS.has(use.class));
    if (found) return found.name;
  }
  return null;
}

interface Plan {
  readonly rows: number;
  readonly cost: number;
  readonly text: string;
}

async function planOf(sql: string, explain: Explain): Promise<Plan | DraftEstimate> {
  const numbers = await explain(`EXPLAIN (FORMAT JSON) ${sql}`);
  if (numbers.failure) return failed(numbers.failure);
  const words = await explain(`EXPLAIN (FORMAT TEXT) ${sql}`);
  if (words.failure) return failed(words.failure);
  const root = rootOf(numbers.rows[0]?.[0] ?? '');
  if (root === null) return { state: 'error', detail: 'the plan could not be read' };
  return { rows: rowsOf(root), cost: numberOf(root['Total Cost']), text: words.rows.map((row) => row[0] ?? '').join('\n') };
}

function failed(fields: Readonly<Record<string, string>>): DraftEstimate {
  if (fields['C'] === CANCELED) return { state: 'timeout', detail: `no plan within ${LIMITS.explainMs} ms` };
  return { state: 'error', detail: `${fields['C'] ?? ''} ${fields['M'] ?? ''}`.slice(0, 500) };
}

type PlanNode = Readonly<Record<string, unknown>>;

function rootOf(json: string): PlanNode | null {
  try {
    const [first] = JSON.parse(json) as { Plan?: PlanNode }[];
    return first?.Plan ?? null;
  } catch {
    return null; // said as an estimate that could not be had
  }
}

/** Rows that are written: what the nodes below each ModifyTable give; of a statement that writes nothing, what it gives itself. */
function rowsOf(root: PlanNode): number {
  const written = nodesOf(root).filter((node) => node['Node Type'] === 'ModifyTable');
  if (written.length === 0) return numberOf(root['Plan Rows']);
  const inputs = written.flatMap((node) => childrenOf(node).filter((child) => ['Outer', 'Member'].includes(String(child['Parent Relationship']))));
  return inputs.reduce((sum, node) => sum + numberOf(node['Plan Rows']), 0);
}

function nodesOf(node: PlanNode): PlanNode[] {
  const found: PlanNode[] = [];
  const waiting = [node];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    found.push(next);
    waiting.push(...childrenOf(next));
  }
  return found;
}

function childrenOf(node: PlanNode): readonly PlanNode[] {
  return Array.isArray(node['Plans']) ? (node['Plans'] as PlanNode[]) : [];
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : 0;
}

function summed(plans: readonly Plan[]): DraftEstimate {
  const rows = plans.reduce((sum, plan) => sum + plan.rows, 0);
  const cost = plans.reduce((sum, plan) => sum + plan.cost, 0);
  const bytes = Buffer.from(plans.map(({ text }) => text).join('\n\n'));
  if (bytes.length > LIMITS.planBytes) return { state: 'ok', rows, cost, detail: `the plan has ${bytes.length} bytes and is not kept` };
  return { state: 'ok', rows, cost, plan: { bytes, media: 'text' } };
}
