import { randomFillSync } from 'node:crypto';
import type { Clock } from './clock.ts';

/** ses(sion), stm (statement), dec(ision), apr (approval), evt (event), lea(se), nonce, del(egation), enr(olment). */
export type IdPrefix = 'ses' | 'stm' | 'dec' | 'apr' | 'evt' | 'lea' | 'non' | 'del' | 'enr';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Two digits at once. */
const PAIRS: readonly string[] = Array.from({ length: 1024 }, (_, bits) => (ALPHABET[bits >> 5] as string) + ALPHABET[bits & 31]);
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

/** Five bytes are eight digits: four pairs of ten bits each. */
function base32of5(bytes: Buffer, at: number): string {
  const high = (bytes[at] as number) * 4096 + (bytes[at + 1] as number) * 16 + ((bytes[at + 2] as number) >> 4);
  const low = ((bytes[at + 2] as number) & 15) * 65536 + (bytes[at + 3] as number) * 256 + (bytes[at + 4] as number);
  return (PAIRS[high >> 10] as string) + PAIRS[high & 1023] + PAIRS[low >> 10] + PAIRS[low & 1023];
}
