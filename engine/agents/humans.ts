/** Humans as this engine last saw them: their agents get what they have, and no more. Memory; what agents need of it stands in the registry. */
import type { Principal } from '#client/identity';
import { LIMITS } from './limits.ts';

export interface Human {
  readonly id: string;
  readonly login: string;
  readonly groups: readonly string[];
  /** When the token that said so was issued. */
  readonly issuedAtMs: number;
  /** What they had by an older token. */
  readonly lost: readonly string[];
}

const HUMANS_MAX = 10_000;

export class Humans {
  readonly #seen = new Map<string, Human>();
  readonly #onLoss: () => void;

  /** @param onLoss somebody has fewer groups than before */
  constructor(onLoss: () => void) {
    this.#onLoss = onLoss;
  }

  /** null: no human's own token, or older than what is known. */
  see({ subject, issuedAtMs }: Principal): Human | null {
    if (subject.type !== 'user' || subject.properties.on_behalf_of !== undefined) return null;
    const { id } = subject;
    const before = this.#seen.get(id);
    if (before !== undefined && before.issuedAtMs > issuedAtMs) return null;
    const groups = subject.properties.groups.slice(0, LIMITS.humanGroups);
    const had = new Set([...(before?.groups ?? []), ...(before?.lost ?? [])]);
    const lost = [...had].filter((group) => !groups.includes(group)).slice(0, LIMITS.humanGroups);
    const human = { id, login: subject.properties.login, groups, issuedAtMs, lost };
    this.#seen.delete(id);
    this.#seen.set(id, human);
    if (this.#seen.size > HUMANS_MAX) for (const oldest of this.#seen.keys()) if (this.#seen.delete(oldest)) break;
    if (before?.groups.some((group) => !groups.includes(group)) === true) this.#onLoss();
    return human;
  }

  /** Groups that they had and have no more, as far as it was seen here. */
  lostBy(id: string): readonly string[] {
    return this.#seen.get(id)?.lost ?? [];
  }

  byId(id: string): Human | undefined {
    return this.#seen.get(id);
  }

  /** Of several issuers two people may have one login. */
  byLogin(login: string): readonly Human[] {
    return [...this.#seen.values()].filter((human) => human.login === login);
  }
}
