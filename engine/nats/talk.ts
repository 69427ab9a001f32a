/**
 * What engines tell each other beside the stream, by topic: to whoever listens now, and lost where nobody does. Hints, never decisions; and of engines alone: each
 * carries a tag by a key that engines have in common and NATS has not (ADR 0031).
 *
 *     0        1         9     41       42
 *     | 0x01   | at, u64 | tag | length | who says it | body …        at: microseconds, growing with everything that one engine says
 *
 * tag = HMAC-SHA-256(key, "interlock talk 1" NUL, topic NUL, at, and all behind the tag)
 */
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Clock } from '#client/clock';
import type { NatsConnection } from '@nats-io/transport-node';
import type { NatsLink } from './connection.ts';
import { LIMITS } from './limits.ts';
import { ENGINES } from './streams.ts';

export interface TalkOptions {
  /** 32 bytes that all engines of the installation have, and nobody else. */
  readonly key: Uint8Array;
  /** Names this engine. */
  readonly engine: string;
  readonly clock: Clock;
  /** Somebody said something who is no engine of this installation. */
  readonly onForged?: (topic: string) => void;
}

const VERSION = 1;
const AT_AT = 1;
const TAG_AT = 9;
const NAME_AT = 41;
const DOMAIN = 'interlock talk 1\0';

export class EngineTalk {
  readonly #link: NatsLink;
  readonly #options: TalkOptions;
  readonly #key: KeyObject;
  readonly #listeners = new Map<string, (body: Uint8Array) => void>();
  /** By engine and topic: when what was heard last was said. What is not newer was said before. */
  readonly #heardUs = new Map<string, number>();
  #saidUs = 0;
  /** A connection that mends itself keeps its subscription. */
  #subscribed: NatsConnection | null = null;

  constructor(link: NatsLink, options: TalkOptions) {
    this.#link = link;
    this.#options = options;
    this.#key = createSecretKey(options.key);
    this.#subscribe();
    link.onChange(() => this.#subscribe());
  }

  /** @param topic one word */
  say(topic: string, body: Uint8Array): void {
    this.#saidUs = Math.max(this.#saidUs + 1, this.#options.clock.wallUs());
    this.#link.current?.publish(`${ENGINES}.${topic}`, this.#written(topic, body));
  }

  /** One listener for each topic; it hears other engines only. */
  hear(topic: string, listener: (body: Uint8Array) => void): void {
    this.#listeners.set(topic, listener);
  }

  #subscribe(): void {
    const { current } = this.#link;
    if (current === null || current === this.#subscribed) return;
    this.#subscribed = current;
    current.subscribe(`${ENGINES}.*`, {
      callback: (error, message) => {
        if (!error) this.#hear(message.subject.slice(ENGINES.length + 1), message.data);
      },
    });
  }

  #hear(topic: string, bytes: Uint8Array): void {
    const listener = this.#listeners.get(topic);
    if (listener === undefined) return;
    const said = this.#read(topic, bytes);
    if (said === null) return this.#options.onForged?.(topic);
    if (said.engine === this.#options.engine || !this.#isNew(`${said.engine} ${topic}`, said.atUs)) return;
    listener(said.body);
  }

  #isNew(of: string, atUs: number): boolean {
    if (atUs <= (this.#heardUs.get(of) ?? 0)) return false;
    this.#heardUs.delete(of);
    this.#heardUs.set(of, atUs);
    if (this.#heardUs.size > LIMITS.talkersMax) this.#heardUs.delete(this.#heardUs.keys().next().value as string);
    return true;
  }

  #written(topic: string, body: Uint8Array): Buffer {
    const name = Buffer.from(this.#options.engine);
    const bytes = Buffer.concat([Buffer.alloc(NAME_AT), Buffer.of(name.length), name, body]);
    bytes[0] = VERSION;
    bytes.writeBigUInt64BE(BigInt(this.#saidUs), AT_AT);
    bytes.set(this.#tag(topic, bytes), TAG_AT);
    return bytes;
  }

  #read(topic: string, given: Uint8Array): { readonly engine: string; readonly atUs: number; readonly body: Uint8Array } | null {
    if (given.length <= NAME_AT || given[0] !== VERSION) return null;
    const bytes = Buffer.from(given.buffer, given.byteOffset, given.length);
    if (!timingSafeEqual(bytes.subarray(TAG_AT, NAME_AT), this.#tag(topic, bytes))) return null;
    const bodyAt = NAME_AT + 1 + (bytes[NAME_AT] as number);
    const engine = bytes.toString('utf8', NAME_AT + 1, bodyAt);
    return { engine, atUs: Number(bytes.readBigUInt64BE(AT_AT)), body: bytes.subarray(bodyAt) };
  }

  #tag(topic: string, bytes: Buffer): Buffer {
    return createHmac('sha256', this.#key)
      .update(`${DOMAIN}${topic}\0`)
      .update(bytes.subarray(AT_AT, TAG_AT))
      .update(bytes.subarray(NAME_AT))
      .digest();
  }
}
