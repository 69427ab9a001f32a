/**
 * Checkpoints as signed notes: https://github.com/C2SP/C2SP/blob/main/tlog-checkpoint.md and signed-note.md. The text is origin, size and root,
 * a line each; the signature line names the key by the first four bytes of sha256(name ‖ LF ‖ 1 ‖ public key).
 */
import { createPublicKey, hash, sign, type KeyObject } from 'node:crypto';

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  /** base64 */
  readonly root: string;
  /** 8 hexadecimal digits. */
  readonly key_id: string;
  /** base64 of the 64 bytes */
  readonly signature: string;
}

export class CheckpointSigner {
  readonly #key: KeyObject;
  readonly #origin: string;
  readonly #keyId: Buffer;

  constructor(key: KeyObject, origin: string) {
    this.#key = key;
    this.#origin = origin;
    const { x } = createPublicKey(key).export({ format: 'jwk' });
    const named = Buffer.concat([Buffer.from(`${origin}\n\x01`), Buffer.from(x as string, 'base64url')]);
    this.#keyId = hash('sha256', named, 'buffer').subarray(0, 4);
  }

  sign(size: number, root: Buffer): Checkpoint {
    const text = `${this.#origin}\n${size}\n${root.toString('base64')}\n`;
    const signature = sign(null, Buffer.from(text), this.#key).toString('base64');
    return { origin: this.#origin, size, root: root.toString('base64'), key_id: this.#keyId.toString('hex'), signature };
  }

  note(checkpoint: Checkpoint): string {
    const { origin, size, root, signature } = checkpoint;
    const blob = Buffer.concat([this.#keyId, Buffer.from(signature, 'base64')]).toString('base64');
    return `${origin}\n${size}\n${root}\n\n— ${origin} ${blob}\n`;
  }
}

/** Size and root (hex) of a note, without judging its signature; null when it is not one. */
export function readNote(note: string): { readonly size: number; readonly root: string } | null {
  const match = /^[^\n]+\n(\d{1,15})\n([A-Za-z0-9+/]{43}=)\n/.exec(note);
  return match ? { size: Number(match[1]), root: Buffer.from(match[2] as string, 'base64').toString('hex') } : null;
}
