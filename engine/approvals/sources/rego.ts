/** `rego:NAME`: a set of package `approvers` of the policies in force. */
import { hash } from 'node:crypto';
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

/** Answers of a set that reads the time hold so long; others as long as the revision. An inbox of thousands asks for the same few people. */
const KEPT_US = 1_000_000;
/** One that failed may have used up its fuel, and would again. */
const FAILED_US = 10_000_000;
const KEPT_MAX = 20_000;

export interface RegoSourceOptions {
  readonly ask: AskPolicies;
  /** Another text for another revision: nothing of the old one is found again. */
  readonly revision: () => string;
  /** Whether the set reads `input.time`. */
  readonly readsTime: (name: string) => boolean;
}

export class RegoSource implements ApproverSource {
  readonly scheme = 'rego';
  readonly #options: RegoSourceOptions;
  readonly #kept = new Map<string, { readonly atUs: number; readonly named: readonly Named[] | null }>();

  constructor(options: RegoSourceOptions) {
    this.#options = options;
  }

  resolve(name: string, { subject, target, env, labels, objects, nowUs }: SourceContext): readonly Named[] | null {
    const { ask, revision, readsTime } = this.#options;
    const input = { requester: subject, target: { id: target, env, labels }, objects };
    const key = hash('sha256', `${revision()} ${name} ${JSON.stringify(input)}`, 'base64');
    const kept = this.#kept.get(key);
    if (kept && this.#holds(kept, readsTime(name), nowUs)) return kept.named;
    const named = ask(name, { ...input, time: timestamp(nowUs) });
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(key, { atUs: nowUs, named });
    return named;
  }

  /** A clock that was set back makes nothing younger. */
  #holds({ atUs, named }: { readonly atUs: number; readonly named: readonly Named[] | null }, timed: boolean, nowUs: number): boolean {
    const keptUs = named === null ? FAILED_US : timed ? KEPT_US : Infinity;
    return keptUs === Infinity || (nowUs >= atUs && nowUs - atUs < keptUs);
  }
}
