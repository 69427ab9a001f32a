/** When one approval may serve for statements that differ in their values only: a grant for a shape, within a session. */
import { createHash } from 'node:crypto';
import type { ApprovalDraft } from '#client/approvals';
import type { Requirement } from '#schemas/decision';
import { type Facts, isSql } from '#schemas/facts';
import type { SqlFacts, SqlStatement } from '#schemas/sql-facts';

/** Indexes of the bind parameters whose value is code, or names what is done. */
export type CodeParams = (facts: Facts) => ReadonlySet<number>;

/**
 * What such a grant is bound to in the place of payload and parameters: every statement's shape, in order. null: the exact statement, because
 * policy says so, or because its values could say what is done: then the grant is narrower than policy asked, never wider.
 */
export function shapeOf(
  draft: ApprovalDraft,
  { grant, bind_session }: Pick<Requirement, 'grant' | 'bind_session'>,
  codeParams?: CodeParams,
): string | null {
  if (grant.of !== 'shape' || !bind_session) return null;
  const { facts, params } = draft;
  // an HTTP request or a call of a tool has no shape: its exact payload is approved
  if (!isSql(facts) || !facts.parsed || facts.opaque.length > 0 || facts.statements.length === 0) return null;
  if (params !== null && (codeParams === undefined || codeParams(facts).size > 0)) return null;
  if (facts.params.some((param) => param.flows_to_code)) return null;
  if (!facts.statements.every((statement) => differsInValuesOnly(statement, facts))) return null;
  // how many rows at most is no value like another
  const shapes = facts.statements.map(({ shape, limit }) => (typeof limit === 'number' ? `${shape} limit ${limit}` : shape));
  const [only] = shapes;
  if (shapes.length === 1 && only !== undefined && only === facts.statements[0]?.shape) return only;
  return `sha256:${createHash('sha256').update(JSON.stringify(shapes)).digest('hex')}`;
}

const OF_VALUES: ReadonlySet<SqlStatement['class']> = new Set(['read', 'write', 'session', 'transaction']);

/**
 * Whether another value is the same thing done to another row. Not in definitions, where a value is what is defined; not where which rows are
 * changed, and how many, hangs on the values alone: `or 1 = 1` in the place of `or 1 = 2`, `id > 0` in that of `id > 1000`.
 */
function differsInValuesOnly({ class: of, kind, index, where }: SqlStatement, { effects }: SqlFacts): boolean {
  if (!OF_VALUES.has(of) || kind === 'merge') return false;
  const own = effects.filter(({ statement, via }) => statement === index && via.length === 0);
  const does = (...verbs: readonly string[]): boolean => own.some(({ verb }) => verbs.includes(verb));
  if (does('insert')) {
    const into = new Set(own.filter(({ verb }) => verb === 'insert').map(({ object }) => object.qualified));
    const copies = own.some(({ verb, object }) => verb === 'read' && !into.has(object.qualified));
    return !copies && (!does('update', 'delete') || where === 'bound');
  }
  return !does('update', 'delete') || (where !== 'other' && where !== 'constant');
}
