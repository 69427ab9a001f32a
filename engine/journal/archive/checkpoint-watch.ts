/**
 * Whether the checkpoints of a journal fit its records, as they come: the tree's root at the size that each of them claims, and the signature where the
 * key is known. Only what came since the last checkpoint is kept, since a checkpoint covers records that came shortly before it.
 */
import type { KeyObject } from 'node:crypto';
import { MerkleFrontier } from '../merkle.ts';
import { type CheckpointClaim, signatureOver } from '../verify-note.ts';
import { LIMITS } from './limits.ts';

export interface SignedCheckpoint extends CheckpointClaim {
  readonly key_id: string;
}

export class CheckpointWatch {
  readonly #tree: MerkleFrontier;
  /** Of checkpoints that claim fewer records than were there at the start, the root cannot be computed any more. */
  readonly #since: number;
  /** Leaf hashes behind what the tree covers, latin1. */
  #leaves: string[] = [];

  constructor(tree: MerkleFrontier) {
    this.#tree = tree;
    this.#since = tree.size;
  }

  /** Over everything that was added. */
  whole(): MerkleFrontier {
    const tree = MerkleFrontier.restored(this.#tree.size, this.#tree.kept);
    for (const leaf of this.#leaves) tree.add(leaf);
    return tree;
  }

  add(leafHash: string): void {
    this.#leaves.push(leafHash);
    if (this.#leaves.length > LIMITS.uncheckedMax) this.#cover(this.#tree.size + this.#leaves.length);
  }

  /** What is wrong with it; null: nothing. */
  check(claim: SignedCheckpoint, key: KeyObject | null): string | null {
    if (claim.size > claim.seq) return `a checkpoint in record ${claim.seq} claims ${claim.size} records`;
    if (claim.size < this.#since) return null;
    if (claim.size < this.#tree.size) return `a checkpoint of ${claim.size} records comes behind one of ${this.#tree.size}`;
    this.#cover(claim.size);
    if (this.#tree.root().toString('base64') !== claim.root) return `the checkpoint of ${claim.size} records is of others`;
    return key === null || signatureOver(key, claim) ? null : `the signature of the checkpoint of ${claim.size} records is not the journal’s key’s`;
  }

  #cover(size: number): void {
    const many = size - this.#tree.size;
    for (let index = 0; index < many; index++) this.#tree.add(this.#leaves[index] as string);
    this.#leaves = this.#leaves.slice(many);
  }
}

/** The signed note (FORMAT.md, `checkpoint`) that a `checkpoint.signed` event is another form of. */
export function noteOfCheckpoint({ origin, size, root, key_id, signature }: SignedCheckpoint): string {
  const blob = Buffer.concat([Buffer.from(key_id, 'hex'), Buffer.from(signature, 'base64')]).toString('base64');
  return `${origin}\n${size}\n${root}\n\n— ${origin} ${blob}\n`;
}
