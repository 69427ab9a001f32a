/** An agent's key pair: made here, and the private half goes nowhere but into the skill's folder. */
import { generateKeyPairSync } from 'node:crypto';
import type { PublicJwk } from '#schemas/event-agent';

export interface AgentKey {
  readonly open: PublicJwk;
  /** The whole key as a JWK. */
  readonly secret: Readonly<Record<string, unknown>>;
}

export function makeAgentKey(): AgentKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { kty, crv, x = '', d } = privateKey.export({ format: 'jwk' });
  return { open: { kty: 'OKP', crv: 'Ed25519', x }, secret: { kty, crv, x, d } };
}
