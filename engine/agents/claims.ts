/** What an agent may do, as policy answers when it is asked: every line stands on a judgement, none on what somebody wrote. */
import type { AgentClaims, AgentView, Claim } from '#schemas/agent';
import type { Decision } from '#schemas/decision';
import type { Resource, Subject } from '#schemas/decision-request';
import type { Knowledge } from '#schemas/knowledge';
import { blindProbes, type Probe, probesOf } from './probes.ts';

/** A target as it is judged. */
export interface ClaimedTarget {
  readonly resource: Resource;
  /** null: nothing is known of it here. */
  readonly knowledge: Knowledge | null;
  readonly supportedObligations: readonly string[];
}

export interface ClaimsFrom {
  readonly agent: AgentView;
  /** As its token makes it. */
  readonly subject: Subject;
  readonly targets: readonly ClaimedTarget[];
  readonly revision: string;
  readonly judge: (asked: {
    readonly subject: Subject;
    readonly resource: Resource;
    readonly action: Probe['action'];
    readonly statement: string;
    readonly settings: Readonly<Record<string, string>>;
    readonly supportedObligations: readonly string[];
  }) => Promise<Decision>;
}

/** What a new session has. */
const SETTINGS = { postgresql: { search_path: '"$user", public' }, other: {} } as const;

export async function claimsOf({ agent, subject, targets, revision, judge }: ClaimsFrom): Promise<AgentClaims> {
  const claims: Claim[] = [];
  for (const { resource, knowledge, supportedObligations } of targets) {
    const isDatabase = resource.type === 'postgresql';
    const settings = isDatabase ? SETTINGS.postgresql : SETTINGS.other;
    for (const [at, probe] of (knowledge ? probesOf(knowledge) : isDatabase ? blindProbes() : []).entries()) {
      const ask: Ask = ({ action, statement }) => judge({ subject, resource, action, statement, settings, supportedObligations });
      const { told, decision } = await tried(probe, ask);
      claims.push(claimOf(`${resource.id}-${at + 1}`, resource, told, decision));
    }
  }
  const unknown = targets.filter(({ knowledge }) => knowledge === null).map(({ resource }) => resource.id);
  return { contract: 1, agent: agent.name, revision, subject, claims, unknown };
}

type Ask = (probe: Probe) => Promise<Decision>;

/** What is allowed at all is asked for as it would be done: that may need an approval, or be masked. */
async function tried(probe: Probe, ask: Ask): Promise<{ readonly told: Probe; readonly decision: Decision }> {
  const decision = await ask(probe);
  const { next, otherwise = probe.what } = probe;
  if (next === undefined || decision.effect === 'deny') return { told: probe, decision };
  const done = await ask(next);
  return done.effect === 'deny' ? { told: { ...probe, what: otherwise }, decision } : { told: next, decision: done };
}

function claimOf(id: string, { id: target, type: protocol }: Resource, { what, shown, asked }: Probe, decision: Decision): Claim {
  const { effect, reasons, obligations, approval } = decision;
  const deciding = reasons.filter((reason) => reason.effect === effect);
  const [first = reasons[0]] = deciding;
  const masked = obligations.flatMap((obligation) =>
    obligation.type === 'mask' ? [...Object.keys(obligation.properties.columns), ...Object.keys(obligation.properties.paths)] : [],
  );
  const approvers = approval?.stages.flatMap(({ any_of }) => any_of.map((one) => Object.values(one).join())) ?? [];
  return {
    id,
    target,
    protocol,
    what,
    statement: shown,
    ...asked,
    effect,
    codes: [...new Set((deciding.length > 0 ? deciding : reasons).map(({ code }) => code))],
    reason: first?.reason ?? '',
    ...(first?.hint !== undefined && { hint: first.hint }),
    ...(masked.length > 0 && { masked: masked.toSorted() }),
    ...(approvers.length > 0 && { approvers: [...new Set(approvers)] }),
  };
}
