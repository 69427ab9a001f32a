import { isUtf8 } from 'node:buffer';

/** Whether bytes that come in chunks are UTF-8, characters on the border included. */
export class Utf8Border {
  /** The start of a character that the last chunk broke. */
  #broken: Buffer = Buffer.alloc(0);

  get complete(): boolean {
    return this.#broken.length === 0;
  }

  passes(chunk: Buffer): boolean {
    let rest = chunk;
    if (this.#broken.length > 0) {
      const missing = lengthOf(this.#broken[0] as number) - this.#broken.length;
      const character = Buffer.concat([this.#broken, chunk.subarray(0, missing)]);
      if (chunk.length < missing) {
        this.#broken = character;
        return true;
      }
      if (!isUtf8(character)) return false;
      rest = chunk.subarray(missing);
      this.#broken = NONE;
    }
    const cut = brokenAt(rest);
    if (cut < rest.length) this.#broken = Buffer.from(rest.subarray(cut));
    return isUtf8(cut < rest.length ? rest.subarray(0, cut) : rest);
  }
}

/** Where the last character starts, if its end is missing; else the length. */
function brokenAt(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xc0) return lengthOf(byte) > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

function lengthOf(first: number): number {
  if (first >= 0xf0) return 4;
  return first >= 0xe0 ? 3 : 2;
}

const NONE: Buffer = Buffer.alloc(0);
