/** Prepared statements and portals of one session (P9): what their names mean here, and their private names at the target. */
import { randomInt } from 'node:crypto';
import type { ApprovalContext } from '#schemas/decision-request';
import type { Statement } from '#client/decision-service';
import type { Payload } from '#client/journal';

export interface Prepared {
  readonly payload: Payload;
  /** What stands at the target: the text, or its rewritten form. */
  readonly sent: Uint8Array;
  /** Types the client named; 0 and missing ones are known once the target has described it. */
  types: readonly number[];
  statement: Statement;
  settings: Readonly<Record<string, string>>;
  /** Revision and catalog under which `statement` was read. */
  epoch: string;
  /** Sync count when it was sent; until the target has confirmed it, only the same segment may use it. */
  readonly segment: number;
  confirmed: boolean;
}

export interface Portal {
  readonly prepared: Prepared;
  /** Of the Bind message: parameter formats and parameters, as they came. */
  readonly params: Buffer | null;
  /** Under which its names were read when it was bound. */
  readonly settings: Readonly<Record<string, string>>;
  /** How much work the session had done when it was bound. */
  readonly works: number;
  readonly segment: number;
  confirmed: boolean;
  /** The approval under which it runs, while it is suspended. */
  approval: ApprovalContext | null;
}

const FIRST = 0x21;
const LAST = 0x7e;

/**
 * A client's names are spelled otherwise at the target, in the same length, by a permutation that only this session knows: SQL text cannot
 * name what the protocol prepared, nor the other way round. Unnamed ones keep their emptiness, which SQL cannot spell.
 */
export class PrivateNames {
  readonly #to: Uint8Array = new Uint8Array(256);

  constructor() {
    for (let byte = 0; byte < 256; byte++) this.#to[byte] = byte;
    // Sattolo: one cycle, so that no byte stays what it is
    for (let at = LAST; at > FIRST; at--) {
      const other = randomInt(FIRST, at);
      [this.#to[at], this.#to[other]] = [this.#to[other] as number, this.#to[at] as number];
    }
  }

  /** In place, from `start` to the NUL before `end`. */
  apply(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at++) bytes[at] = this.#to[bytes[at] as number] as number;
  }

  of(name: string): string {
    const bytes = Buffer.from(name);
    this.apply(bytes, 0, bytes.length);
    return bytes.toString();
  }
}

/** Names → what they stand for; a change that the target refused is taken back. */
export class Names<T extends { readonly segment: number }> {
  readonly #live: Map<string, T> = new Map();

  /** One more name would be too many. */
  full(name: string, max: number): boolean {
    return this.#live.size >= max && !this.#live.has(name);
  }

  get(name: string): T | undefined {
    return this.#live.get(name);
  }

  /** Answers what the name stood for. */
  set(name: string, value: T): T | null {
    const before = this.#live.get(name) ?? null;
    this.#live.set(name, value);
    return before;
  }

  delete(name: string): T | null {
    const before = this.#live.get(name) ?? null;
    this.#live.delete(name);
    return before;
  }

  /** The target did not do it. */
  revert(name: string, after: T | null, before: T | null): void {
    if ((this.#live.get(name) ?? null) !== after) return;
    if (before === null) this.#live.delete(name);
    else this.#live.set(name, before);
  }

  clear(): void {
    this.#live.clear();
  }

  /** Portals end with their transaction. */
  dropUpTo(segment: number): void {
    for (const [name, value] of this.#live) if (value.segment <= segment) this.#live.delete(name);
  }
}
