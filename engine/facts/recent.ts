import { crc32 } from 'node:zlib';

/** A power of two. */
const PLACES = 4_096;

/** Which bytes came not long ago. What never comes again is not worth keeping: it would only be carried from one generation of the heap to the next. */
export class Recent {
  readonly #sums = new Uint32Array(PLACES);

  /** They were asked for before, most likely: two that have the same sum are taken for one, which costs a place in a cache and no more. */
  again(bytes: Uint8Array): boolean {
    const sum = crc32(bytes);
    const place = sum & (PLACES - 1);
    const again = this.#sums[place] === sum;
    this.#sums[place] = sum;
    return again;
  }
}
