/** Denials that can be requested, for a while: what a later submission must be about. Digests only: the submission brings the question again. */
import type { Clock } from '#client/clock';
import { timestamp } from '#client/clock';
import { digestOf } from './canonical.ts';
import { AUTHZEN_LIMITS, REQUESTABLE_MS } from './limits.ts';
import type { Entity, Fields, Question } from './question.ts';

export interface Denial {
  readonly point: string;
  readonly subject: string;
  readonly action: string;
  readonly resource: string;
  /** By member of the context. */
  readonly context: ReadonlyMap<string, string>;
  readonly expiresUs: number;
  readonly expiresAt: string;
}

/** Not what was asked, but how: they may differ from one call to the next. */
const MACHINERY: ReadonlySet<string> = new Set([
  'time',
  'approval',
  'access_request',
  'evaluation_id',
  'evaluated_at',
  'reason',
  'supported_obligations',
  'client',
]);

export class Denials {
  readonly #clock: Clock;
  readonly #denials = new Map<string, Denial>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(evaluationId: string, point: string, question: Question): Denial {
    const expiresUs = this.#clock.wallUs() + REQUESTABLE_MS * 1000;
    const denial = { point, ...partsOf(question), expiresUs, expiresAt: timestamp(expiresUs) };
    this.#denials.set(evaluationId, denial);
    if (this.#denials.size > AUTHZEN_LIMITS.denials) this.#denials.delete(this.#denials.keys().next().value ?? '');
    return denial;
  }

  /** Also one that is past. */
  find(evaluationId: string): Denial | null {
    return this.#denials.get(evaluationId) ?? null;
  }

  isPast({ expiresUs }: Denial): boolean {
    return this.#clock.wallUs() > expiresUs;
  }
}

/** The submission may say more (why it is asked for), and nothing else. */
export function covers(denial: Denial, question: Question): boolean {
  const { subject, action, resource, context } = partsOf(question);
  if (subject !== denial.subject || action !== denial.action || resource !== denial.resource) return false;
  return [...denial.context].every(([name, digest]) => context.get(name) === digest);
}

/** What an approval of a question is about, member by member. */
export function relevantContext(context: Fields): Fields {
  return Object.fromEntries(Object.entries(context).filter(([name]) => !MACHINERY.has(name)));
}

function partsOf({ subject, action, resource, context }: Question): Pick<Denial, 'subject' | 'action' | 'resource' | 'context'> {
  return {
    subject: digestOf(withoutActor(subject)),
    action: digestOf(action),
    resource: digestOf(resource),
    context: new Map(Object.entries(relevantContext(context)).map(([name, value]) => [name, digestOf(value)])),
  };
}

/** An enforcement point may say the actor elsewhere. */
function withoutActor({ type, id, properties }: Entity): Entity {
  const { act: _act, ...rest } = properties;
  return { type, id, properties: rest };
}
