/**
 * What stands once in a segment and is referred to by number: session constants, judgements, short strings, payloads. Objects are known by
 * identity (weakly: forgotten with the object), strings by value (bounded). Numbers start anew with every segment, so that each can be
 * read alone.
 */
import { hash, randomFillSync } from 'node:crypto';
import type { Payload } from '#client/journal';
import type { SqlFacts } from '#schemas/sql-facts';
import type { ByteWriter } from './byte-writer.ts';
import { crc32c } from './crc32c.ts';
import { FORMS, FRAME_HEADER_BYTES, ITEM, MEDIA, PAYLOAD_FLAG, SALT_BYTES } from './format.ts';

/** Distinct short strings remembered in one segment; past it they are forgotten and defined again. */
const STRINGS_MAX = 4096;
const SALT_POOL_BYTES = 8192;

/** A payload as the journal knows it. `digest` is sha256(salt ‖ bytes) as `sha256:<hex>`. */
interface StoredPayload {
  readonly salt: Buffer;
  readonly digest: string;
  segment: number;
  id: number;
}
interface StoredObject {
  segment: number;
  id: number;
}

export class Definitions {
  readonly #payloads = new WeakMap<object, StoredPayload>();
  readonly #facts = new WeakMap<object, Payload>();
  readonly #objects = new WeakMap<object, StoredObject>();
  #strings = new Map<string, number>();
  #segment: number;
  #next: number;
  readonly #salts = Buffer.alloc(SALT_POOL_BYTES);
  #saltsUsed = SALT_POOL_BYTES;

  /** @param next number of definitions that the segment holds already (after recovery). */
  constructor(segment: number, next: number) {
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

  /** Defines the payload in `body` and puts its bytes, as a frame of their own, into `frames`. */
  payload(payload: Payload, body: ByteWriter, frames: ByteWriter): number {
    const stored = this.#stored(payload);
    if (stored.segment === this.#segment) return stored.id;
    writePayloadFrame(stored, payload.bytes, frames);
    body.u8(ITEM.definePayload);
    body.digest(stored.digest);
    body.varint(payload.bytes.length);
    body.u8(FORMS.indexOf('clear'));
    body.u8(MEDIA.indexOf(payload.media));
    stored.segment = this.#segment;
    stored.id = this.#next++;
    return stored.id;
  }

  /** Facts are a payload too; the same object is serialised once. */
  facts(facts: SqlFacts): Payload {
    let payload = this.#facts.get(facts);
    if (!payload) this.#facts.set(facts, (payload = { bytes: Buffer.from(JSON.stringify(facts)), media: 'facts' }));
    return payload;
  }

  digestOf(payload: Payload): string {
    return this.#stored(payload).digest;
  }

  #stored(payload: Payload): StoredPayload {
    const known = this.#payloads.get(payload);
    if (known) return known;
    const salt = this.#salt();
    const salted = Buffer.allocUnsafe(SALT_BYTES + payload.bytes.length);
    salted.set(salt);
    salted.set(payload.bytes, SALT_BYTES);
    const stored: StoredPayload = { salt, digest: `sha256:${hash('sha256', salted, 'hex')}`, segment: -1, id: -1 };
    this.#payloads.set(payload, stored);
    return stored;
  }

  #salt(): Buffer {
    if (this.#saltsUsed + SALT_BYTES > SALT_POOL_BYTES) {
      randomFillSync(this.#salts);
      this.#saltsUsed = 0;
    }
    const salt = Buffer.allocUnsafe(SALT_BYTES);
    this.#salts.copy(salt, 0, this.#saltsUsed, (this.#saltsUsed += SALT_BYTES));
    return salt;
  }
}

function writePayloadFrame(stored: StoredPayload, bytes: Uint8Array, frames: ByteWriter): void {
  const length = SALT_BYTES + bytes.length;
  const at = frames.reserve(FRAME_HEADER_BYTES + length);
  frames.u32((length | PAYLOAD_FLAG) >>> 0);
  frames.at += 4;
  frames.digest(stored.digest);
  frames.bytes(stored.salt);
  frames.bytes(bytes);
  sealFrame(frames.buffer, at, frames.at);
}

/** Fills in the checksum, which covers the length and everything behind the checksum. */
export function sealFrame(buffer: Buffer, at: number, end: number): void {
  buffer.writeUInt32LE(crc32c(buffer, at + 8, end, crc32c(buffer, at, at + 4)), at + 4);
}
