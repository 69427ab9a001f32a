/** Who may decide, and whether enough of them did: the chain of stages with its quorums. Pure; judged at the verdict and again at use. */
import type { Approver, Stage } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import type { ApprovalRecord, Verdict } from './record.ts';
import { type Delegation, TOKENS_ONLY, type World } from './world.ts';

export interface StageProgress {
  readonly stage: Stage;
  /** Distinct humans whose approval counts here. */
  readonly approvedBy: readonly Subject[];
  readonly deniedBy: readonly Subject[];
  /** The same with those in whose place they decided: nobody of them counts a second time. */
  readonly approving: readonly Subject[];
  readonly denying: readonly Subject[];
  /** When the stages before it had their quorum; null: they have not, or somebody's verdict in them counts no more. */
  readonly askedAt: string | null;
}
export interface Chain {
  /** In the order in which they are asked. */
  readonly stages: readonly StageProgress[];
  /** The first without its quorum; null when the chain is complete. */
  readonly current: StageProgress | null;
  readonly complete: boolean;
  /** A stage in which as many distinct humans denied as it takes. */
  readonly denied: StageProgress | null;
  readonly approvedBy: readonly Subject[];
}

/** How somebody is asked: by themselves, or in the place of who delegated to them. */
export interface Place {
  readonly delegation: string | null;
  /** The humans that this place takes up: nobody of them counts a second time. */
  readonly humans: readonly Subject[];
}

/** What of a record the chain is judged by. */
export type Decided = Pick<ApprovalRecord, 'requirement' | 'subject' | 'added' | 'requestedAt'> & {
  readonly verdicts: readonly (Verdict & { readonly delegation?: string | null })[];
};

/**
 * Counts a verdict at most once, and only one of a human who is asked now and is not the requester. Who counted in one stage counts in no other,
 * nor does whoever they stood for; who denied does not approve as well.
 */
export function chainOf(record: Decided, world: World): Chain {
  return chainBy(record, world, (stage, { reviewer, delegation }) => placeIn(stage, reviewer, record.subject, world, delegation ?? null));
}

/**
 * The same as the record alone tells it: whoever gave a verdict was asked then. For the fold, which judges the history and not the moment;
 * nothing may be used because of it.
 */
export function chainAsRecorded(record: Decided): Chain {
  return chainBy(record, TOKENS_ONLY, (_stage, { reviewer, delegation = null }) =>
    isHuman(reviewer) && !sharesIdentity(reviewer, record.subject) ? { delegation, humans: [reviewer] } : null,
  );
}

type PlaceFor = (stage: Stage, verdict: Decided['verdicts'][number]) => Place | null;

function chainBy(record: Decided, world: World, placeFor: PlaceFor): Chain {
  const stages = record.requirement.stages.map((stage) => withAdded(stage, record.added)).toSorted((a, b) => a.order - b.order);
  const counting = { record, stages, world, placeFor };
  const denials = countedOf('deny', counting, []);
  const denying = denials.flatMap(({ place }) => place.humans);
  const approvals = countedOf('approve', counting, denying);
  const progress = progressOf(record, stages, approvals, denials);
  const current = progress.find(({ stage, approvedBy }) => approvedBy.length < stage.quorum) ?? null;
  // A chain without a stage asks nobody, and stages that share a name would share a verdict: neither is ever complete.
  const sound = progress.length > 0 && new Set(stages.map(({ id }) => id)).size === progress.length;
  const denied = progress.find(({ stage, deniedBy }) => deniedBy.length >= (stage.deny_quorum ?? 1)) ?? null;
  return {
    stages: progress,
    current,
    complete: current === null && denied === null && sound,
    denied,
    approvedBy: approvals.map(({ reviewer }) => reviewer),
  };
}

/** A user of their own accord: no service account, no agent, nobody's delegate. */
export function isHuman(subject: Subject): boolean {
  return subject.type === 'user' && subject.properties.on_behalf_of === undefined;
}

/** By themselves, not in somebody's place. */
function isAsked(stage: Stage, reviewer: Subject, world: World): boolean {
  return stage.any_of.some((approver) => matches(approver, reviewer, world));
}

/**
 * How this stage asks the reviewer; null: not at all. Never the requester or whoever shares an identity with them, in their own name or in
 * another's, nor whom the requester made their delegate. Delegations do not chain: who stands for somebody hands nothing on.
 * @param preferred the delegation that a verdict names, where several would do
 */
export function placeIn(stage: Stage, reviewer: Subject, requester: Subject, world: World, preferred: string | null = null): Place | null {
  if (!isHuman(reviewer) || sharesIdentity(reviewer, requester, world)) return null;
  const mine = delegationsTo(reviewer, world);
  if (mine.some(({ from }) => sharesIdentity(from, requester, world))) return null;
  if (isAsked(stage, reviewer, world)) return { delegation: null, humans: [reviewer] };
  const { id, properties } = reviewer;
  const usable = mine.filter(
    ({ from, to }) =>
      (to === properties.login || to === id) && isHuman(from) && !sharesIdentity(from, reviewer, world) && isAsked(stage, from, world),
  );
  const chosen = usable.find(({ delegationId }) => delegationId === preferred) ?? usable[0];
  return chosen ? { delegation: chosen.delegationId, humans: [reviewer, chosen.from] } : null;
}

/**
 * Whether two principals are, or may be, one human: the same subject, one acting for the other, both for a third, the same login under two
 * issuers, or accounts that the directory links. Logins are compared folded, because the systems behind them fold (SECURITY §1.11).
 * @param world whose links count; without it, none: for what only finds somebody's own
 */
export function sharesIdentity(a: Subject, b: Subject, world: World = TOKENS_ONLY): boolean {
  const marks = identities(a, world);
  return identities(b, world).some((mark) => marks.includes(mark));
}

/** Whoever is behind a name: a login, or a subject's id. */
export function named(name: string): Subject {
  return { type: 'user', id: name, properties: { login: name, groups: [] } };
}

/** One spelling for what the systems behind take for one login. */
export function foldedLogin(login: string): string {
  return login.normalize('NFKC').toLowerCase();
}

interface Counted {
  readonly stage: string;
  readonly reviewer: Subject;
  readonly place: Place;
  readonly time: string;
}

interface Counting {
  readonly record: Decided;
  readonly stages: readonly Stage[];
  readonly world: World;
  readonly placeFor: PlaceFor;
}

function countedOf(outcome: 'approve' | 'deny', { record, stages, world, placeFor }: Counting, taken: readonly Subject[]): readonly Counted[] {
  const counted: Counted[] = [];
  const humans = [...taken];
  for (const verdict of record.verdicts) {
    const stage = stages.find(({ id }) => id === verdict.stage);
    if (verdict.outcome !== outcome || !stage) continue;
    const place = placeFor(stage, verdict);
    if (!place || place.humans.some((one) => humans.some((other) => sharesIdentity(one, other, world)))) continue;
    humans.push(...place.humans);
    counted.push({ stage: stage.id, reviewer: verdict.reviewer, place, time: verdict.time });
  }
  return counted;
}

function progressOf(record: Decided, stages: readonly Stage[], approvals: readonly Counted[], denials: readonly Counted[]): readonly StageProgress[] {
  let askedAt: string | null = record.requestedAt;
  return stages.map((stage) => {
    const here = approvals.filter((one) => one.stage === stage.id);
    const against = denials.filter((one) => one.stage === stage.id);
    const progress = {
      stage,
      approvedBy: here.map(({ reviewer }) => reviewer),
      deniedBy: against.map(({ reviewer }) => reviewer),
      approving: here.flatMap(({ place }) => place.humans),
      denying: against.flatMap(({ place }) => place.humans),
      askedAt,
    };
    askedAt = askedAt === null ? null : laterOf(askedAt, here[stage.quorum - 1]?.time);
    return progress;
  });
}

/** Times of fixed width, UTC: the order of the strings is theirs. */
function laterOf(time: string, other: string | undefined): string | null {
  if (other === undefined) return null;
  return other > time ? other : time;
}

function matches(approver: Approver, human: Subject, world: World): boolean {
  if ('group' in approver) return world.groupsOf(human).includes(approver.group);
  if ('user' in approver) return approver.user === human.properties.login || approver.user === human.id;
  return (world.resolve(approver.ref) ?? []).some((named) => matches(named, human, world));
}

type PersonsOf = World['personsOf'];

/** By subject, for the links that they were made with: an inbox compares the same few people thousands of times. */
const marks = new WeakMap<Subject, { readonly of: PersonsOf; readonly marks: readonly string[] }>();

function identities(subject: Subject, world: World): readonly string[] {
  const known = marks.get(subject);
  if (known?.of === world.personsOf) return known.marks;
  const { login, on_behalf_of: owner } = subject.properties;
  const accounts = [{ id: subject.id, login }, ...(owner ? [owner] : [])];
  const made = accounts.flatMap((account) => [`id ${account.id}`, `login ${foldedLogin(account.login)}`, ...world.personsOf(account)]);
  marks.set(subject, { of: world.personsOf, marks: made });
  return made;
}

/** By list and links: who is asked as somebody's delegate. */
const delegates = new WeakMap<readonly Delegation[], { readonly of: PersonsOf; readonly byMark: ReadonlyMap<string, readonly Delegation[]> }>();

/** Those to an account of this human, by whatever name. */
function delegationsTo(human: Subject, world: World): readonly Delegation[] {
  if (world.delegations.length === 0) return world.delegations;
  let known = delegates.get(world.delegations);
  if (known?.of !== world.personsOf) {
    const pairs = world.delegations.flatMap((one) => identities(named(one.to), world).map((mark) => ({ mark, one })));
    const byMark = new Map([...Map.groupBy(pairs, ({ mark }) => mark)].map(([mark, found]) => [mark, found.map(({ one }) => one)]));
    delegates.set(world.delegations, (known = { of: world.personsOf, byMark }));
  }
  const { byMark } = known;
  return [...new Set(identities(human, world).flatMap((mark) => byMark.get(mark) ?? []))];
}

function withAdded(stage: Stage, added: ReadonlyMap<string, readonly Approver[]>): Stage {
  const more = added.get(stage.id);
  return more ? { ...stage, any_of: [...stage.any_of, ...more] } : stage;
}
