/** What an answer of the target belongs to, in the order in which the messages went upstream. */
export type ExpectedKind = 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync' | 'query' | 'refusal' | 'own';

/** As the target answered it. */
export type FinishOutcome = 'ok' | 'error' | 'aborted' | 'unknown';

/** A cleared statement until it is finished. */
export interface Running {
  readonly id: string;
  readonly startedUs: number;
  readonly masked: readonly string[];
  /** Of rewritten text: error positions go back to what the client wrote. */
  readonly toOriginal: ((offset: number) => number | null) | null;
  readonly text: Uint8Array;
  /** Once the target has confirmed it. */
  readonly done: (() => void) | null;
  /** Runs in a transaction that decides what becomes of it: told here in place of being recorded. */
  readonly controlled: ((outcome: FinishOutcome) => void) | null;
  rows: number;
  bytes: number;
  tag: string | null;
  sqlstate: string | null;
}

export interface Expected {
  readonly kind: ExpectedKind;
  readonly running: Running | null;
  /** What the target's confirmation settles, or its error takes back. */
  readonly change: Change | null;
  /** What the client is told in place of the target's answer. */
  readonly instead: Buffer | null;
  /** Body of ParameterDescription. */
  readonly parameters: ((body: Buffer) => void) | null;
  /** Answers to the gateway's own messages go here. */
  readonly own: OwnAnswer | null;
  /** Sync count at a `sync` or `query`. */
  readonly segment: number;
}

export interface Change {
  confirm(): void;
  revert(): void;
}

export interface OwnAnswer {
  /** One text column of a row. */
  row(value: string | null): void;
  /** What the target says against it, by field letter; `done(false)` follows. */
  failed?(fields: Readonly<Record<string, string>>): void;
  done(ok: boolean): void;
}

/** With everything that is not said absent; one shape for all. */
export function expect(kind: ExpectedKind, segment: number, given?: Partial<Omit<Expected, 'kind' | 'segment'>>): Expected {
  return {
    kind,
    running: given?.running ?? null,
    change: given?.change ?? null,
    instead: given?.instead ?? null,
    parameters: given?.parameters ?? null,
    own: given?.own ?? null,
    segment,
  };
}

/** First in, first out, without a shift for each message. */
export class Queue<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  first(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head++;
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** The newest ones, at most so many, in their order. */
  withdraw(count: number): T[] {
    return this.#items.splice(Math.max(this.#head, this.#items.length - count));
  }

  some(test: (item: T) => boolean): boolean {
    for (let at = this.#head; at < this.#items.length; at++) if (test(this.#items[at] as T)) return true;
    return false;
  }
}
