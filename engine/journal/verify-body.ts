/**
 * A record's body as the verifier reads it: who, which statement, what kind of event; not every field. Nothing is made for an event that nobody keeps:
 * it is told to the lifecycle as it is read.
 */
import { CLEARED, DECIDED, FORMS, ITEM, MEDIA, OUTCOMES } from './format.ts';
import type { Lifecycle } from './verify-lifecycle.ts';

type Kind = 'json' | 'payload';

interface Session {
  readonly session_id: string;
}

/** The bodies of one segment, in order: later ones refer to what earlier ones define. */
export class SegmentBodies {
  readonly #lifecycle: Lifecycle;
  readonly #kinds: Kind[] = [];
  readonly #values: unknown[] = [];
  /** latin1 */
  readonly #payloads = new Set<string>();
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  /** Of the record that was read last. */
  seq = 0;
  wallUs = 0;
  tickUs = 0;
  /** Digests that it defines and whose bytes do not stand in the segment. */
  missing: readonly string[] = [];

  constructor(lifecycle: Lifecycle) {
    this.#lifecycle = lifecycle;
  }

  /** @param digest latin1 */
  payloadStands(digest: string): void {
    this.#payloads.add(digest);
  }

  /** @throws Error when the bytes are not of the format. */
  read(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start + 4;
    this.#end = end;
    this.seq = this.#fixed();
    this.wallUs = this.#fixed();
    this.tickUs = this.#fixed();
    this.missing = NONE;
    this.#lifecycle.us = this.wallUs;
    let sessionId = '';
    let statementId: string | null = null;
    let sessionSeq = 0;
    while (this.#at < this.#end) {
      const item = this.#byte();
      if (item >= ITEM.received) {
        if (statementId === null) throw new Error('an event of a statement before the statement');
        this.#statementEvent(item, statementId, sessionId, sessionSeq++);
      } else if (item === ITEM.statement) {
        sessionId = (this.#value('json', this.#number()) as Session).session_id;
        sessionSeq = this.#number();
        statementId = this.#string();
      } else this.#other(item);
    }
  }

  #other(item: number): void {
    switch (item) {
      case ITEM.defineJson:
        this.#define('json', JSON.parse(this.#string()));
        return;
      case ITEM.definePayload:
        this.#payloadDefinition();
        return;
      case ITEM.stream:
        this.#skip(this.#number());
        return;
      case ITEM.json:
        this.#number();
        this.#lifecycle.event(JSON.parse(this.#string()) as Record<string, unknown>, this.seq);
        return;
      default:
        throw new Error(`item ${item} is unknown`);
    }
  }

  #define(kind: Kind, value: unknown): void {
    this.#kinds.push(kind);
    this.#values.push(value);
  }

  #payloadDefinition(): void {
    const digest = this.#digest();
    this.#number();
    const form = FORMS[this.#byte()];
    if (form === undefined || MEDIA[this.#byte()] === undefined) throw new Error('a payload of unknown form or kind');
    const stands = form === 'redacted' ? this.#digest() : digest;
    if ((form === 'clear' || form === 'redacted') && !this.#payloads.has(stands))
      this.missing = [...this.missing, Buffer.from(digest, 'latin1').toString('hex')];
    this.#define('payload', digest);
  }

  #statementEvent(item: number, id: string, sessionId: string, sessionSeq: number): void {
    const { seq } = this;
    const lifecycle = this.#lifecycle;
    this.#number();
    lifecycle.numbered(sessionId, sessionSeq, seq);
    switch (item) {
      case ITEM.received:
        this.#refer('json');
        this.#refer('json');
        this.#refer('payload');
        this.#referOptional('payload');
        this.#referOptional('json');
        return lifecycle.received(id, seq);
      case ITEM.decided:
        return lifecycle.decided(id, this.#decided(), seq);
      case ITEM.refused:
        this.#refer('json');
        this.#refer('json');
        this.#referOptional('json');
        return lifecycle.refused(id, seq);
      case ITEM.cleared:
        return lifecycle.cleared(id, this.#cleared(), seq);
      case ITEM.finished:
        return lifecycle.finished(id, this.#finished(), seq);
      default:
        throw new Error(`item ${item} is unknown`);
    }
  }

  /** Whether it denies. */
  #decided(): boolean {
    this.#skip(this.#number());
    this.#refer('payload');
    const { effect } = this.#value('json', this.#number()) as { effect: unknown };
    this.#refer('payload');
    this.#skip(32 + 8);
    this.#number();
    if (this.#byte() & DECIDED.rewritten) this.#refer('json');
    return effect === 'deny';
  }

  /** The approval that it rests on. */
  #cleared(): { readonly approval_id: string; readonly receipt: string } | null {
    this.#refer('payload');
    this.#refer('json');
    const flags = this.#byte();
    if (flags & CLEARED.params) this.#refer('payload');
    const approval = flags & CLEARED.approval ? this.#value('json', this.#number()) : null;
    if (!(flags & CLEARED.ownBinding)) this.#skip(32 + 32 + 8);
    return approval as { approval_id: string; receipt: string } | null;
  }

  /** Whether its outcome is unknown. */
  #finished(): boolean {
    const outcome = OUTCOMES[this.#byte()];
    if (outcome === undefined) throw new Error('an unknown outcome');
    this.#number();
    this.#number();
    this.#number();
    this.#referOptional('json');
    this.#referOptional('json');
    this.#referOptional('json');
    if (this.#byte() !== 0) this.#skip(32);
    return outcome === 'unknown';
  }

  #refer(kind: Kind): void {
    this.#value(kind, this.#number());
  }

  #referOptional(kind: Kind): void {
    const plusOne = this.#number();
    if (plusOne > 0) this.#value(kind, plusOne - 1);
  }

  #value(kind: Kind, id: number): unknown {
    if (this.#kinds[id] !== kind) throw new Error(`definition ${id} is no ${kind}`);
    return this.#values[id];
  }

  /** From here on every read stays within the body, whatever its lengths claim. */
  #skip(length: number): number {
    const from = this.#at;
    if (from + length > this.#end) throw new Error('the body ends within an item');
    this.#at = from + length;
    return from;
  }

  #byte(): number {
    return this.#bytes[this.#skip(1)] as number;
  }

  #fixed(): number {
    const at = this.#skip(8);
    return this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * 2 ** 32;
  }

  #digest(): string {
    const at = this.#skip(32);
    return this.#bytes.toString('latin1', at, at + 32);
  }

  #number(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let scale = 128; ; scale *= 128) {
      if (scale > 2 ** 49) throw new Error('a number is too long');
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  #string(): string {
    const length = this.#number();
    const at = this.#skip(length);
    return this.#bytes.toString('utf8', at, at + length);
  }
}

const NONE: readonly string[] = [];
