/**
 * Who a process is towards NATS: an nkey (Ed25519). Its seed never leaves the process that made it; the server's configuration names the public key
 * alone, and what the key may do.
 */
import { credsAuthenticator, nkeyAuthenticator, type Authenticator } from '@nats-io/transport-node';
import { createUser, fromSeed } from '@nats-io/nkeys';
import { InterlockError } from '#schemas/errors';

export interface NatsIdentity {
  /** `U…`, 56 letters and digits. */
  readonly publicKey: string;
  readonly authenticator: Authenticator;
}

/**
 * @param text a seed (`SU…`) or the text of a credentials file
 * @throws InterlockError CREDENTIAL_UNAVAILABLE, never naming the seed
 */
export function readIdentity(text: string): NatsIdentity {
  const creds = /-----BEGIN USER NKEY SEED-----\s+(SU[A-Z2-7]{56})\s/.exec(text);
  const seed = creds?.[1] ?? text.trim();
  try {
    const bytes = new TextEncoder().encode(seed);
    const publicKey = fromSeed(bytes).getPublicKey();
    if (!publicKey.startsWith('U')) throw new Error('not the seed of a user');
    return { publicKey, authenticator: creds ? credsAuthenticator(new TextEncoder().encode(text)) : nkeyAuthenticator(bytes) };
  } catch {
    // the cause may quote the seed
    throw new InterlockError('CREDENTIAL_UNAVAILABLE', 'nats.credentials holds neither an nkey seed of a user (`SU…`) nor a credentials file');
  }
}

/** A new key pair. */
export function createIdentity(): { readonly seed: string; readonly publicKey: string } {
  const pair = createUser();
  return { seed: new TextDecoder().decode(pair.getSeed()), publicKey: pair.getPublicKey() };
}

/** Where answers to this identity's requests arrive, and nobody else's. */
export function inboxOf(publicKey: string): string {
  return `_INBOX.${publicKey}`;
}
