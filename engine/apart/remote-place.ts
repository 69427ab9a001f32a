/** One session at one engine: the numbers that both call things by. It ends with the connection. */
import type { Rewrite } from '#client/decision-service';
import type { Judgement } from '#schemas/decision';
import type { Channel } from '../channel/parts.ts';
import type { Breaker } from './breaker.ts';
import { DECISION_LIMITS } from './decision-limits.ts';

export interface Place {
  readonly channel: Channel;
  readonly session: number;
  readonly settings: SettingNumbers;
  /** Of the connection. */
  readonly breaker: Breaker;
  /** Of all sessions on this connection. */
  readonly shared: Shared;
  /** The session's last judgement for each action: the next statement's is likely the same. */
  readonly last: (Held<Judgement> | null)[];
}

/** What the engine calls by a number, and need not say again. */
export interface Held<T> {
  readonly number: number;
  readonly value: T;
  readonly place: Place;
}

/** The same object for the same judgement, and for the same rewritten text: the journal stores an object once. */
export interface Shared {
  readonly judgements: Map<number, Judgement>;
  readonly rewrites: Map<number, Rewrite>;
}

const HELD_MAX = 4_096;

export function newShared(): Shared {
  return { judgements: new Map(), rewrites: new Map() };
}

export function remember<T>(held: Map<number, T>, number: number, value: T): T {
  if (held.size >= HELD_MAX) held.clear();
  held.set(number, value);
  return value;
}

/** By identity: there is one object for each distinct set. */
export class SettingNumbers {
  #numbers = new WeakMap<object, number>();
  #told = 0;
  #last = 0;

  /** 0: the engine was not told. */
  of(settings: object): number {
    return this.#numbers.get(settings) ?? 0;
  }

  /** A number for settings that are told now. The engine forgets all when it is told too many, and so does this. */
  next(settings: object): number {
    if (this.#told >= DECISION_LIMITS.settingsPerSession) this.clear();
    this.#told++;
    this.#numbers.set(settings, ++this.#last);
    return this.#last;
  }

  clear(): void {
    this.#numbers = new WeakMap();
    this.#told = 0;
  }
}
