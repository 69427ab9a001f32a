/** Whether a chain could be completed by anybody: what nobody could ever approve is denied when it is asked, and not after a day of waiting. */
import type { Approver, Requirement, Stage } from '#schemas/decision';
import { named, sharesIdentity } from './chain.ts';
import type { Asking, Named, World } from './world.ts';

/** Why nobody could ever approve it, in the words of the stage; null: somebody might. Groups count: who is in them shows at the verdict. */
export function whyNobody({ stages }: Pick<Requirement, 'stages'>, asking: Asking, world: World): string | null {
  const reasons = stages.map((stage) => whyNotStage(stage, asking, world));
  return reasons.find((reason) => reason !== null) ?? null;
}

function whyNotStage(stage: Stage, { subject }: Asking, world: World): string | null {
  const approvers = [...stage.any_of, ...(stage.escalate ?? []).flatMap(({ add }) => add)];
  const people = approvers.flatMap((approver) => namedBy(approver, world));
  if (people.some((one) => 'group' in one)) return null;
  const others = distinct(people.flatMap((one) => ('user' in one ? [one.user] : []))).filter((user) => !isRequester(user, subject, world));
  if (others.length === 0) return `nobody can approve stage ${stage.id}: ${approvers.map((one) => whyNot(one, world)).join(', ')}`;
  // whom a reference names changes with time; whom policy names does not
  const fixed = approvers.every((approver) => !('ref' in approver));
  const places = countedOnce(others, world);
  return fixed && places < stage.quorum
    ? `nobody can approve stage ${stage.id}: it needs ${stage.quorum} people and names ${places} who may decide`
    : null;
}

function whyNot(approver: Approver, world: World): string {
  if (!('ref' in approver)) return `${Object.values(approver)[0]} is the requester`;
  const people = world.resolve(approver.ref);
  if (people === null) return `${approver.ref} does not answer`;
  return people.length === 0 ? `${approver.ref} names nobody` : `${approver.ref} names only the requester`;
}

function namedBy(approver: Approver, world: World): readonly Named[] {
  return 'ref' in approver ? (world.resolve(approver.ref) ?? []) : [approver];
}

function isRequester(user: string, requester: Asking['subject'], world: World): boolean {
  return sharesIdentity(named(user), requester, world);
}

/** How many humans these are, as far as the directory links them. */
function countedOnce(users: readonly string[], world: World): number {
  const humans: Asking['subject'][] = [];
  for (const user of users) if (!humans.some((other) => sharesIdentity(named(user), other, world))) humans.push(named(user));
  return humans.length;
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
