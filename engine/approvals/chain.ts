/** Who may decide, and whether enough of them did: the chain of stages with its quorums. Pure; judged at the verdict and again at use. */
import type { Approver, Stage } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import type { ApprovalRecord } from './record.ts';

export interface StageProgress {
  readonly stage: Stage;
  /** Distinct humans whose approval counts here. */
  readonly approvedBy: readonly Subject[];
}
export interface Chain {
  /** In the order in which they are asked. */
  readonly stages: readonly StageProgress[];
  /** The first without its quorum; null when the chain is complete. */
  readonly current: StageProgress | null;
  readonly complete: boolean;
  readonly approvedBy: readonly Subject[];
}

/** Counts a verdict at most once, and only one of a human who was asked and is not the requester. What was counted in one stage counts in no other. */
export function chainOf(record: Pick<ApprovalRecord, 'requirement' | 'verdicts' | 'subject' | 'added'>): Chain {
  const stages = record.requirement.stages.map((stage) => withAdded(stage, record.added)).toSorted((a, b) => a.order - b.order);
  const counted: Subject[] = [];
  const byStage = new Map<string, Subject[]>(stages.map((stage) => [stage.id, []]));
  for (const { outcome, reviewer, stage: id } of record.verdicts) {
    const stage = stages.find((one) => one.id === id);
    if (outcome !== 'approve' || !stage || !isHuman(reviewer) || !isAsked(stage, reviewer)) continue;
    if (sharesIdentity(reviewer, record.subject) || counted.some((one) => sharesIdentity(one, reviewer))) continue;
    counted.push(reviewer);
    byStage.get(id)?.push(reviewer);
  }
  const progress = stages.map((stage) => ({ stage, approvedBy: byStage.get(stage.id) ?? [] }));
  const current = progress.find(({ stage, approvedBy }) => approvedBy.length < stage.quorum) ?? null;
  // A chain without a stage asks nobody, and stages that share a name would share a verdict: neither is ever complete.
  const sound = progress.length > 0 && byStage.size === progress.length;
  return { stages: progress, current, complete: current === null && sound, approvedBy: counted };
}

/** A user of their own accord: no service account, no agent, nobody's delegate. */
export function isHuman(subject: Subject): boolean {
  return subject.type === 'user' && subject.properties.on_behalf_of === undefined;
}

/** Membership as the reviewer's own token says it. A `ref` names a source that this version does not have: it resolves to nobody. */
export function isAsked(stage: Stage, reviewer: Subject): boolean {
  return stage.any_of.some((approver) => matches(approver, reviewer));
}

/**
 * Whether two principals are, or may be, one human: the same subject, one acting for the other, both for a third, or the same login under two
 * issuers. Logins are compared folded, because the systems behind them fold (SECURITY §1.11).
 */
export function sharesIdentity(a: Subject, b: Subject): boolean {
  const marks = identities(a);
  return identities(b).some((mark) => marks.includes(mark));
}

function matches(approver: Approver, reviewer: Subject): boolean {
  if ('group' in approver) return reviewer.properties.groups.includes(approver.group);
  if ('user' in approver) return approver.user === reviewer.properties.login || approver.user === reviewer.id;
  return false;
}

function identities(subject: Subject): readonly string[] {
  const { login, on_behalf_of: owner } = subject.properties;
  const marks = [`id ${subject.id}`, `login ${folded(login)}`];
  return owner ? [...marks, `id ${owner.id}`, `login ${folded(owner.login)}`] : marks;
}

function folded(login: string): string {
  return login.normalize('NFKC').toLowerCase();
}

function withAdded(stage: Stage, added: ReadonlyMap<string, readonly Approver[]>): Stage {
  const more = added.get(stage.id);
  return more ? { ...stage, any_of: [...stage.any_of, ...more] } : stage;
}
