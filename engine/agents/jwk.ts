/** Public keys of agents: one curve each for the two algorithms that are accepted, and nothing private. */
import { createHash } from 'node:crypto';
import { type CryptoKey, importJWK } from 'jose';
import type { PublicJwk } from '#schemas/event-agent';

const COORDINATE = /^[A-Za-z0-9_-]{43}$/;

/** The algorithm follows from the key, never from what is presented. */
export function algorithmOf({ crv }: PublicJwk): 'EdDSA' | 'ES256' {
  return crv === 'Ed25519' ? 'EdDSA' : 'ES256';
}

/** RFC 7638: of the members that make the key, in their order. */
export function thumbprint({ kty, crv, x, y }: PublicJwk): string {
  const members = kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}

/** Whatever somebody sent → the same key without anything beside it; null: none that is accepted. */
export function publicJwk(value: unknown): PublicJwk | null {
  if (typeof value !== 'object' || value === null) return null;
  const { kty, crv, x, y, d } = value as Record<string, unknown>;
  if (d !== undefined || typeof x !== 'string' || !COORDINATE.test(x)) return null;
  if (kty === 'OKP' && crv === 'Ed25519') return { kty, crv, x };
  if (kty === 'EC' && crv === 'P-256' && typeof y === 'string' && COORDINATE.test(y)) return { kty, crv, x, y };
  return null;
}

/** @throws Error: no point of its curve */
export async function keyOf(jwk: PublicJwk): Promise<CryptoKey> {
  return (await importJWK({ ...jwk }, algorithmOf(jwk))) as CryptoKey;
}
