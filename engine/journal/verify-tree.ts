/** RFC 6962 §2.1: the root of the first n leaves, for any n asked, and the path from a leaf to it. Keeps the leaves' hashes, 32 bytes each. */
import { hash } from 'node:crypto';

const CHUNK_LEAVES = 1 << 16;

export class LeafTree {
  readonly #chunks: Buffer[] = [];
  #size = 0;
  /** Roots of full subtrees of the first `#folded` leaves, with their sizes, largest first: sizes are mostly asked in rising order. */
  #stack: { leaves: number; root: string }[] = [];
  #folded = 0;

  get size(): number {
    return this.#size;
  }

  /** latin1 */
  add(leafHash: string): void {
    const within = this.#size % CHUNK_LEAVES;
    if (within === 0) this.#chunks.push(Buffer.allocUnsafe(CHUNK_LEAVES * 32));
    (this.#chunks[this.#chunks.length - 1] as Buffer).write(leafHash, within * 32, 32, 'latin1');
    this.#size++;
  }

  /** base64; the empty string when there are not so many. */
  rootAt(size: number): string {
    if (!Number.isSafeInteger(size) || size < 0 || size > this.#size) return '';
    if (size === 0) return hash('sha256', '', 'base64');
    if (size < this.#folded) {
      this.#stack = [];
      this.#folded = 0;
    }
    while (this.#folded < size) this.#fold(this.leaf(this.#folded));
    const root = this.#stack.map((subtree) => subtree.root).reduceRight((right, left) => node(left, right));
    return Buffer.from(root, 'latin1').toString('base64');
  }

  /** RFC 6962 §2.1.1: from the leaf up; base64. `index` is below `size`, `size` at most what is there. */
  pathTo(index: number, size: number): readonly string[] {
    return this.#path(index, 0, size).map((sibling) => Buffer.from(sibling, 'latin1').toString('base64'));
  }

  /** latin1 */
  leaf(index: number): string {
    const at = (index % CHUNK_LEAVES) * 32;
    return (this.#chunks[Math.floor(index / CHUNK_LEAVES)] as Buffer).toString('latin1', at, at + 32);
  }

  #path(index: number, from: number, to: number): string[] {
    if (to - from === 1) return [];
    const middle = from + leftSize(to - from);
    return index < middle
      ? [...this.#path(index, from, middle), this.#rootOf(middle, to)]
      : [...this.#path(index, middle, to), this.#rootOf(from, middle)];
  }

  #rootOf(from: number, to: number): string {
    if (to - from === 1) return this.leaf(from);
    const middle = from + leftSize(to - from);
    return node(this.#rootOf(from, middle), this.#rootOf(middle, to));
  }

  #fold(leaf: string): void {
    let merged = { leaves: 1, root: leaf };
    for (let last = this.#stack.at(-1); last?.leaves === merged.leaves; last = this.#stack.at(-1)) {
      merged = { leaves: 2 * merged.leaves, root: node(last.root, merged.root) };
      this.#stack.pop();
    }
    this.#stack.push(merged);
    this.#folded++;
  }
}

/** Of a tree of so many leaves (at least two): the largest power of two below. */
export function leftSize(size: number): number {
  let left = 1;
  while (left * 2 < size) left *= 2;
  return left;
}

const scratch = Buffer.alloc(65, 1);

/** latin1 */
export function node(left: string, right: string): string {
  scratch.write(left, 1, 32, 'latin1');
  scratch.write(right, 33, 32, 'latin1');
  return hash('sha256', scratch, 'binary');
}
