/** Binds a judgement to one payload and one context, for at most five seconds and one use (M6). */
import type { Decision, Judgement } from '#schemas/decision';
import { quickTimestamp } from '#client/clock';
import type { Moment, Rewrite, SessionScope } from '#client/decision-service';
import type { Ids } from '#client/ids';
import { canonical, digest } from './canonical.ts';
import type { ReadStatement } from './statement.ts';

const EXPIRES_US = 5_000_000;
const CONTEXTS_MAX = 256;
const rewrittenDigests = new WeakMap<Rewrite, string>();

/** Of one session. What repeats is computed once: digests of texts and contexts, the date of a second. */
export class Binder {
  readonly #ids: Ids;
  readonly #scope: SessionScope;
  /** By settings (identity), then action, transaction state and approval. */
  #contexts = new Map<object, Map<string, string>>();
  #last: { readonly moment: Pick<Moment, 'settings' | 'action' | 'transaction'>; readonly digest: string } | null = null;

  constructor(ids: Ids, scope: SessionScope) {
    this.#ids = ids;
    this.#scope = scope;
  }

  bind(judgement: Judgement, statement: ReadStatement, moment: Moment, rewrite: Rewrite | null, nowUs: number): Decision {
    const decision = this.#bound(judgement, statement.payloadDigest, this.#context(moment), nowUs);
    if (rewrite) decision.rewrite = { payload: rewrittenDigest(rewrite), masked: [...rewrite.masked] };
    return decision;
  }

  /** Opening a session has no text. */
  bindSession(judgement: Judgement, nowUs: number): Decision {
    const { sessionId, subject, resource, client } = this.#scope;
    return this.#bound(judgement, digest(''), digest(canonical({ sessionId, subject, resource, client })), nowUs);
  }

  #bound(judgement: Judgement, payload: string, context: string, nowUs: number): Decision {
    return {
      decision_id: this.#ids.next('dec'),
      effect: judgement.effect,
      reasons: judgement.reasons,
      obligations: judgement.obligations,
      approval: judgement.approval,
      revision: judgement.revision,
      shadow: judgement.shadow,
      binding: { payload, context, expires_at: quickTimestamp(nowUs + EXPIRES_US) },
    };
  }

  #context(moment: Moment): string {
    const { settings, action, transaction, approval } = moment;
    const last = this.#last;
    if (!approval && last && last.moment.settings === settings && last.moment.action === action && last.moment.transaction === transaction) {
      return last.digest;
    }
    const context = this.#remembered(moment);
    if (!approval) this.#last = { moment: { settings, action, transaction }, digest: context };
    return context;
  }

  #remembered({ settings, action, transaction, approval }: Moment): string {
    let known = this.#contexts.get(settings);
    if (!known) {
      if (this.#contexts.size >= CONTEXTS_MAX) this.#contexts = new Map();
      this.#contexts.set(settings, (known = new Map()));
    }
    const key = `${action} ${transaction} ${approval?.id ?? ''}`;
    let context = known.get(key);
    if (context === undefined) {
      const { sessionId, subject, resource, client } = this.#scope;
      if (known.size >= CONTEXTS_MAX) known.clear();
      known.set(key, (context = digest(canonical({ sessionId, subject, resource, client, action, transaction, settings, approval }))));
    }
    return context;
  }
}

function rewrittenDigest(rewrite: Rewrite): string {
  let known = rewrittenDigests.get(rewrite);
  if (known === undefined) rewrittenDigests.set(rewrite, (known = digest(rewrite.text)));
  return known;
}
