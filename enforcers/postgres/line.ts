/** What goes to the target and what is still to come back: the one place that knows where segments begin and end. */
import type { Clock } from '#client/clock';
import type { DurablePosition, Journal } from '#client/journal';
import type { ClearedStatement } from '#enforcers/common/cleared';
import { Outbox, type Batch } from '#enforcers/common/outbox';
import { isPromise } from '#enforcers/common/promise';
import type { Wire } from '#enforcers/common/socket';
import { expect, Queue, type Expected } from './expected.ts';
import { F, type Fields, FLUSH, int16, int32, message, SYNC } from './protocol.ts';

export interface LineParts {
  readonly target: Wire;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Proof that `session.opened` is on stable storage. */
  readonly opened: DurablePosition;
  /** Unguessable: names what nobody can prepare. */
  readonly secret: string;
  /** Something has left, after a wait for the disk. */
  readonly left: () => void;
  /** What is staged must not leave: its intents are not where they have to be. Call `withdraw`, or end the session. */
  readonly undurable: (error: unknown) => void;
  readonly fault: (error: unknown) => void;
}

interface Deferred {
  readonly entry: Expected;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** What came of texts in the gateway's own name. */
export interface Told {
  readonly values: (string | null)[];
  readonly failed: boolean;
  /** What the target said against it; null where it only dropped them, because of what stood before. */
  readonly fields: Fields | null;
}

export class Line {
  readonly expected: Queue<Expected> = new Queue();
  readonly #parts: LineParts;
  readonly #outbox: Outbox;
  /** Its Bind fails, whatever the client does: the target then gives up the segment and the transaction (P11, P12). */
  readonly #abort: Buffer;
  readonly #own: string;
  /** Messages went out that no Sync has followed yet. */
  #open = false;
  /** A Bind that no execution has followed yet, and what describes it: they leave with that execution, or not at all (I2). */
  #deferred: Deferred[] = [];
  /** Counts Syncs and Queries. */
  segment = 0;
  #durable: DurablePosition;
  /** Answers that are expected to messages that have not left: staged, and of the batch that waits. */
  #staged = 0;
  #waiting = 0;
  /** `open`, as the target sees it, and as it will when the batch has left. */
  #openThere = false;
  #openThen = false;
  #releasing = false;
  #over = false;

  constructor(parts: LineParts) {
    this.#parts = parts;
    this.#durable = parts.opened;
    this.#outbox = new Outbox((bytes) => parts.target.write(bytes));
    this.#abort = message(F.bind, '', `__gw_abort_${parts.secret}__`, int16(0), int16(0), int16(0));
    this.#own = `__gw_own_${parts.secret}__`;
  }

  /** Nothing is unanswered, and nothing waits to leave. */
  get idle(): boolean {
    return this.expected.length === 0;
  }

  /** The client is in a segment that no Sync has followed yet. */
  get open(): boolean {
    return this.#open || this.#deferred.length > 0;
  }

  /** How many messages wait for an execution. */
  get deferring(): number {
    return this.#deferred.length;
  }

  /** An execution waits to leave. */
  get pressing(): boolean {
    return this.#outbox.pressing;
  }

  /** A message of the extended protocol that carries a cleared statement. */
  stage(cleared: ClearedStatement, entry: Expected, bytes: Uint8Array, start?: number, end?: number): void {
    this.#undefer();
    this.#open = true;
    this.#outbox.stage(cleared, bytes, start, end);
    this.#expect(entry);
  }

  /** A cleared simple Query: a segment of its own, and the end of one that was open. */
  query(cleared: ClearedStatement, bytes: Uint8Array, given: Partial<Expected>): void {
    this.#undefer();
    this.#outbox.stage(cleared, bytes);
    this.#expect(expect('query', ++this.segment, given));
  }

  /** A message that carries no statement. */
  pass(entry: Expected, bytes: Uint8Array, start?: number, end?: number): void {
    this.#undefer();
    this.#put(entry, bytes, start, end);
  }

  #put(entry: Expected, bytes: Uint8Array, start?: number, end?: number): void {
    this.#open = true;
    this.#outbox.pass(bytes, start, end);
    this.#expect(entry);
  }

  /** Parameters of an execution that is not judged yet. */
  defer(entry: Expected, bytes: Uint8Array, start: number, end: number): void {
    this.#deferred.push({ entry, bytes, start, end });
  }

  /** What stands behind parameters that wait, waits with them. */
  passBehind(entry: Expected, bytes: Uint8Array, start: number, end: number): void {
    if (this.#deferred.length > 0) this.defer(entry, bytes, start, end);
    else this.#put(entry, bytes, start, end);
  }

  /** What waited for an execution that is refused: it never leaves. */
  dropDeferred(): Expected[] {
    const dropped = this.#deferred.map(({ entry }) => entry);
    this.#deferred = [];
    return dropped;
  }

  #undefer(): void {
    if (this.#deferred.length === 0) return;
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const { entry, bytes, start, end } of deferred) this.#put(entry, bytes, start, end);
  }

  #expect(entry: Expected): void {
    this.#staged++;
    this.expected.push(entry);
  }

  flush(): void {
    this.#undefer();
    this.#outbox.pass(FLUSH);
  }

  /** The client's own Sync, where it lies. */
  sync(bytes: Uint8Array = SYNC, start?: number, end?: number): void {
    this.#sync(null, bytes, start, end);
  }

  #sync(own: Expected['own'], bytes: Uint8Array, start?: number, end?: number): void {
    this.#undefer();
    this.#outbox.pass(bytes, start, end);
    this.#expect(own === null ? expect('sync', ++this.segment) : expect('sync', ++this.segment, { own }));
    this.#open = false;
  }

  /** Ends the segment at the target; the client is told `instead` where the target's error comes. */
  abort(instead: Buffer): void {
    this.pass(expect('refusal', this.segment, { instead }), this.#abort);
  }

  /** Takes back everything that has not left, and what was expected for it; the line is as the target sees it. */
  withdraw(): Expected[] {
    this.#outbox.drop();
    const withdrawn = [...this.expected.withdraw(this.#waiting + this.#staged), ...this.dropDeferred()];
    this.#waiting = this.#staged = 0;
    this.#releasing = false;
    this.#open = this.#openThere;
    return withdrawn;
  }

  /** Everything so far leaves, once its intents are durable. */
  send(): void {
    this.release();
    this.#parts.left();
  }

  /** The last message of all. */
  end(terminate: Buffer): void {
    this.#outbox.pass(terminate);
    this.release();
  }

  close(): void {
    this.#over = true;
  }

  /**
   * Asks the target in the gateway's own name, in between: each text answers rows with one column, or nothing. Resolves with null when the
   * target refuses. The unnamed statement and portal of the client stay what they are.
   */
  async ask(texts: readonly string[]): Promise<(string | null)[] | null> {
    const told = await this.tell(texts);
    return told.failed ? null : told.values;
  }

  /** The same, and what the target says against it. `sync`: ends the segment; else one that is open stays open, and parameters that wait go on waiting. */
  tell(texts: readonly string[], sync: boolean = !this.open): Promise<Told> {
    const { promise, resolve } = Promise.withResolvers<Told>();
    const values: (string | null)[] = [];
    let failed = false;
    let fields: Fields | null = null;
    const settle = (): void => resolve({ values, failed, fields });
    const row = (value: string | null): number => values.push(value);
    const each = {
      row,
      failed: (said: Fields) => (fields = said),
      done: (ok: boolean) => {
        failed ||= !ok;
        // nothing more is answered before Sync
        if (!ok && !sync) settle();
      },
    };
    const last = {
      ...each,
      done: (ok: boolean) => {
        failed ||= !ok;
        settle();
      },
    };
    for (const [index, text] of texts.entries()) {
      this.#ask(text, each, sync || index < texts.length - 1 ? each : last);
    }
    if (sync) this.#sync(last, SYNC);
    else this.#outbox.pass(FLUSH);
    this.send(); // nobody else may be there to hand it over
    return promise;
  }

  #ask(text: string, each: NonNullable<Expected['own']>, last: NonNullable<Expected['own']>): void {
    const name = this.#own;
    const { segment } = this;
    // one before it may have failed before its own Close, in a transaction that is still there
    this.#put(expect('own', segment, { own: each }), message(F.close, Buffer.from('P'), name));
    this.#put(expect('own', segment, { own: each }), message(F.close, Buffer.from('S'), name));
    this.#put(expect('own', segment, { own: each }), message(F.parse, name, text, int16(0)));
    this.#put(expect('own', segment, { own: each }), message(F.bind, name, name, int16(0), int16(0), int16(0)));
    this.#put(expect('own', segment, { own: each }), message(F.execute, name, int32(0)));
    this.#put(expect('own', segment, { own: each }), message(F.close, Buffer.from('P'), name));
    this.#put(expect('own', segment, { own: last }), message(F.close, Buffer.from('S'), name));
  }

  /** The one wait for the disk: everything staged leaves together once its intents are durable. */
  release(): void {
    if (this.#outbox.empty || this.#releasing || this.#over) return;
    const batch = this.#outbox.take();
    this.#waiting = this.#staged;
    this.#staged = 0;
    this.#openThen = this.#open;
    const durable = this.#durable >= batch.intent ? this.#durable : this.#parts.journal.durable(batch.intent);
    if (!isPromise(durable)) return this.#forward(batch, durable);
    this.#releasing = true;
    durable.then((proof) => this.#released(batch, proof), this.#parts.undurable);
  }

  #released(batch: Batch, proof: DurablePosition): void {
    this.#releasing = false;
    if (this.#over) return;
    try {
      this.#forward(batch, proof);
      this.release();
      this.#parts.left();
    } catch (error) {
      this.#parts.fault(error);
    }
  }

  #forward(batch: Batch, proof: DurablePosition): void {
    this.#durable = proof;
    this.#waiting = 0;
    this.#openThere = this.#openThen;
    this.#outbox.release(batch, proof, this.#parts.clock.monotonicUs());
  }
}
