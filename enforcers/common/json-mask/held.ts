/** The token that the last chunk broke: it waits for its end, in memory of its own. */
export class Held {
  bytes = 0;
  #memory: Buffer = Buffer.alloc(0);

  /** What is held, with the next chunk behind it. */
  before(chunk: Buffer): Buffer {
    if (this.bytes === 0) return chunk;
    const length = this.bytes + chunk.length;
    if (length > this.#memory.length) {
      const larger = Buffer.allocUnsafe(2 * length);
      this.#memory.copy(larger, 0, 0, this.bytes);
      this.#memory = larger;
    }
    chunk.copy(this.#memory, this.bytes);
    return this.#memory.subarray(0, length);
  }

  /** What stands from `start` on in the chunk that `before` gave. */
  keep(chunk: Buffer, start: number): void {
    const bytes = chunk.length - start;
    const there = start === 0 && this.bytes > 0;
    if (!there) {
      if (bytes > this.#memory.length) this.#memory = Buffer.allocUnsafe(bytes);
      chunk.copy(this.#memory, 0, start);
    }
    this.bytes = bytes;
  }
}
