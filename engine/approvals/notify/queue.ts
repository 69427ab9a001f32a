/** The messages of one channel: in order, a few at a time, again after a while, and dead after the last try. */
import type { Clock } from '#client/clock';
import { backoffMs } from './backoff.ts';
import { DeliveryFailed } from './delivery-failed.ts';
import type { Delivery } from './delivery.ts';
import type { NotifyLimits } from './limits.ts';
import type { Attempt, Transport } from './parts.ts';

export interface QueueOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly limits: NotifyLimits;
  readonly random: () => number;
  /** Whether it is still worth telling: what was decided meanwhile asks for nothing. */
  readonly wanted: (delivery: Delivery) => boolean;
  /** It is delivered or dead. */
  readonly onEnd: (delivery: Delivery) => void;
}

interface Waiting {
  readonly delivery: Delivery;
  /** Monotonic clock, milliseconds. */
  readonly dueMs: number;
}

export class ChannelQueue {
  readonly #options: QueueOptions;
  /** By due time, urgent ones first. */
  #waiting: Waiting[] = [];
  readonly #sending = new Set<Delivery>();
  #timer: NodeJS.Timeout | null = null;
  readonly #closing = new AbortController();

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length + this.#sending.size;
  }

  list(): readonly Delivery[] {
    return [...this.#sending, ...this.#waiting.map(({ delivery }) => delivery)];
  }

  add(delivery: Delivery): void {
    if (this.#closing.signal.aborted) return;
    const { queueMax } = this.#options.limits;
    if (this.size >= queueMax && !delivery.urgent) return this.#end(delivery, 'dead', `more than ${queueMax} messages wait in this channel`);
    this.#place(delivery, this.#nowMs());
    this.#pump();
  }

  close(): void {
    this.#closing.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #place(delivery: Delivery, dueMs: number): void {
    const at = this.#waiting.findIndex(
      (other) => (delivery.urgent && !other.delivery.urgent) || (delivery.urgent === other.delivery.urgent && other.dueMs > dueMs),
    );
    this.#waiting.splice(at === -1 ? this.#waiting.length : at, 0, { delivery, dueMs });
  }

  /** Starts what is due and has a place; an urgent one needs none. */
  #pump(): void {
    if (this.#closing.signal.aborted) return;
    const nowMs = this.#nowMs();
    for (const { delivery, dueMs } of this.#waiting) {
      if (dueMs > nowMs || (this.#sending.size >= this.#options.limits.concurrency && !delivery.urgent)) continue;
      this.#waiting = this.#waiting.filter((other) => other.delivery !== delivery);
      if (this.#options.wanted(delivery)) void this.#attempt(delivery);
    }
    this.#wake(nowMs);
  }

  #wake(nowMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const later = this.#waiting.filter(({ dueMs }) => dueMs > nowMs).map(({ dueMs }) => dueMs);
    if (later.length > 0) this.#timer = setTimeout(() => this.#pump(), Math.ceil(Math.min(...later) - nowMs) + 1).unref();
  }

  async #attempt(delivery: Delivery): Promise<void> {
    const { transport, limits, clock } = this.#options;
    this.#sending.add(delivery);
    delivery.tries += 1;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(limits.timeoutMs)]);
    const failure = await attempt(transport, delivery, { signal, now: new Date(clock.wallUs() / 1000) });
    this.#sending.delete(delivery);
    if (this.#closing.signal.aborted) return;
    if (failure === null) this.#end(delivery, 'delivered', null);
    else this.#retry(delivery, failure);
    this.#pump();
  }

  #retry(delivery: Delivery, failure: DeliveryFailed): void {
    const { limits, random } = this.#options;
    delivery.detail = failure.message;
    if (delivery.tries >= (failure.refused ? limits.triesRefusedMax : limits.triesMax)) return this.#end(delivery, 'dead', failure.message);
    this.#place(delivery, this.#nowMs() + backoffMs(delivery.tries, failure.retryAfterMs, limits, random));
  }

  #end(delivery: Delivery, state: 'delivered' | 'dead', detail: string | null): void {
    delivery.state = state;
    delivery.detail = detail;
    delivery.timeUs = this.#options.clock.wallUs();
    this.#options.onEnd(delivery);
  }

  #nowMs(): number {
    return this.#options.clock.monotonicUs() / 1000;
  }
}

/** null: it arrived. Whatever else a transport throws is told by its name alone: its text could hold an address that is a secret. */
export async function attempt(transport: Transport, { letter }: Pick<Delivery, 'letter'>, how: Attempt): Promise<DeliveryFailed | null> {
  try {
    await transport.send(letter, how);
    return null;
  } catch (error) {
    if (error instanceof DeliveryFailed) return error;
    const { code, name } = error as { code?: unknown; name?: unknown };
    return new DeliveryFailed(`cannot be sent (${typeof code === 'string' ? code : typeof name === 'string' ? name : 'unknown'})`);
  }
}
