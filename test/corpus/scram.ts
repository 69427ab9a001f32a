/** The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), for runs that talk to the server directly. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

export interface Scram {
  readonly first: Buffer;
  /** @throws Error if the server did not prolong our nonce */
  final(serverFirst: string): Buffer;
}

export function scram(password: string): Scram {
  const nonce = randomBytes(18).toString('base64');
  const bare = `n=,r=${nonce}`;
  return {
    first: Buffer.from(`n,,${bare}`),
    final(serverFirst) {
      const given = new Map(serverFirst.split(',').map((part) => [part.slice(0, 1), part.slice(2)]));
      const whole = given.get('r') ?? '';
      if (!whole.startsWith(nonce)) throw new Error('SCRAM: the nonce is not ours');
      const salted = pbkdf2Sync(password, Buffer.from(given.get('s') ?? '', 'base64'), Number(given.get('i')), 32, 'sha256');
      const clientKey = createHmac('sha256', salted).update('Client Key').digest();
      const withoutProof = `c=biws,r=${whole}`;
      const signed = createHmac('sha256', createHash('sha256').update(clientKey).digest()).update(`${bare},${serverFirst},${withoutProof}`).digest();
      const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signed[index] as number)));
      return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`);
    },
  };
}
