/**
 * Whether the streams are still set up as they were (N2): compared every few seconds, and at once when the server tells of a change. Whoever can change a
 * stream could make it forget; that must not go unseen.
 */
import type { Subscription } from '@nats-io/transport-node';
import type { NatsLink } from './connection.ts';
import { LIMITS } from './limits.ts';
import { streamInfo } from './setup.ts';
import { differences, type Wanted, wantedStreams } from './streams.ts';

/** Told of each look at a stream: null when it is as it must be, else what is wrong. */
export type Found = (stream: string, wrong: string | null) => void;

/** Starts at once. While there is no connection nothing is told: that shows elsewhere. */
export function watchStreams(link: NatsLink, found: Found): StreamWatch {
  return new StreamWatch(link, found);
}

export class StreamWatch {
  readonly #link: NatsLink;
  readonly #found: Found;
  readonly #wanted: readonly Wanted[];
  readonly #timer: NodeJS.Timeout;
  readonly #unlisten: () => void;
  #advisories: readonly Subscription[] = [];
  #looking: Promise<void> | null = null;
  #again = false;

  /** Use `watchStreams`. */
  constructor(link: NatsLink, found: Found) {
    this.#link = link;
    this.#found = found;
    this.#wanted = wantedStreams(link.settings);
    this.#timer = setInterval(() => this.#look(), LIMITS.watchEveryMs);
    this.#timer.unref();
    this.#unlisten = link.onChange((connected) => this.#listen(connected));
    this.#listen(link.connected);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#unlisten();
    this.#listen(false);
    await this.#looking;
  }

  #listen(connected: boolean): void {
    for (const subscription of this.#advisories) subscription.unsubscribe();
    const connection = connected ? this.#link.current : null;
    this.#advisories =
      connection === null
        ? []
        : this.#wanted.map(({ name }) => connection.subscribe(`$JS.EVENT.ADVISORY.STREAM.*.${name}`, { callback: () => this.#look() }));
    this.#look();
  }

  /** One look at a time; what is told meanwhile is looked at again. */
  #look(): void {
    this.#again = true;
    this.#looking ??= this.#lookAtAll().finally(() => (this.#looking = null));
  }

  async #lookAtAll(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      const connection = this.#link.current;
      if (connection === null) return;
      for (const wanted of this.#wanted) {
        try {
          const info = await streamInfo(connection, wanted.name);
          const wrong = info === null ? ['there is no such stream'] : differences(wanted, info.config);
          this.#found(wanted.name, wrong.length === 0 ? null : wrong.join('; '));
        } catch {
          return; // nobody answered: the connection's state says so
        }
      }
    }
  }
}
