/** What engines tell each other beside the stream, by topic: to whoever listens now, and lost where nobody does. Hints, never decisions. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { NatsLink } from './connection.ts';
import { ENGINES } from './streams.ts';

export class EngineTalk {
  readonly #link: NatsLink;
  readonly #listeners = new Map<string, (body: Uint8Array) => void>();
  /** A connection that mends itself keeps its subscription. */
  #subscribed: NatsConnection | null = null;

  constructor(link: NatsLink) {
    this.#link = link;
    this.#subscribe();
    link.onChange(() => this.#subscribe());
  }

  /** @param topic one word */
  say(topic: string, body: Uint8Array): void {
    this.#link.current?.publish(`${ENGINES}.${topic}`, body);
  }

  /** One listener for each topic; it hears this engine too. */
  hear(topic: string, listener: (body: Uint8Array) => void): void {
    this.#listeners.set(topic, listener);
  }

  #subscribe(): void {
    const { current } = this.#link;
    if (current === null || current === this.#subscribed) return;
    this.#subscribed = current;
    current.subscribe(`${ENGINES}.*`, {
      callback: (error, message) => {
        if (!error) this.#listeners.get(message.subject.slice(ENGINES.length + 1))?.(message.data);
      },
    });
  }
}
