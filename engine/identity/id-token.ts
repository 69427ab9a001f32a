/**
 * Who logged in: the ID token that a login of ours ended with. It is no key to anything else: it must be made for our client, answer our own
 * nonce, and be fresh. https://openid.net/specs/openid-connect-core-1_0.html §3.1.3.7, SECURITY §1.11
 */
import { decodeProtectedHeader, type JWTPayload, jwtVerify, type JWSAlgorithm } from 'jose';
import type { Clock } from '#client/clock';
import type { Principal } from '#client/identity';
import type { IssuerConfig } from './issuer.ts';
import type { KeySource } from './key-set.ts';
import { principalOf } from './principal.ts';
import { Refused } from './refused.ts';

export interface IdTokenExpected {
  readonly clientId: string;
  readonly nonce: string;
  /** How long ago the human may have shown who they are, seconds. */
  readonly maxAgeS: number;
}

const TOKEN_CHARS_MAX = 16_384;
const TOLERANCE_S = 30;
/** It comes straight from the token endpoint. */
const FRESH_S = 300;

/**
 * A human, who may decide: they showed who they are at `auth_time`, and a verdict is held to that (A4). The login lasts as long as any token of
 * this issuer may: an ID token's own `exp` says until when it may be presented.
 * @throws Refused, or what jose throws
 */
export async function humanOf(
  token: string,
  expected: IdTokenExpected,
  issuer: { config: IssuerConfig; keys: KeySource },
  clock: Clock,
): Promise<Principal> {
  const { config, keys } = issuer;
  checkForm(token);
  const nowS = clock.wallUs() / 1_000_000;
  const { payload } = await jwtVerify(token, keys, {
    issuer: config.url,
    audience: expected.clientId,
    algorithms: config.algorithms as JWSAlgorithm[],
    requiredClaims: ['sub', 'exp', 'iat', 'aud', 'iss', 'nonce', 'auth_time'],
    maxTokenAge: FRESH_S,
    clockTolerance: TOLERANCE_S,
    currentDate: new Date(nowS * 1000),
  });
  if (payload['nonce'] !== expected.nonce) throw new Refused('nonce');
  checkParty(payload, expected.clientId);
  const authTimeS = authTime(payload, nowS, expected.maxAgeS);
  const { subject } = principalOf(payload, config);
  if (subject.type !== 'user' || subject.properties.on_behalf_of !== undefined) throw new Refused('human');
  return { subject, scopes: ['approve'], issuedAtMs: authTimeS * 1000, expiresAtMs: (payload.iat ?? 0) * 1000 + config.maxAgeMs };
}

/** Signed, by a key that it does not bring along, and no access token. */
function checkForm(token: string): void {
  if (token.length > TOKEN_CHARS_MAX || token.split('.', 6).length !== 3) throw new Refused('form');
  const header = decodeProtectedHeader(token);
  const odd = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc'].find((name) => name in header);
  if (odd !== undefined) throw new Refused(odd);
  if (header.typ !== undefined && !/^(application\/)?jwt$/i.test(header.typ)) throw new Refused('typ');
}

function checkParty({ aud, azp }: JWTPayload & { readonly azp?: unknown }, clientId: string): void {
  const several = Array.isArray(aud) && aud.length > 1;
  if ((several || azp !== undefined) && azp !== clientId) throw new Refused('azp');
}

function authTime({ auth_time: at }: JWTPayload & { readonly auth_time?: unknown }, nowS: number, maxAgeS: number): number {
  if (typeof at !== 'number' || !Number.isFinite(at) || at > nowS + TOLERANCE_S || at < nowS - maxAgeS - TOLERANCE_S) throw new Refused('auth_time');
  return Math.floor(at);
}
