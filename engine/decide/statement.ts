import type { Judgement, Mask } from '#schemas/decision';
import type { Facts } from '#schemas/facts';
import type { Rewrite, Statement } from '#client/decision-service';
import { digest } from './canonical.ts';
import type { StatementPart } from './judgement-cache.ts';
import type { ReadContext, RewriteAnswer } from './ports.ts';

/** What masks made of a statement: its rewritten form, read again, or why it cannot be had. */
export type MaskedForm =
  | { readonly ok: true; readonly rewrite: Rewrite; readonly statement: ReadStatement }
  | (RewriteAnswer & { readonly ok: false });

/** A text as it was read under one context, with what judging it remembers. */
export class ReadStatement implements Statement {
  readonly text: Uint8Array;
  readonly facts: Facts;
  readonly context: ReadContext;
  readonly #paramsAreRead: () => boolean;
  /** The interned part of the key, and the cache epoch that it belongs to. */
  part: { readonly epoch: object; readonly part: StatementPart } | null = null;
  /** A refusal that does not depend on policy, and the revision that it names. */
  refusal: { readonly revision: string; readonly judgement: Judgement | null } | null = null;
  /** By the masks asked for: few, because one revision and session ask for one set. */
  readonly masked = new Map<Readonly<Record<string, Mask>>, MaskedForm | Promise<MaskedForm>>();
  #payloadDigest: string | null = null;

  constructor(text: Uint8Array, facts: Facts, context: ReadContext, paramsAreRead: () => boolean) {
    this.text = text;
    this.facts = facts;
    this.context = context;
    this.#paramsAreRead = paramsAreRead;
  }

  get readsParams(): boolean {
    return this.#paramsAreRead();
  }

  /** Unsalted: it lives in memory only. */
  get payloadDigest(): string {
    return (this.#payloadDigest ??= digest(this.text));
  }
}
