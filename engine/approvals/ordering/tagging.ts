/**
 * The tag of a message of the order (ADR 0031): whoever has the key of the installation wrote these bytes for this stream and subject, and had been told
 * everything up to `after` when it did. NATS has no such key.
 *
 *     0        1                9          10            42
 *     | 0x01   | after, u64 BE  | alone    | tag         | body …
 *
 * tag = HMAC-SHA-256(key, "interlock order 1" NUL, u16 length and text of the stream's name with its birth, of the subject, then after, alone and body)
 */
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';

const VERSION = 1;
const AFTER_AT = 1;
const ALONE_AT = 9;
const TAG_AT = 10;
const BODY_AT = 42;
const DOMAIN = 'interlock order 1\0';

/** What a tag makes longer. */
export const TAG_BYTES = BODY_AT;

/** Where a message stands, or is meant to. */
export interface Spot {
  /** The stream's name and birth. */
  readonly log: string;
  readonly subject: string;
}

export interface Written {
  /** The last message of the whole stream that its writer had been told. */
  readonly after: number;
  /** It is meant to stand directly behind that one. */
  readonly alone: boolean;
  readonly body: Uint8Array;
}

export class Tags {
  /** A quarter of what it costs with the bytes. */
  readonly #key: KeyObject;

  /** @param key 32 bytes, of this installation and for nothing else */
  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  write(spot: Spot, { after, alone, body }: Written): Uint8Array {
    const message = Buffer.allocUnsafe(BODY_AT + body.length);
    message[0] = VERSION;
    message.writeBigUInt64BE(BigInt(after), AFTER_AT);
    message[ALONE_AT] = alone ? 1 : 0;
    message.set(body, BODY_AT);
    message.set(this.#tag(spot, message), TAG_AT);
    return message;
  }

  /** null: nobody who has the key wrote it there. */
  read(spot: Spot, bytes: Uint8Array): Written | null {
    if (bytes.length <= BODY_AT || bytes[0] !== VERSION) return null;
    const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (!timingSafeEqual(message.subarray(TAG_AT, BODY_AT), this.#tag(spot, message))) return null;
    return { after: Number(message.readBigUInt64BE(AFTER_AT)), alone: message[ALONE_AT] === 1, body: message.subarray(BODY_AT) };
  }

  #tag({ log, subject }: Spot, message: Buffer): Buffer {
    return createHmac('sha256', this.#key)
      .update(DOMAIN)
      .update(withLength(log))
      .update(withLength(subject))
      .update(message.subarray(AFTER_AT, TAG_AT))
      .update(message.subarray(BODY_AT))
      .digest();
  }
}

/** As messages were before they had tags: JSON, or a zstd frame. */
export function isUntagged(bytes: Uint8Array): boolean {
  return bytes[0] === JSON_BEGINS || bytes[0] === ZSTD_BEGINS;
}

const JSON_BEGINS = 0x7b;
const ZSTD_BEGINS = 0x28;

/** No two pairs of texts give the same bytes. */
function withLength(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafe(2 + length);
  bytes.writeUInt16BE(length);
  bytes.write(text, 2);
  return bytes;
}
