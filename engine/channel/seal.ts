/**
 * The seal of an answer (E6): 16 bytes of HMAC-SHA-256 over
 *
 *      type (1) ‖ id (6) ‖ length of method (1) ‖ method ‖ SHA-256 of the question (32) ‖ answer
 *
 * under a key that both ends export from their TLS connection (RFC 5705) and nobody else has. The id is the nonce: it never comes again on
 * a connection, and no other connection has the key. So an answer that was altered, recorded, given to another question, or fetched over
 * another connection (somebody with a certificate of his own in the middle) does not fit.
 */
import { createHmac, hash } from 'node:crypto';

export const SEAL_BYTES = 16;
export const SEAL_LABEL = 'EXPERIMENTAL interlock channel 1 seal';
export const KEY_LABEL = 'EXPERIMENTAL interlock channel 1 key';
export const KEY_BYTES = 32;

const BLOCK = 64;
const DIGEST = 32;
const HEAD_MAX = 1 + 6 + 1 + 255 + DIGEST;
/** Up to here both hashes are taken of one scratch buffer: three times as fast as a Hmac object. */
const SMALL = 4_096;

/** The digest as a latin1 string: half the cost of a Buffer. */
export function questionDigest(question: Uint8Array): string {
  return hash('sha256', question, 'binary');
}

export class Sealer {
  readonly #key: Buffer;
  /** Key ⊕ ipad, then what is sealed. */
  readonly #inner = Buffer.alloc(BLOCK + HEAD_MAX + SMALL);
  /** Key ⊕ opad, then the inner digest. */
  readonly #outer = Buffer.alloc(BLOCK + DIGEST);

  constructor(key: Buffer) {
    if (key.length !== KEY_BYTES) throw new RangeError('the key of a seal has 32 bytes');
    this.#key = key;
    for (let at = 0; at < BLOCK; at++) {
      this.#inner[at] = (key[at] ?? 0) ^ 0x36;
      this.#outer[at] = (key[at] ?? 0) ^ 0x5c;
    }
  }

  /** Writes the 16 bytes to `at` in `into`. */
  seal(into: Buffer, at: number, type: number, id: number, method: Uint8Array, question: string, answer: Uint8Array): void {
    const seal = this.#of(type, id, method, question, answer);
    for (let index = 0; index < SEAL_BYTES; index++) into[at + index] = seal.charCodeAt(index);
  }

  /** Whether the 16 bytes at `at` are that seal, in the same time wherever they differ. */
  fits(presented: Buffer, at: number, type: number, id: number, method: Uint8Array, question: string, answer: Uint8Array): boolean {
    const seal = this.#of(type, id, method, question, answer);
    let differs = 0;
    for (let index = 0; index < SEAL_BYTES; index++) differs |= (presented[at + index] as number) ^ seal.charCodeAt(index);
    return differs === 0;
  }

  /** The whole MAC, as a latin1 string. */
  #of(type: number, id: number, method: Uint8Array, question: string, answer: Uint8Array): string {
    const inner = this.#inner;
    let at = BLOCK;
    inner[at++] = type;
    inner.writeUIntBE(id, at, 6);
    at += 6;
    inner[at++] = method.length;
    for (let index = 0; index < method.length; index++) inner[at++] = method[index] as number;
    for (let index = 0; index < DIGEST; index++) inner[at++] = question.charCodeAt(index);
    if (answer.length > SMALL) return createHmac('sha256', this.#key).update(inner.subarray(BLOCK, at)).update(answer).digest('binary');
    inner.set(answer, at);
    const digest = hash('sha256', inner.subarray(0, at + answer.length), 'binary');
    for (let index = 0; index < DIGEST; index++) this.#outer[BLOCK + index] = digest.charCodeAt(index);
    return hash('sha256', this.#outer, 'binary');
  }
}
