/**
 * What stands once in a segment and is referred to by number: session constants, judgements, short strings, payloads. Objects are known by
 * identity (weakly: forgotten with the object), strings by value (bounded). Numbers start anew with every segment, so that each can be
 * read alone.
 */
import type { Payload } from '#client/journal';
import type { PayloadRef } from '#schemas/event';
import type { Facts } from '#schemas/facts';
import type { ByteWriter } from './byte-writer.ts';
import { crc32c } from './crc32c.ts';
import { FORMS, FRAME_HEADER_BYTES, ITEM, MEDIA, PAYLOAD_FLAG, SALT_BYTES } from './format.ts';
import { type CarriedPayload, PayloadForms, type PayloadMode, type StoredBytes } from './payload-forms.ts';

/** Distinct short strings remembered in one segment; past it they are forgotten and defined again. */
const STRINGS_MAX = 4096;
interface StoredObject {
  segment: number;
  id: number;
}

export class Definitions {
  readonly #forms: PayloadForms;
  readonly #objects = new WeakMap<object, StoredObject>();
  #strings = new Map<string, number>();
  #segment: number;
  #next: number;

  /** @param next number of definitions that the segment holds already (after recovery). */
  constructor(segment: number, next: number, mode: PayloadMode) {
    this.#forms = new PayloadForms(mode);
    this.#segment = segment;
    this.#next = next;
  }

  /** A new segment: everything is defined again when it is next used. */
  startSegment(segment: number): void {
    this.#segment = segment;
    this.#next = 0;
    this.#strings.clear();
  }

  get segment(): number {
    return this.#segment;
  }

  string(text: string, body: ByteWriter): number {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    if (this.#strings.size >= STRINGS_MAX) this.#strings.clear();
    const id = this.json(text, body);
    this.#strings.set(text, id);
    return id;
  }

  /** The same object is written once a segment; it must not change afterwards. */
  object(value: object, body: ByteWriter): number {
    const known = this.#objects.get(value);
    if (known?.segment === this.#segment) return known.id;
    const id = this.json(value, body);
    if (known) Object.assign(known, { segment: this.#segment, id });
    else this.#objects.set(value, { segment: this.#segment, id });
    return id;
  }

  json(value: unknown, body: ByteWriter): number {
    body.u8(ITEM.defineJson);
    body.text(JSON.stringify(value));
    return this.#next++;
  }

  /** Defines the payload in `body` and puts what is kept of its bytes, as a frame of their own, into `frames`. */
  payload(payload: Payload, body: ByteWriter, frames: ByteWriter): number {
    const known = this.#forms.known(payload);
    if (known?.segment === this.#segment) return known.id;
    const { bytes } = payload;
    const formed = known ?? this.#forms.of(payload, bytes);
    if (formed.stored) writePayloadFrame(formed.stored, formed.stored.bytes ?? bytes, frames);
    body.u8(ITEM.definePayload);
    body.digest(formed.digest);
    body.varint(formed.length);
    body.u8(FORMS.indexOf(formed.form));
    body.u8(MEDIA.indexOf(payload.media));
    if (formed.form === 'redacted' && formed.stored) body.digest(formed.stored.digest);
    formed.segment = this.#segment;
    formed.id = this.#next++;
    return formed.id;
  }

  /** Facts are a payload too, serialised when they are written: caches hold many of them, and their text would double that. */
  facts(facts: Facts): Payload {
    const known = (facts as Remembering)[PAYLOAD];
    return known?.of === facts ? known : ((facts as Remembering)[PAYLOAD] = new FactsPayload(facts));
  }

  digestOf(payload: Payload): string {
    return this.#forms.of(payload).digest;
  }

  carry(payload: Payload): CarriedPayload {
    return this.#forms.carry(payload);
  }

  adopt(carried: CarriedPayload): Payload {
    return this.#forms.adopt(carried);
  }

  refOf(payload: Payload): PayloadRef {
    const { digest, length, form } = this.#forms.of(payload);
    return { digest, bytes: length, form };
  }
}

class FactsPayload implements Payload {
  readonly media = 'facts';
  /** A copy of facts is other facts. */
  readonly of: Facts;

  constructor(facts: Facts) {
    this.of = facts;
  }

  get bytes(): Uint8Array {
    return Buffer.from(JSON.stringify(this.of));
  }
}

/** As with payloads (payload-forms.ts): a place on the facts themselves is cheaper than a weak map. */
const PAYLOAD = Symbol('payload');
interface Remembering {
  [PAYLOAD]?: FactsPayload;
}

function writePayloadFrame({ digest, salt }: StoredBytes, bytes: Uint8Array, frames: ByteWriter): void {
  const length = SALT_BYTES + bytes.length;
  const at = frames.reserve(FRAME_HEADER_BYTES + length);
  frames.u32((length | PAYLOAD_FLAG) >>> 0);
  frames.at += 4;
  frames.digest(digest);
  frames.bytes(salt);
  frames.bytes(bytes);
  sealFrame(frames.buffer, at, frames.at);
}

/** Fills in the checksum, which covers the length and everything behind the checksum. */
export function sealFrame(buffer: Buffer, at: number, end: number): void {
  buffer.writeUInt32LE(crc32c(buffer, at + 8, end, crc32c(buffer, at, at + 4)), at + 4);
}
