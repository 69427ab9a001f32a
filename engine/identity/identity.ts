/** Who presents a token: verification as SECURITY §1.11 asks, for every issuer alike, the built-in one included. */
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify, type JWSAlgorithm, type ProtectedHeaderParameters } from 'jose';
import type { Clock } from '#client/clock';
import type { Identity, Need, Principal } from '#client/identity';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { checkIssuer, type IssuerConfig } from './issuer.ts';
import { type IssuerLogin, type LoginConfig, openLogin } from './login.ts';
import { type KeySource, remoteKeys } from './key-set.ts';
import type { LocalIssuer } from './local-issuer.ts';
import { principalOf } from './principal.ts';
import { Refused } from './refused.ts';

export type { IssuerConfig } from './issuer.ts';
export type { IssuerLogin, LoginConfig } from './login.ts';

export interface IdentityOptions {
  /** `login`: humans log in to the console there. */
  readonly issuers: readonly (IssuerConfig & { readonly login?: LoginConfig | null })[];
  readonly local?: LocalIssuer;
  readonly clock: Clock;
  readonly log: Log;
}

interface Issuer {
  readonly config: IssuerConfig;
  readonly keys: KeySource;
}
type Scope = 'connect' | 'approve';

const TOKEN_CHARS_MAX = 16_384;
const TOLERANCE_S = 30;
/** A verdict is given with a fresh token (A4). */
const APPROVE_AGE_MAX_MS = 3_600_000;
/** Where a token brings, or points to, its own key or asks for special treatment. (`x5t` only names one, as `kid` does.) */
const HEADERS_REFUSED = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc'];
/** Only an ID token has these: it tells a client who logged in, and is no key to anything. */
const ID_TOKEN_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash'];

/** @throws InterlockError CONFIG_INVALID for an issuer on unsound terms. Keys are fetched when the first token asks for them. */
export async function openIdentity(options: IdentityOptions): Promise<Identity & { readonly logins: readonly IssuerLogin[] }> {
  const { clock, log, local } = options;
  const issuers = new Map<string, Issuer>();
  if (local) issuers.set(local.config.url, local);
  const logins: IssuerLogin[] = [];
  for (const { login = null, ...config } of options.issuers) {
    checkIssuer(config);
    if (issuers.has(config.url)) throw new InterlockError('CONFIG_INVALID', `identity issuer ${config.url} is named twice`);
    const issuer = { config, keys: remoteKeys(config, clock, log) };
    issuers.set(config.url, issuer);
    if (login !== null) logins.push(openLogin({ issuer, login, clock, log }));
  }
  return { authenticate: (token, need) => authenticate(token, need, issuers, clock, log), logins };
}

async function authenticate(token: string, need: Need, issuers: ReadonlyMap<string, Issuer>, clock: Clock, log: Log): Promise<Principal> {
  try {
    const { issuer, header } = issuerOf(token, issuers);
    const payload = await verified(token, header, issuer, need, clock);
    const principal = principalOf(payload, issuer.config);
    checkScope(principal, need.scope);
    return principal;
  } catch (error) {
    if (error instanceof InterlockError) throw error;
    log.warn({ check: checkOf(error) }, 'a token was not accepted');
    // No cause: it would hold claims, and whoever prints it would print them.
    throw new InterlockError('AUTH_FAILED', 'the token was not accepted');
  }
}

/** Which issuer the token claims, before anything of it is believed: it only picks the terms that it is then held against. */
function issuerOf(token: string, issuers: ReadonlyMap<string, Issuer>): { issuer: Issuer; header: ProtectedHeaderParameters } {
  // Three parts: signed. Five would be encrypted, which nothing here needs.
  if (token.length > TOKEN_CHARS_MAX || token.split('.', 6).length !== 3) throw new Refused('form');
  const header = decodeProtectedHeader(token);
  const odd = HEADERS_REFUSED.find((name) => name in header);
  if (odd !== undefined) throw new Refused(odd);
  const issuer = issuers.get(String(decodeJwt(token).iss));
  if (!issuer) throw new Refused('iss');
  return { issuer, header };
}

async function verified(token: string, header: ProtectedHeaderParameters, issuer: Issuer, need: Need, clock: Clock): Promise<JWTPayload> {
  const { config, keys } = issuer;
  const { scope, resource } = need;
  const maxAgeMs = scope === 'approve' ? Math.min(config.maxAgeMs, APPROVE_AGE_MAX_MS) : config.maxAgeMs;
  const { payload } = await jwtVerify(token, keys, {
    issuer: config.url,
    // for the gateway as a whole, or for this resource alone (RFC 8707); never for another
    audience: resource === undefined ? config.audience : [config.audience, resource],
    algorithms: config.algorithms as JWSAlgorithm[],
    typ: acceptedType(header.typ, config.tokenTypes),
    requiredClaims: ['sub', 'exp', 'iat', 'aud', 'iss'],
    maxTokenAge: Math.floor(maxAgeMs / 1000),
    clockTolerance: TOLERANCE_S,
    currentDate: new Date(clock.wallUs() / 1000),
  });
  if (ID_TOKEN_CLAIMS.some((claim) => claim in payload) || payload['typ'] === 'ID') throw new Refused('id_token');
  checkParty(payload, config.audience);
  return payload;
}

/** `typ` as jose compares it: without regard to case, with or without `application/` (RFC 7515 §4.1.9). */
function acceptedType(typ: string | undefined, accepted: readonly string[]): string {
  const same = accepted.find((one) => plain(one) === plain(typ ?? ''));
  if (same === undefined) throw new Refused('typ');
  return same;
}

function plain(typ: string): string {
  return typ.toLowerCase().replace(/^application\//, '');
}

/** A token for several audiences was made for one party; if that is not us, another's token is being reused here. */
function checkParty(payload: JWTPayload, audience: string): void {
  const { aud, azp } = payload;
  if (Array.isArray(aud) && aud.length > 1 && azp !== audience) throw new Refused('azp');
}

/** Tokens for data (`connect`, agents, services) never decide: a token that carries both scopes is for data (A4). */
function checkScope({ scopes, subject }: Principal, scope: Scope): void {
  if (!scopes.includes(scope)) throw missing(`the token does not carry the scope \`${scope}\``);
  if (scope === 'connect') return;
  if (scopes.includes('connect')) throw missing('a token that can connect cannot decide: the scope must be `approve` without `connect`');
  if (subject.type !== 'user') throw missing('only a human’s own token can decide');
}

function missing(message: string): InterlockError {
  return new InterlockError('AUTH_SCOPE', message);
}

/** A word for the log, never a value: jose's errors hold the claims. */
function checkOf(error: unknown): string {
  if (error instanceof Refused) return error.check;
  if (error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired) return error.claim;
  return error instanceof errors.JOSEError ? error.code : 'form';
}
