/** What must be approved, put together from all packages; the same in whatever order they come. */
import type { Approver, Grant, Obligation, Requirement, Stage } from '#schemas/decision';
import { canonical, digest } from './canonical.ts';
import type { ApprovalAsked, PackageAnswer } from './policy-result.ts';

const VALID_FOR_S = 900;
const EXPIRES_IN_S = 86_400;

interface Asked {
  readonly policy: string;
  readonly item: ApprovalAsked;
}

/** A string names the stage that nobody could approve: an empty intersection denies. */
export function requirementOf(answers: readonly PackageAnswer[], obligations: readonly Obligation[]): Requirement | string {
  const asked = answers.flatMap(({ policy, require_approval }) => require_approval.map((item) => ({ policy, item })));
  const stages = mergeStages(asked);
  if (typeof stages === 'string') return stages;
  const grants = asked.map(({ item }) => item.grant ?? { of: 'statement' as const, uses: 1 });
  const body = {
    stages,
    grant: narrowest(grants),
    valid_for_s: Math.min(...asked.map(({ item }) => item.valid_for_s ?? VALID_FOR_S)),
    expires_in_s: Math.min(...asked.map(({ item }) => item.expires_in_s ?? EXPIRES_IN_S)),
    // a grant for a shape holds for one session only
    bind_session: asked.some(({ item }) => item.bind_session === true) || narrowest(grants).of === 'shape',
  };
  const codes = [...new Set(asked.map(({ policy, item }) => `${policy}/${item.code}`))].sort();
  return { ...body, digest: digest(canonical({ codes, ...body, obligations })) };
}

/** Ordered by (order, package, id); equal ids merge to the larger quorum and the intersection of approvers. */
function mergeStages(asked: readonly Asked[]): Stage[] | string {
  const merged = new Map<string, Stage & { policy: string }>();
  for (const { policy, item } of asked) {
    for (const { id, order = 1, any_of, quorum = 1 } of item.stages) {
      const stage = { id, order, any_of: sorted(any_of), quorum, policy };
      const other = merged.get(id);
      merged.set(id, other ? mergeTwo(stage, other) : stage);
    }
  }
  const stages = [...merged.values()].sort((a, b) => a.order - b.order || compare(a.policy, b.policy) || compare(a.id, b.id));
  const empty = stages.find((stage) => stage.any_of.length === 0);
  if (empty) return empty.id;
  return stages.map(({ id, order, any_of, quorum }) => ({ id, order, any_of, quorum }));
}

function mergeTwo(a: Stage & { policy: string }, b: Stage & { policy: string }): Stage & { policy: string } {
  const allowed = new Set(b.any_of.map(canonical));
  return {
    id: a.id,
    order: Math.min(a.order, b.order),
    any_of: a.any_of.filter((approver) => allowed.has(canonical(approver))),
    quorum: Math.max(a.quorum, b.quorum),
    policy: compare(a.policy, b.policy) < 0 ? a.policy : b.policy,
  };
}

function sorted(approvers: readonly Approver[]): Approver[] {
  const byText = new Map(approvers.map((approver) => [canonical(approver), approver]));
  return [...byText].sort(([a], [b]) => compare(a, b)).map(([, approver]) => approver);
}

function narrowest(grants: readonly Grant[]): Grant {
  const uses = grants.map((grant) => grant.uses).filter((count) => count !== null);
  return { of: grants.some((grant) => grant.of === 'statement') ? 'statement' : 'shape', uses: uses.length === 0 ? null : Math.min(...uses) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
