/** The revision in force with what is remembered under it. A new revision is a new object: nothing of the old one can be found again. */
import { type Action, ACTIONS, type Moment } from '#client/decision-service';
import { mergeData } from './data-documents.ts';
import type { Judge } from './judge.ts';
import { JudgementCache, type Part } from './judgement-cache.ts';
import { reads } from './read-trie.ts';
import { momentText } from './request.ts';

const ACTION = Object.fromEntries(ACTIONS.map((name, index) => [name, index])) as Readonly<Record<Action, number>>;
const TRANSACTIONS = { idle: 0, fresh: 1, open: 2, failed: 3 } as const;
const COMBINATIONS = 4 * ACTIONS.length;

export class InForce {
  readonly judge: Judge;
  readonly cache: JudgementCache;
  readonly source: string;
  readonly activatedAt: string;
  /** Whether judging a statement may be remembered at all. */
  readonly cacheable: boolean;
  readonly readsParams: boolean;
  /** Of agents: how much they did lately. */
  readonly readsUsage: boolean;
  /** By the identity of a set of settings. */
  #moments = new WeakMap<object, (Part | undefined)[]>();
  #epoch: object;
  #overlaid: { readonly text: string; readonly force: InForce } | null = null;

  constructor(judge: Judge, source: string, activatedAt: string, cacheBytesMax?: number) {
    this.judge = judge;
    this.cache = new JudgementCache(cacheBytesMax);
    this.source = source;
    this.activatedAt = activatedAt;
    const stage = judge.policies.stages.request;
    this.cacheable = stage.volatile.length === 0;
    this.readsParams = reads(stage.reads, ['sql', 'params']);
    this.readsUsage = reads(stage.reads, ['context', 'usage']);
    this.#epoch = this.cache.epoch;
  }

  /** The same revision over other data, for dry runs; the last one is kept, because the cases of a file mostly share theirs. */
  withData(over: Readonly<Record<string, unknown>>): InForce {
    const { data } = this.judge.policies;
    const text = JSON.stringify(mergeData(JSON.parse(data) as Record<string, unknown>, over, 'with', 'override'));
    if (this.#overlaid?.text !== text) {
      this.#overlaid = { text, force: new InForce(this.judge.withData(text), this.source, this.activatedAt) };
    }
    return this.#overlaid.force;
  }

  /** The moment's part, if it is known. */
  knownMoment(moment: Moment): Part | undefined {
    if (this.#epoch !== this.cache.epoch) return undefined;
    return this.#moments.get(moment.settings)?.[ACTION[moment.action] * 4 + TRANSACTIONS[moment.transaction]];
  }

  moment(moment: Moment): Part {
    const known = this.knownMoment(moment);
    if (known) return known;
    if (this.#epoch !== this.cache.epoch) this.#moments = new WeakMap();
    this.#epoch = this.cache.epoch;
    let parts = this.#moments.get(moment.settings);
    if (!parts) this.#moments.set(moment.settings, (parts = Array.from({ length: COMBINATIONS })));
    const part = this.cache.moment(momentText(this.judge.policies.stages.request.reads, moment));
    parts[ACTION[moment.action] * 4 + TRANSACTIONS[moment.transaction]] = part;
    return part;
  }
}
