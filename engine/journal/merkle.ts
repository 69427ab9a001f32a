/**
 * The tree of RFC 6962 §2.1 over the records, kept as its frontier: the roots of the full subtrees of what was added so far, largest first.
 * A record's own hash is the tree's leaf hash already (FORMAT.md), so that a leaf costs one hash of a node. Hashes are latin1 strings of 32.
 */
import { hash } from 'node:crypto';

export class MerkleFrontier {
  readonly #roots: string[] = [];
  #size = 0;

  /** One that was kept: see `kept`. @param roots hexadecimal */
  static restored(size: number, roots: readonly string[]): MerkleFrontier {
    const frontier = new MerkleFrontier();
    frontier.#size = size;
    frontier.#roots.push(...roots.map((root) => Buffer.from(root, 'hex').toString('latin1')));
    return frontier;
  }

  get size(): number {
    return this.#size;
  }

  /** The roots of the full subtrees, hexadecimal, largest first: what `restored` takes. */
  get kept(): readonly string[] {
    return this.#roots.map((root) => Buffer.from(root, 'latin1').toString('hex'));
  }

  add(leafHash: string): void {
    let node = leafHash;
    for (let bits = this.#size; bits % 2 === 1; bits = Math.floor(bits / 2)) node = parent(this.#roots.pop() as string, node);
    this.#roots.push(node);
    this.#size++;
  }

  /** The root over everything added, 32 bytes. */
  root(): Buffer {
    const [...roots] = this.#roots;
    let node = roots.pop();
    if (node === undefined) return hash('sha256', '', 'buffer');
    for (let left = roots.pop(); left !== undefined; left = roots.pop()) node = parent(left, node);
    return Buffer.from(node, 'latin1');
  }
}

const scratch = Buffer.alloc(65);

function parent(left: string, right: string): string {
  scratch[0] = 1;
  scratch.write(left, 1, 32, 'latin1');
  scratch.write(right, 33, 32, 'latin1');
  return hash('sha256', scratch, 'binary');
}
