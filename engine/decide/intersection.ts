/**
 * What an agent may do is what it may do itself and its human may do too: both are judged by the same policies, and the strictest of both counts.
 * Nothing is invented here: two allowed answers are combined once more, as if all packages had answered for one principal, so denials, approvals, masks
 * and limits of either hold.
 */
import type { Judgement, Reason } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import type { SessionScope } from '#client/decision-service';
import { type CombineContext, type Combined, combine, ownDenial } from './combine.ts';

/** The human behind an agent, as whoever would do it themselves; null: nobody is, or the token only names them. */
export function humanBehind({ type, properties }: Subject): Subject | null {
  const { on_behalf_of: human } = properties;
  if (type !== 'agent' || human === undefined || human.named_only === true) return null;
  return { type: 'user', id: human.id, properties: { login: human.login, groups: human.groups } };
}

/** A token for other targets opens, and does, nothing here. */
export function foreignTarget({ subject, resource }: Pick<SessionScope, 'subject' | 'resource'>, revision: string): Judgement | null {
  const { targets } = subject.properties;
  if (targets === undefined || targets.includes(resource.id)) return null;
  return ownDenial('AGENT_TARGET', 'the token of this agent is not for this target', revision);
}

export function intersection(own: Combined, human: Combined, context: CombineContext): Combined {
  const denials = [own.judgement, human.judgement].filter(({ effect }) => effect === 'deny');
  if (denials.length === 0)
    return combine([...own.answers, ...human.answers.filter((answer) => !own.answers.some((one) => same(one, answer)))], context);
  const reasons = own.judgement.effect === 'deny' ? own.judgement.reasons : [];
  const judgement = { ...(denials[0] as Judgement), reasons: [...reasons, ...reasonsOfHuman(human.judgement, reasons)] };
  return { judgement, approved: null, mask: null, masks: [], answers: [] };
}

/** The same object for the same two: what is masked, and written to the journal, is found by identity. */
export class Intersections {
  readonly #known = new WeakMap<Combined, WeakMap<Combined, Combined>>();

  of(own: Combined, human: Combined, context: CombineContext): Combined {
    let byHuman = this.#known.get(own);
    if (!byHuman) this.#known.set(own, (byHuman = new WeakMap()));
    let both = byHuman.get(human);
    if (!both) byHuman.set(human, (both = intersection(own, human, context)));
    return both;
  }
}

function reasonsOfHuman({ effect, reasons }: Judgement, own: readonly Reason[]): Reason[] {
  if (effect !== 'deny') return [];
  return reasons
    .filter(({ policy, code }) => !own.some((one) => one.policy === policy && one.code === code))
    .map((reason) => ({ ...reason, reason: `not for the human behind it either: ${reason.reason}` }));
}

function same(one: object, other: object): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
