/** A world for tests of who may decide: everything that a source, a directory or a delegation would say, by hand. */
import type { Subject } from '#schemas/decision-request';
import type { Directory } from '#schemas/directory';
import { People } from '#engine/approvals/people';
import type { Delegation, Named, World, Worlds } from '#engine/approvals/world';

export interface ByHand {
  readonly refs?: Readonly<Record<string, readonly Named[] | null>>;
  readonly people?: Directory['people'];
  readonly delegations?: readonly Delegation[];
  /** Groups that somebody has lost since, by login. */
  readonly lost?: Readonly<Record<string, readonly string[]>>;
}

export function worldOf({ refs = {}, people, delegations = [], lost = {} }: ByHand = {}): World {
  const linked = new People(people);
  return {
    delegations,
    resolve: (ref) => refs[ref] ?? null,
    personsOf: (account) => linked.marksOf(account),
    groupsOf: ({ properties: { login, groups } }) => groups.filter((group) => !lost[login]?.includes(group)),
  };
}

/** The same for every request; `now` may be changed by the test. */
export function worldsOf(now: () => ByHand): Worlds {
  return { prepare: () => Promise.resolve(), of: () => worldOf(now()) };
}

export function delegation(from: Subject, to: string, delegationId = `del_${from.properties.login}_${to}`): Delegation {
  return { delegationId, from, to };
}
