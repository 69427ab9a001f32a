/** What must be approved, put together from all packages; the same in whatever order they come. */
import type { Grant, Obligation, Requirement, Schedule } from '#schemas/decision';
import type { ErrorCode } from '#schemas/errors';
import { canonical, digest } from './canonical.ts';
import type { Chains } from './chains.ts';
import type { ApprovalAsked, ChainDocument, PackageAnswer, StageAsked } from './policy-result.ts';
import { mergeStages } from './stages.ts';
import { isTimeZone } from './time-zone.ts';

const VALID_FOR_S = 900;
const EXPIRES_IN_S = 86_400;
const ONCE: Grant = { of: 'statement', uses: 1 };

/** Why what policy asks for cannot be given by anybody; the statement is denied. */
export interface RequirementRefused {
  readonly code: ErrorCode & ('POLICY_RESULT' | 'APPROVAL_CHAIN');
  readonly reason: string;
}

export function requirementOf(
  answers: readonly PackageAnswer[],
  obligations: readonly Obligation[],
  chains: Chains,
): Requirement | RequirementRefused {
  const items = answers.flatMap(({ policy, require_approval }) => require_approval.map((item) => ({ policy, item })));
  const asked = items.map(({ policy, item }) => askedBy(policy, item, chains));
  const refused = asked.filter((one) => 'code' in one).toSorted((a, b) => (a.reason < b.reason ? -1 : 1))[0];
  if (refused) return refused;
  const parts = asked.filter((one) => 'terms' in one);
  const stages = mergeStages(parts.flatMap(({ policy, stages: own }) => own.map((stage) => ({ policy, stage }))));
  if (!Array.isArray(stages)) return { code: 'POLICY_RESULT', reason: `nobody could approve stage ${stages.stage}: ${stages.why}` };
  const terms = parts.map((part) => part.terms);
  const grant = narrowest(terms.map((one) => one.grant));
  const schedules = distinct(terms.flatMap((one) => one.schedules));
  const zone = schedules.find(({ time_zone }) => !isTimeZone(time_zone))?.time_zone;
  if (zone !== undefined) return { code: 'POLICY_RESULT', reason: `a schedule names ${JSON.stringify(zone)}, which is no time zone` };
  const ceilings = terms.map((one) => one.rows_max).filter((rows) => rows !== undefined);
  const body = {
    stages,
    grant,
    valid_for_s: Math.min(...terms.map((one) => one.valid_for_s)),
    expires_in_s: Math.min(...terms.map((one) => one.expires_in_s)),
    // a grant for a shape holds for one session only
    bind_session: terms.some((one) => one.bind_session) || grant.of === 'shape',
    ...(schedules.length > 0 && { schedules }),
    ...(ceilings.length > 0 && { rows_max: Math.min(...ceilings) }),
  };
  const codes = [...new Set(items.map(({ policy, item }) => `${policy}/${item.code}`))].sort();
  const names = [...new Set(items.flatMap(({ item }) => item.chain ?? []))].sort();
  return { ...body, ...(names.length > 0 && { chains: names }), digest: digest(canonical({ codes, ...body, obligations })) };
}

interface Asked {
  readonly policy: string;
  readonly stages: readonly StageAsked[];
  readonly terms: Terms;
}
type Said = Omit<ApprovalAsked, 'chain' | 'code' | 'reason' | 'hint' | 'stages'>;
interface Terms extends Omit<Required<Said>, 'rows_max'> {
  readonly rows_max?: number;
}

/** Beside a chain, what the item says itself merges with it as another package's demand would: it narrows, and never widens. */
function askedBy(policy: string, item: ApprovalAsked, chains: Chains): Asked | RequirementRefused {
  const own = item.stages ?? [];
  if (item.chain === undefined) return { policy, stages: own, terms: narrowed(completed(item), {}) };
  const known = chains.get(item.chain);
  const refused = (why: string): RequirementRefused => ({
    code: 'APPROVAL_CHAIN',
    reason: `${policy} asks for the approval chain ${JSON.stringify(item.chain)}, ${why}`,
  });
  if (!known) return refused('which is not in data.approval_chains');
  if (!known.ok) return refused(`which is malformed: data.approval_chains.${item.chain}${known.at} ${known.problem}`);
  return {
    policy,
    stages: [...known.chain.stages, ...own.map((stage) => placed(stage, known.chain))],
    terms: narrowed(completed(known.chain), item),
  };
}

/** A stage that narrows one of the chain stays where the chain has it. */
function placed(stage: StageAsked, { stages }: ChainDocument): StageAsked {
  const order = stages.find(({ id }) => id === stage.id)?.order ?? stages.length + 1;
  return { order, ...stage };
}

function completed({ grant, valid_for_s, expires_in_s, bind_session, schedules, rows_max }: Said): Terms {
  return {
    grant: grant ?? ONCE,
    valid_for_s: valid_for_s ?? VALID_FOR_S,
    expires_in_s: expires_in_s ?? EXPIRES_IN_S,
    bind_session: bind_session ?? false,
    schedules: schedules ?? [],
    ...(rows_max !== undefined && { rows_max }),
  };
}

function narrowed(terms: Terms, by: Said): Terms {
  const ceilings = [terms.rows_max, by.rows_max].filter((rows) => rows !== undefined);
  return {
    grant: by.grant ? narrowest([terms.grant, by.grant]) : terms.grant,
    valid_for_s: Math.min(terms.valid_for_s, by.valid_for_s ?? Infinity),
    expires_in_s: Math.min(terms.expires_in_s, by.expires_in_s ?? Infinity),
    bind_session: terms.bind_session || by.bind_session === true,
    schedules: [...terms.schedules, ...(by.schedules ?? [])],
    ...(ceilings.length > 0 && { rows_max: Math.min(...ceilings) }),
  };
}

function distinct(schedules: readonly Schedule[]): Schedule[] {
  const byText = new Map(schedules.map((schedule) => [canonical(schedule), schedule]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, schedule]) => schedule);
}

function narrowest(grants: readonly Grant[]): Grant {
  const uses = grants.map((grant) => grant.uses).filter((count) => count !== null);
  return { of: grants.some((grant) => grant.of === 'statement') ? 'statement' : 'shape', uses: uses.length === 0 ? null : Math.min(...uses) };
}
