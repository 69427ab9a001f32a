/** When one approval may serve for statements that differ in their values only: a grant for a shape, within a session. */
import { createHash } from 'node:crypto';
import type { ApprovalDraft } from '#client/approvals';
import type { Requirement } from '#schemas/decision';
import type { SqlFacts } from '#schemas/sql-facts';

/** Indexes of the bind parameters whose value is code, or names what is done. */
export type CodeParams = (facts: SqlFacts) => ReadonlySet<number>;

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
  if (!facts.parsed || facts.opaque.length > 0 || facts.statements.length === 0) return null;
  if (params !== null && (codeParams === undefined || codeParams(facts).size > 0)) return null;
  if (facts.params.some((param) => param.flows_to_code)) return null;
  const shapes = facts.statements.map(({ shape }) => shape);
  const [only] = shapes;
  return shapes.length === 1 && only !== undefined ? only : `sha256:${createHash('sha256').update(JSON.stringify(shapes)).digest('hex')}`;
}
