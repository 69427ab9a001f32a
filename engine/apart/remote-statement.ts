/** Texts that the engine has read, as the enforcer holds them. */
import { hash } from 'node:crypto';
import type { Rewrite, Statement } from '#client/decision-service';
import type { Judgement } from '#schemas/decision';
import { Facts } from '#schemas/facts';
import { DECISION_LIMITS } from './decision-limits.ts';
import { ACTIONS } from './decision-wire.ts';
import { form } from './messages.ts';
import type { Held, Place } from './remote-place.ts';

export class RemoteStatement implements Statement {
  readonly text: Uint8Array;
  readonly facts: Facts;
  /** `sha256:…` of the text, computed here: what its decisions are bound to. */
  readonly digest: string;
  /** As the engine said last. */
  readsParams: boolean;
  /** Where the engine knows it, and its number there. */
  place: Place | null;
  number: number;
  /** The last judgement for each action. */
  readonly judgements: (Held<Judgement> | null)[] = ACTIONS.map(() => null);
  rewrite: Held<Rewrite> | null = null;

  constructor(text: Uint8Array, facts: Facts, digest: string, place: Place, number: number, readsParams: boolean) {
    this.text = text;
    this.facts = facts;
    this.digest = digest;
    this.place = place;
    this.number = number;
    this.readsParams = readsParams;
  }
}

export function textDigest(text: Uint8Array): string {
  return `sha256:${hash('sha256', text, 'hex')}`;
}

/** Of one session: what it sends again and again, by settings. The oldest goes. */
export class KnownTexts {
  #bySettings = new WeakMap<object, Map<string, RemoteStatement>>();
  #count = 0;
  #bytes = 0;

  get(settings: object, text: Uint8Array): RemoteStatement | undefined {
    return text.length > DECISION_LIMITS.sharedTextBytes ? undefined : this.#bySettings.get(settings)?.get(keyOf(text));
  }

  put(settings: object, statement: RemoteStatement): void {
    const { text } = statement;
    if (text.length > DECISION_LIMITS.sharedTextBytes) return;
    if (this.#count >= DECISION_LIMITS.knownTexts || this.#bytes + text.length > DECISION_LIMITS.knownTextBytes) this.clear();
    let known = this.#bySettings.get(settings);
    if (known === undefined) this.#bySettings.set(settings, (known = new Map()));
    known.set(keyOf(text), statement);
    this.#count++;
    this.#bytes += text.length;
  }

  clear(): void {
    this.#bySettings = new WeakMap();
    this.#count = 0;
    this.#bytes = 0;
  }
}

/** Facts as the same object for the same JSON: the journal stores an object once. */
export class FactsPool {
  readonly #known: Map<string, Facts> = new Map();
  #bytes = 0;

  /** @throws InterlockError CHANNEL_PROTOCOL */
  of(bytes: Buffer): Facts {
    const key = keyOf(bytes);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const facts = FACTS.read(bytes);
    if (bytes.length > DECISION_LIMITS.factsBytes / 16) return facts;
    if (this.#bytes + bytes.length > DECISION_LIMITS.factsBytes) {
      this.#known.clear();
      this.#bytes = 0;
    }
    this.#known.set(key, facts);
    this.#bytes += bytes.length;
    return facts;
  }
}

const FACTS = form(Facts, 'the facts of a text');

/** One character for each byte. */
function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
