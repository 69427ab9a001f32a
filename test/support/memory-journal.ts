/** Our Journal interface in memory, for unit tests of what uses a journal. A restart is a new one over the same disk; a crash loses what was not synced. */
import { createHash, randomBytes } from 'node:crypto';
import { timestamp, type Clock } from '#client/clock';
import type { DurablePosition, EventDraft, Journal, Payload, Position } from '#client/journal';
import { isAgentEvent, streamOf as agentStream } from '#engine/agents/registry';
import type { Carried } from '#engine/approvals/ordering/message';
import { InterlockError } from '#schemas/errors';
import type { Event, PayloadRef } from '#schemas/event';

/** What survives a restart. Share one between two journals only to take them one after the other. */
export class MemoryDisk {
  readonly events: Event[] = [];
  readonly payloads = new Map<string, Uint8Array>();
}

export class MemoryJournal implements Journal {
  readonly disk: MemoryDisk;
  /** Placed, not yet on the disk: what a crash loses. */
  readonly #placed: Event[] = [];
  readonly #last = new Map<string, Position>();
  readonly #refs = new WeakMap<object, PayloadRef>();
  readonly #salts = new WeakMap<object, Uint8Array>();
  readonly #clock: Clock;
  readonly #listeners: ((fault: Error) => void)[] = [];
  #next: number;
  #syncing: Promise<void> | null = null;
  #fault: InterlockError | null = null;
  /** A test may hold the disk back: `durable` waits for it. */
  gate: Promise<void> | null = null;

  constructor(clock: Clock, disk = new MemoryDisk()) {
    this.#clock = clock;
    this.disk = disk;
    this.#next = disk.events.length;
    for (const event of disk.events) this.#note(event);
  }

  get fault(): Error | null {
    return this.#fault;
  }

  append(event: EventDraft): Position {
    if (this.#fault) throw this.#fault;
    const seq = this.#next++;
    const stored = {
      contract: 1,
      time: timestamp(this.#clock.wallUs()),
      tick_us: String(this.#clock.monotonicUs()),
      journal: 'memory',
      seq,
      index: 0,
      prev: `sha256:${'0'.repeat(64)}`,
      ...this.#stored(event),
    } as unknown as Event;
    this.#placed.push(stored);
    this.#note(stored);
    return seq;
  }

  appendIf(event: EventDraft, condition: { readonly stream: string; readonly expectedLast: Position }): Position | null {
    if (this.lastOf(condition.stream) !== condition.expectedLast) return null;
    const position = this.append(event);
    this.#last.set(condition.stream, position);
    return position;
  }

  durable(position: Position): DurablePosition | Promise<DurablePosition> {
    if (this.#fault) throw this.#fault;
    if (position < this.disk.events.length) return position as DurablePosition;
    return this.#sync().then(() => position as DurablePosition);
  }

  lastOf(stream: string): Position {
    return this.#last.get(stream) ?? -1;
  }

  digestOf(payload: Payload): string {
    return this.#refOf(payload).digest;
  }

  /** For the journal of another engine. */
  carry(payload: Payload): Carried {
    const { digest, bytes: length } = this.#refOf(payload);
    return { media: payload.media, digest, length, clear: { salt: this.#salts.get(payload) ?? new Uint8Array(0), bytes: payload.bytes } };
  }

  adopt({ media, digest, length, clear }: Carried): Payload {
    const payload: Payload = { bytes: clear?.bytes ?? new Uint8Array(0), media };
    this.#refs.set(payload, { digest, bytes: length, form: clear ? 'clear' : 'absent' });
    if (clear) this.#salts.set(payload, clear.salt);
    if (clear) this.disk.payloads.set(digest, clear.bytes);
    return payload;
  }

  onFault(listener: (fault: Error) => void): void {
    this.#listeners.push(listener);
  }

  /** As a disk error would. */
  fail(cause: Error): void {
    this.#fault = new InterlockError('JOURNAL_UNAVAILABLE', 'the journal cannot be written', { cause });
    for (const listener of this.#listeners) listener(this.#fault);
  }

  async *events(): AsyncIterable<Event> {
    await Promise.resolve();
    yield* this.disk.events;
  }

  payload(ref: PayloadRef): Promise<Uint8Array | null> {
    return Promise.resolve(this.disk.payloads.get(ref.digest) ?? null);
  }

  payloads(refs: readonly PayloadRef[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const digests = new Set(refs.map((ref) => ref.digest));
    return Promise.resolve(new Map([...this.disk.payloads].filter(([digest]) => digests.has(digest))));
  }

  async #sync(): Promise<void> {
    this.#syncing ??= (async () => {
      await this.gate;
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#syncing = null;
      if (this.#fault) throw this.#fault;
      this.disk.events.push(...this.#placed.splice(0));
    })();
    await this.#syncing;
  }

  #note(event: Event): void {
    // statements and viewings name their approval too, but are no part of its stream
    if (event.type.startsWith('approval.') && event.type !== 'approval.viewed' && 'approval_id' in event)
      this.#last.set(event.approval_id, event.seq);
    if (isAgentEvent(event)) this.#last.set(agentStream(event), event.seq);
  }

  #stored(event: EventDraft): object {
    return Object.fromEntries(
      Object.entries(event)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => [key, isPayload(value) ? this.#refOf(value) : hasPlan(value) ? { ...value, plan: this.#refOf(value.plan) } : value]),
    );
  }

  #refOf(payload: Payload): PayloadRef {
    let ref = this.#refs.get(payload);
    if (!ref) {
      const salt = randomBytes(16);
      this.#salts.set(payload, salt);
      const digest = `sha256:${createHash('sha256').update(salt).update(payload.bytes).digest('hex')}`;
      ref = { digest, bytes: payload.bytes.length, form: 'clear' };
      this.#refs.set(payload, ref);
      this.disk.payloads.set(digest, Uint8Array.from(payload.bytes));
    }
    return ref;
  }
}

function hasPlan(value: unknown): value is { readonly plan: Payload } {
  return typeof value === 'object' && value !== null && 'plan' in value && isPayload(value.plan);
}

function isPayload(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && 'bytes' in value && value.bytes instanceof Uint8Array;
}
