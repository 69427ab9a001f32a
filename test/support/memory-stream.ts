/** A stream in memory that does all that a real one may do to us: answers get lost, messages come late or twice, followers are cut off, a tail is lost. */
import type { Expected, OrderedStream, Published, StreamInfo, StreamMessage } from '#engine/approvals/ordering/stream';

/** What goes wrong next, asked at each step. */
export interface Weather {
  /** The message does not arrive, or its answer does not. */
  publish(): 'fine' | 'lost' | 'unanswered' | 'refused for nothing';
  delivery(): 'fine' | 'twice' | 'cut off';
  /** Lets others have their turn. */
  turn(what: string): Promise<void>;
}

interface Stored extends StreamMessage {
  readonly id: string;
}

export class MemoryStream {
  readonly messages: Stored[] = [];
  readonly #connections = new Set<Connection>();
  #log = 1;
  /** What stands before grew old. */
  first = 1;
  /** Somebody keeps all that was acknowledged, until it is lost; null: nobody says so. */
  keeper: number | null = null;

  connection(weather: Weather): Connection {
    const connection = new Connection(this, weather, () => this.#connections.delete(connection));
    this.#connections.add(connection);
    return connection;
  }

  get log(): string {
    return `memory ${this.#log}`;
  }

  store(subject: string, body: Uint8Array, { id, lastOfSubject, last }: Expected): Published {
    const known = this.messages.find((message) => message.id === id);
    if (known) return { kind: 'stored', seq: known.seq };
    const before = this.messages.findLast((message) => message.subject === subject && message.seq >= this.first)?.seq ?? 0;
    if (last !== undefined && last !== this.messages.length) return { kind: 'refused', last: this.messages.length };
    if (lastOfSubject !== undefined && lastOfSubject !== before) return { kind: 'refused', last: before };
    const seq = this.messages.length + 1;
    this.messages.push({ seq, subject, body, id });
    for (const connection of this.#connections) connection.wake();
    return { kind: 'stored', seq };
  }

  /** As after a power cut: what was acknowledged is gone. */
  lose(count: number): void {
    this.messages.splice(Math.max(0, this.messages.length - count));
    if (this.keeper !== null) this.keeper++;
  }

  say(body: Uint8Array, from: Connection): void {
    for (const connection of this.#connections) if (connection !== from) connection.told(body);
  }
}

export class Connection implements OrderedStream {
  readonly bytesMax = 8 << 20;
  readonly #stream: MemoryStream;
  readonly #weather: Weather;
  readonly #gone: () => void;
  readonly #listeners: ((connected: boolean) => void)[] = [];
  #hear: (body: Uint8Array) => void = () => {};
  #news = Promise.withResolvers<void>();
  connected = true;

  constructor(stream: MemoryStream, weather: Weather, gone: () => void) {
    this.#stream = stream;
    this.#weather = weather;
    this.#gone = gone;
  }

  onConnection(listener: (connected: boolean) => void): void {
    this.#listeners.push(listener);
  }

  set(connected: boolean): void {
    if (this.connected === connected) return;
    this.connected = connected;
    for (const listener of this.#listeners) listener(connected);
  }

  /** The process is gone. */
  end(): void {
    this.set(false);
    this.#gone();
  }

  wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  told(body: Uint8Array): void {
    if (this.connected) this.#hear(body);
  }

  async info(): Promise<StreamInfo> {
    await this.#weather.turn('info');
    this.#check();
    return {
      log: this.#stream.log,
      first: this.#stream.first,
      last: this.#stream.messages.length,
      keeper: this.#stream.keeper === null ? null : `leader ${this.#stream.keeper}`,
    };
  }

  async message(seq: number): Promise<StreamMessage | null> {
    await this.#weather.turn('message');
    this.#check();
    return seq < this.#stream.first ? null : (this.#stream.messages[seq - 1] ?? null);
  }

  async publish(subject: string, body: Uint8Array, expected: Expected): Promise<Published> {
    const weather = this.#weather.publish();
    await this.#weather.turn('publish');
    if (!this.connected || weather === 'lost') return { kind: 'unknown', reason: 'it was lost' };
    if (weather === 'refused for nothing') return { kind: 'unknown', reason: 'no leader' };
    const published = this.#stream.store(subject, body, expected);
    await this.#weather.turn('answer');
    return weather === 'unanswered' || !this.connected ? { kind: 'unknown', reason: 'the answer was lost' } : published;
  }

  async run(from: number, each: (message: StreamMessage) => void | Promise<void>, signal: AbortSignal): Promise<void> {
    const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    for (let next = from; !signal.aborted && this.connected; ) {
      const message = this.#stream.messages[next - 1];
      if (!message) {
        await Promise.race([this.#news.promise, ended]);
        continue;
      }
      await this.#weather.turn('delivery');
      if (signal.aborted || !this.connected) return;
      const weather = this.#weather.delivery();
      if (weather === 'cut off') return;
      // what was lost meanwhile does not come
      if (this.#stream.messages[next - 1] !== message) continue;
      await each(message);
      if (weather === 'twice') await each(message);
      next++;
    }
  }

  say(body: Uint8Array): void {
    if (this.connected) this.#stream.say(body, this);
  }

  hear(listener: (body: Uint8Array) => void): void {
    this.#hear = listener;
  }

  #check(): void {
    if (!this.connected) throw new Error('there is no connection');
  }
}

export const fairWeather: Weather = { publish: () => 'fine', delivery: () => 'fine', turn: () => Promise.resolve() };
