/** `rego:NAME`: a set of package `approvers` of the policies in force. */
import type { Subject } from '#schemas/decision-request';
import { timestamp } from '#client/clock';
import type { Named } from '../world.ts';
import type { ApproverSource, SourceContext } from './source.ts';

/** What the decision service evaluates; null: no such set, or it failed. */
export type AskPolicies = (
  name: string,
  input: {
    readonly requester: Subject;
    readonly target: { readonly id: string; readonly env: string | null; readonly labels: Readonly<Record<string, string>> };
    readonly objects: readonly string[];
    readonly time: string;
  },
) => readonly Named[] | null;

/** An inbox of thousands asks for the same few people: answers hold so long. What time changes shows after that. */
const KEPT_US = 1_000_000;
const KEPT_MAX = 10_000;

export class RegoSource implements ApproverSource {
  readonly scheme = 'rego';
  readonly #ask: AskPolicies;
  /** Another text for another revision: nothing of the old one is found again. */
  readonly #revision: () => string;
  readonly #kept = new Map<string, { readonly untilUs: number; readonly named: readonly Named[] | null }>();

  constructor(ask: AskPolicies, revision: () => string) {
    this.#ask = ask;
    this.#revision = revision;
  }

  resolve(name: string, { subject, target, env, labels, objects, nowUs }: SourceContext): readonly Named[] | null {
    const input = { requester: subject, target: { id: target, env, labels }, objects };
    const key = `${this.#revision()} ${name} ${JSON.stringify(input)}`;
    const kept = this.#kept.get(key);
    // a clock that was set back makes nothing older
    if (kept && kept.untilUs > nowUs && kept.untilUs - nowUs <= KEPT_US) return kept.named;
    const named = this.#ask(name, { ...input, time: timestamp(nowUs) });
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(key, { untilUs: nowUs + KEPT_US, named });
    return named;
  }
}
