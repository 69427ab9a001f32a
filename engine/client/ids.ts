import { randomFillSync } from 'node:crypto';
import type { Clock } from './clock.ts';

/** ses(sion), stm (statement), dec(ision), apr (approval), evt (event), lea(se), nonce. */
export type IdPrefix = 'ses' | 'stm' | 'dec' | 'apr' | 'evt' | 'lea' | 'non';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const POOL_BYTES = 8192;
const ID_BYTES = 10;

/** Makes ULIDs with a prefix (`ses_01J…`): 48 bits of milliseconds, 80 random ones. https://github.com/ulid/spec */
export class Ids {
  readonly #clock: Clock;
  readonly #pool = Buffer.allocUnsafe(POOL_BYTES);
  #used = POOL_BYTES;
  #stampMs = -1;
  #stamp = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  next(prefix: IdPrefix): string {
    return `${prefix}_${this.#time()}${this.#random()}`;
  }

  #time(): string {
    const ms = Math.floor(this.#clock.wallUs() / 1000);
    if (ms !== this.#stampMs) {
      this.#stampMs = ms;
      let rest = ms;
      let text = '';
      for (let digit = 0; digit < 10; digit++) {
        text = ALPHABET[rest % 32] + text;
        rest = Math.floor(rest / 32);
      }
      this.#stamp = text;
    }
    return this.#stamp;
  }

  #random(): string {
    if (this.#used + ID_BYTES > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += ID_BYTES;
    return base32of5(this.#pool, at) + base32of5(this.#pool, at + 5);
  }
}

function base32of5(bytes: Buffer, at: number): string {
  const high = bytes.readUInt16BE(at) * 16 + ((bytes[at + 2] as number) >> 4);
  const low = ((bytes[at + 2] as number) & 15) * 65536 + bytes.readUInt16BE(at + 3);
  return quad(high) + quad(low);
}

function quad(bits20: number): string {
  return (ALPHABET[bits20 >> 15] as string) + ALPHABET[(bits20 >> 10) & 31] + ALPHABET[(bits20 >> 5) & 31] + ALPHABET[bits20 & 31];
}
