/** RFC 6962 §2.1: the root of the first n leaves, for any n asked. Keeps the leaves' hashes, 32 bytes each. */
import { createHash } from 'node:crypto';

const CHUNK_LEAVES = 1 << 16;

export class LeafTree {
  readonly #chunks: Buffer[] = [];
  #size = 0;
  /** Roots of full subtrees of the first `#folded` leaves, with their sizes, largest first: sizes are mostly asked in rising order. */
  #stack: { leaves: number; root: Buffer }[] = [];
  #folded = 0;

  get size(): number {
    return this.#size;
  }

  add(leafHash: Buffer): void {
    const within = this.#size % CHUNK_LEAVES;
    if (within === 0) this.#chunks.push(Buffer.alloc(CHUNK_LEAVES * 32));
    leafHash.copy(this.#chunks.at(-1) as Buffer, within * 32);
    this.#size++;
  }

  /** base64; the empty string when there are not so many. */
  rootAt(size: number): string {
    if (size > this.#size) return '';
    if (size === 0) return createHash('sha256').digest('base64');
    if (size < this.#folded) {
      this.#stack = [];
      this.#folded = 0;
    }
    while (this.#folded < size) this.#fold(this.#leaf(this.#folded));
    return this.#stack
      .map(({ root }) => root)
      .reduceRight((right, left) => node(left, right))
      .toString('base64');
  }

  #fold(leaf: Buffer): void {
    let merged = { leaves: 1, root: leaf };
    for (let last = this.#stack.at(-1); last?.leaves === merged.leaves; last = this.#stack.at(-1)) {
      merged = { leaves: 2 * merged.leaves, root: node(last.root, merged.root) };
      this.#stack.pop();
    }
    this.#stack.push(merged);
    this.#folded++;
  }

  #leaf(index: number): Buffer {
    const at = (index % CHUNK_LEAVES) * 32;
    return (this.#chunks[Math.floor(index / CHUNK_LEAVES)] as Buffer).subarray(at, at + 32);
  }
}

function node(left: Buffer, right: Buffer): Buffer {
  return createHash('sha256').update(Buffer.of(1)).update(left).update(right).digest();
}
