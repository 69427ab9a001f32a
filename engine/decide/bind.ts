/** Binds a judgement to one payload and one context, for at most five seconds and one use (M6). */
import type { Decision, Judgement } from '#schemas/decision';
import { timestamp } from '#client/clock';
import type { Moment, Rewrite, SessionScope } from '#client/decision-service';
import type { Ids } from '#client/ids';
import { canonical, digest } from './canonical.ts';
import type { ReadStatement } from './statement.ts';

const EXPIRES_US = 5_000_000;
const CONTEXTS_MAX = 256;
const rewrittenDigests = new WeakMap<Rewrite, string>();

/** Of one session. Digests are computed when somebody reads them, and once for equal contexts. */
export class Binder {
  readonly #ids: Ids;
  readonly #scope: SessionScope;
  /** By settings (identity), then action and transaction state. */
  #contexts = new Map<object, Map<string, string>>();

  constructor(ids: Ids, scope: SessionScope) {
    this.#ids = ids;
    this.#scope = scope;
  }

  bind(judgement: Judgement, statement: ReadStatement, moment: Moment, rewrite: Rewrite | null, nowUs: number): Decision {
    const context = (): string => this.#context(moment);
    const decision = bound(judgement, this.#ids.next('dec'), () => statement.payloadDigest, context, nowUs);
    if (!rewrite) return decision;
    return Object.defineProperty(decision, 'rewrite', {
      enumerable: true,
      value: { payload: rewrittenDigest(rewrite), masked: [...rewrite.masked] },
    });
  }

  /** Opening a session has no text. */
  bindSession(judgement: Judgement, nowUs: number): Decision {
    const { sessionId, subject, resource, client } = this.#scope;
    const all = (): string => digest(canonical({ sessionId, subject, resource, client }));
    return bound(judgement, this.#ids.next('dec'), () => digest(''), all, nowUs);
  }

  #context(moment: Moment): string {
    let known = this.#contexts.get(moment.settings);
    if (!known) {
      if (this.#contexts.size >= CONTEXTS_MAX) this.#contexts = new Map();
      this.#contexts.set(moment.settings, (known = new Map()));
    }
    const key = `${moment.action} ${moment.transaction} ${moment.approval?.id ?? ''}`;
    let context = known.get(key);
    if (context === undefined) {
      const { sessionId, subject, resource, client } = this.#scope;
      const { action, transaction, settings, approval } = moment;
      if (known.size >= CONTEXTS_MAX) known.clear();
      known.set(key, (context = digest(canonical({ sessionId, subject, resource, client, action, transaction, settings, approval }))));
    }
    return context;
  }
}

/** An object literal with a getter, not a class: it is enumerable, so JSON and spreads have it. */
function bound(judgement: Judgement, id: string, payload: () => string, context: () => string, nowUs: number): Decision {
  let binding: Decision['binding'] | null = null;
  return {
    decision_id: id,
    effect: judgement.effect,
    reasons: judgement.reasons,
    obligations: judgement.obligations,
    approval: judgement.approval,
    revision: judgement.revision,
    shadow: judgement.shadow,
    get binding() {
      return (binding ??= { payload: payload(), context: context(), expires_at: timestamp(nowUs + EXPIRES_US) });
    },
  };
}

function rewrittenDigest(rewrite: Rewrite): string {
  let known = rewrittenDigests.get(rewrite);
  if (known === undefined) rewrittenDigests.set(rewrite, (known = digest(rewrite.text)));
  return known;
}
