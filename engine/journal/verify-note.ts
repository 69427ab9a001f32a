/** Signed notes as the verifier reads them: https://github.com/C2SP/C2SP/blob/main/signed-note.md */
import { hash, verify, type KeyObject } from 'node:crypto';

export interface CheckpointClaim {
  readonly seq: number;
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly signature: string;
  /** 8 hexadecimal digits; names the key, proves nothing. */
  readonly key_id?: string;
}

export function signatureOver(key: KeyObject, claim: CheckpointClaim): boolean {
  const text = `${claim.origin}\n${claim.size}\n${claim.root}\n`;
  return verify(null, Buffer.from(text), key, Buffer.from(claim.signature, 'base64'));
}

/** The note that a `checkpoint.signed` event is another form of. */
export function noteText({ origin, size, root, signature, key_id: keyId = '' }: CheckpointClaim): string {
  const blob = Buffer.concat([Buffer.from(keyId.padStart(8, '0').slice(0, 8), 'hex'), Buffer.from(signature, 'base64')]);
  return `${origin}\n${size}\n${root}\n\n— ${origin} ${blob.toString('base64')}\n`;
}

/** The one that signed it; null: none of them. */
export function claimsKey(keys: readonly KeyObject[], claim: CheckpointClaim): KeyObject | null {
  return keys.find((key) => signatureOver(key, claim)) ?? null;
}

/** The signature line names its key, and that is the one. */
export function noteKey(keys: readonly KeyObject[], { origin, signed, keyId, signature }: Note): KeyObject | null {
  return keys.find((key) => keyIdOf(origin, key) === keyId && verify(null, signed, key, signature)) ?? null;
}

function keyIdOf(origin: string, key: KeyObject): string {
  const { x = '' } = key.export({ format: 'jwk' });
  const named = Buffer.concat([Buffer.from(`${origin}\n\x01`), Buffer.from(x, 'base64url')]);
  return hash('sha256', named, 'hex').slice(0, 8);
}

export interface Note {
  readonly origin: string;
  readonly size: number;
  /** base64 */
  readonly root: string;
  readonly signed: Buffer;
  /** 8 hexadecimal digits. */
  readonly keyId: string;
  readonly signature: Buffer;
}

/** null: not a note with an origin, a size, a root and a signature of an Ed25519 key. */
export function noteOf(note: string): Note | null {
  const blank = note.indexOf('\n\n');
  if (blank < 0) return null;
  const signed = note.slice(0, blank + 1);
  const [origin = '', size = '', root = ''] = signed.split('\n');
  const line = note
    .slice(blank + 2)
    .split('\n')
    .find((each) => each.startsWith(`— ${origin} `));
  const blob = Buffer.from(line?.slice(origin.length + 3) ?? '', 'base64');
  if (!/^(0|[1-9]\d{0,14})$/.test(size) || blob.length !== 68) return null;
  return { origin, size: Number(size), root, signed: Buffer.from(signed), keyId: blob.toString('hex', 0, 4), signature: blob.subarray(4) };
}
