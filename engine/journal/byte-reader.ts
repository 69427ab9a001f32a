/** Reads what ByteWriter writes. Running past the end throws. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#at++);
  }

  u32(): number {
    return this.#bytes.readUInt32LE((this.#at += 4) - 4);
  }

  u64(): number {
    const at = this.#at;
    this.#at += 8;
    return safe(this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * 0x1_0000_0000);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let digits = 0; digits < 8; digits++) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return safe(value);
      scale *= 128;
    }
    throw new Error('a number longer than the format allows');
  }

  digest(): string {
    return `sha256:${this.#slice(32).toString('hex')}`;
  }

  text(): string {
    return this.#slice(this.varint()).toString('utf8');
  }

  #slice(bytes: number): Buffer {
    if (this.#at + bytes > this.#bytes.length) throw new Error('the body ends too soon');
    return this.#bytes.subarray(this.#at, (this.#at += bytes));
  }
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error('a number beyond 2^53');
  return value;
}
