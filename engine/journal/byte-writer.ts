/** A buffer that grows, written front to back. Numbers as FORMAT.md draws them: little-endian, LEB128 varints below 2^53. */
export class ByteWriter {
  buffer: Buffer;
  at = 0;

  constructor(bytes: number) {
    this.buffer = Buffer.allocUnsafeSlow(bytes);
  }

  /** Makes room for `bytes` more and returns where they start. */
  reserve(bytes: number): number {
    const needed = this.at + bytes;
    if (needed > this.buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
      this.buffer.copy(grown, 0, 0, this.at);
      this.buffer = grown;
    }
    return this.at;
  }

  u8(value: number): void {
    if (this.at === this.buffer.length) this.reserve(1);
    this.buffer[this.at++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    this.at = this.buffer.writeUInt32LE(value, this.at);
  }

  u64(value: number): void {
    this.reserve(8);
    this.at = putU64(this.buffer, value, this.at);
  }

  varint(value: number): void {
    if (this.at + 8 > this.buffer.length) this.reserve(8);
    let rest = value;
    while (rest >= 0x8000_0000) {
      this.buffer[this.at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      this.buffer[this.at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.buffer[this.at++] = rest;
  }

  /** `length` characters below 256, one byte each. */
  latin1(text: string, length: number): void {
    this.reserve(length);
    this.at += this.buffer.write(text, this.at, length, 'latin1');
  }

  /** varint length, UTF-8. */
  text(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.varint(bytes);
    this.reserve(bytes);
    this.at += this.buffer.write(text, this.at, bytes, 'utf8');
  }

  /** The 32 bytes of `sha256:<hex>`. */
  digest(digest: string): void {
    this.reserve(32);
    if (digest.length !== 71 || this.buffer.write(digest.slice(7), this.at, 32, 'hex') !== 32) throw new Error(`not a digest: ${digest}`);
    this.at += 32;
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.at);
    this.at += bytes.length;
  }
}

export function putU64(buffer: Buffer, value: number, at: number): number {
  buffer.writeUInt32LE(value % 0x1_0000_0000, at);
  return buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}
