/** Who is who, whom a reference names and who stands for whom, at one moment: what a chain is judged against, at the verdict and again at use. */
import type { Approver } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';

/** What a reference is resolved for: one request. An `ApprovalRecord` is one; so is a draft with its objects. */
export interface Asking {
  readonly subject: Subject;
  readonly target: string;
  /** As they are bound: `update public.payments`. */
  readonly objects: readonly string[];
}

export type Named = Exclude<Approver, { ref: string }>;

/** One human decides in another's place for a while. */
export interface Delegation {
  readonly delegationId: string;
  readonly from: Subject;
  /** A login or a subject's id. */
  readonly to: string;
}

/** Synchronous: what had to be read was read before (`Worlds.prepare`). For one request, at one moment: do not keep it. */
export interface World {
  /** The groups that count for this human now: those of the last token seen of them, else those that stand with them here. */
  groupsOf(human: Subject): readonly string[];
  /** Whom `directory:…`, `oncall:…`, `rego:…` names for this request now; null: its source does not answer, so nobody. */
  resolve(ref: string): readonly Named[] | null;
  /** In force now; another list when they are others. */
  readonly delegations: readonly Delegation[];
  /** Marks that linked accounts of one human share; none where nothing links them. Another function for other links. */
  readonly personsOf: (account: { readonly id: string; readonly login: string }) => readonly string[];
}

/** The book asks for a world twice for each verdict and use: `await prepare(…)` before, `of(…)` inside the change. */
export interface Worlds {
  /** Reads again what is older than its interval, within its time-out. Never rejects: a source that fails names nobody. */
  prepare(asking: Asking, refs: readonly string[]): Promise<void>;
  of(asking: Asking): World;
}

/** What a token says, and nothing else: no source answers, nobody is delegated. */
export const TOKENS_ONLY: World = {
  groupsOf: (human) => human.properties.groups,
  resolve: () => null,
  delegations: [],
  personsOf: () => [],
};

export const tokensOnly: Worlds = { prepare: () => Promise.resolve(), of: () => TOKENS_ONLY };

/** All references of a requirement, its escalations included. */
export function refsOf({
  stages,
}: {
  readonly stages: readonly { any_of: readonly Approver[]; escalate?: readonly { add: readonly Approver[] }[] }[];
}): readonly string[] {
  const approvers = stages.flatMap(({ any_of, escalate = [] }) => [...any_of, ...escalate.flatMap(({ add }) => add)]);
  return [...new Set(approvers.flatMap((approver) => ('ref' in approver ? [approver.ref] : [])))];
}
