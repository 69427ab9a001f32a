/**
 * Stages of several packages as one list: ordered by (order, package, id); equal ids merge to what all of them allow. Who may decide when is a
 * function of time, because escalation adds people: merged, it is at every moment the intersection of what each package allows at that moment.
 */
import type { Approver, Stage, StepUp } from '#schemas/decision';
import { canonical } from './canonical.ts';
import type { StageAsked } from './policy-result.ts';

export interface StageOf {
  readonly policy: string;
  readonly stage: StageAsked;
}

/** Why nobody could give this approval. */
export interface Impossible {
  readonly stage: string;
  readonly why: string;
}

export function mergeStages(asked: readonly StageOf[]): Stage[] | Impossible {
  const merged = new Map<string, Merging>();
  for (const one of asked) {
    const stage = mergingOf(one);
    const other = merged.get(stage.id);
    merged.set(stage.id, other ? mergeTwo(stage, other) : stage);
  }
  const stages = [...merged.values()].sort((a, b) => a.order - b.order || compare(a.policy, b.policy) || compare(a.id, b.id));
  const impossible = stages.map(impossibleIn).find((one) => one !== null);
  return impossible ?? stages.map(stageOf);
}

/** From `after_s` on, these and nobody else: the first is what stands in `any_of`, each later one holds all before it. */
type Timeline = readonly { readonly after_s: number; readonly who: ReadonlyMap<string, Approver> }[];

interface Merging extends Pick<Stage, 'id' | 'order' | 'quorum' | 'deny_after_s'> {
  readonly policy: string;
  readonly timeline: Timeline;
  readonly denyQuorum: number;
  readonly reasonRequired: boolean;
  /** `conflict`: two packages ask for different ones, and no token has both. */
  readonly stepUp: StepUp | 'conflict' | null;
}

function mergingOf({ policy, stage }: StageOf): Merging {
  return {
    policy,
    id: stage.id,
    order: stage.order ?? 1,
    quorum: stage.quorum ?? 1,
    timeline: timelineOf(stage),
    denyQuorum: stage.deny_quorum ?? 1,
    ...(stage.deny_after_s !== undefined && { deny_after_s: stage.deny_after_s }),
    reasonRequired: stage.reason_required ?? false,
    stepUp: stage.step_up ?? null,
  };
}

function timelineOf({ any_of, escalate = [] }: StageAsked): Timeline {
  const times = [...new Set([0, ...escalate.map(({ after_s }) => after_s)])].sort((x, y) => x - y);
  return times.map((after_s) => {
    const added = escalate.flatMap((step) => (step.after_s <= after_s ? step.add : []));
    return { after_s, who: new Map([...any_of, ...added].map((approver) => [canonical(approver), approver])) };
  });
}

function mergeTwo(a: Merging, b: Merging): Merging {
  const denyAfter = [a.deny_after_s, b.deny_after_s].filter((value) => value !== undefined);
  return {
    id: a.id,
    policy: compare(a.policy, b.policy) < 0 ? a.policy : b.policy,
    order: Math.min(a.order, b.order),
    quorum: Math.max(a.quorum, b.quorum),
    timeline: intersection(a.timeline, b.timeline),
    denyQuorum: Math.min(a.denyQuorum, b.denyQuorum),
    ...(denyAfter.length > 0 && { deny_after_s: Math.min(...denyAfter) }),
    reasonRequired: a.reasonRequired || b.reasonRequired,
    stepUp: stricter(a.stepUp, b.stepUp),
  };
}

function intersection(a: Timeline, b: Timeline): Timeline {
  const times = [...new Set([...a, ...b].map(({ after_s }) => after_s))].sort((x, y) => x - y);
  return times.map((after_s) => {
    const allowed = at(b, after_s);
    return { after_s, who: new Map([...at(a, after_s)].filter(([key]) => allowed.has(key))) };
  });
}

function at(timeline: Timeline, after_s: number): ReadonlyMap<string, Approver> {
  return timeline.findLast((step) => step.after_s <= after_s)?.who ?? new Map();
}

function stricter(a: Merging['stepUp'], b: Merging['stepUp']): Merging['stepUp'] {
  if (a === null || b === null) return a ?? b;
  if (a === 'conflict' || b === 'conflict') return 'conflict';
  if (a.acr !== undefined && b.acr !== undefined && a.acr !== b.acr) return 'conflict';
  const acr = a.acr ?? b.acr;
  return { ...(acr !== undefined && { acr }), max_age_s: Math.min(a.max_age_s, b.max_age_s) };
}

function impossibleIn({ id, timeline, stepUp }: Merging): Impossible | null {
  if (at(timeline, 0).size === 0) return { stage: id, why: 'its approvers do not overlap' };
  return stepUp === 'conflict' ? { stage: id, why: 'it asks for two different `acr`' } : null;
}

/** One spelling for one demand: what is the default is left out. */
function stageOf({ id, order, quorum, timeline, denyQuorum, deny_after_s, reasonRequired, stepUp }: Merging): Stage {
  const escalate = timeline.slice(1).flatMap(({ after_s, who }, before) => {
    const known = timeline[before]?.who ?? new Map();
    const add = inOrder([...who].filter(([key]) => !known.has(key)));
    return add.length === 0 ? [] : [{ after_s, add }];
  });
  return {
    id,
    order,
    any_of: inOrder([...at(timeline, 0)]),
    quorum,
    ...(denyQuorum > 1 && { deny_quorum: denyQuorum }),
    ...(escalate.length > 0 && { escalate }),
    ...(deny_after_s !== undefined && { deny_after_s }),
    ...(reasonRequired && { reason_required: true }),
    ...(stepUp !== null && stepUp !== 'conflict' && { step_up: stepUp }),
  };
}

function inOrder(approvers: readonly (readonly [string, Approver])[]): Approver[] {
  return approvers.toSorted(([a], [b]) => compare(a, b)).map(([, approver]) => approver);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
