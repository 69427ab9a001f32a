/** The built-in issuer of the embedded default: its own key, and tokens that go through the same verification as anybody's. */
import { randomUUID } from 'node:crypto';
import { type CryptoKey, SignJWT } from 'jose';
import type { Clock } from '#client/clock';
import { timestamp } from '#client/clock';
import { InterlockError } from '#schemas/errors';
import type { IssuerConfig } from './issuer.ts';
import { type KeySource, localKeys } from './key-set.ts';
import { openOwnKey, OWN_KEY_ALGORITHM as ALGORITHM } from './own-key.ts';

export interface LocalIssuerOptions {
  /** For the key alone: 0700, made when absent. Whoever can read it can make tokens. */
  readonly dir: string;
  readonly url: string;
  readonly audience: string;
  readonly clock: Clock;
}

/** The built-in issuer is nobody's web address: it is this installation's own. */
export const LOCAL_ISSUER = { url: 'https://local.interlock.invalid', audience: 'interlock' } as const;

export interface MintOptions {
  readonly login: string;
  readonly groups: readonly string[];
  readonly type: 'user' | 'service' | 'agent';
  /** Login of the human behind an agent or a service. */
  readonly onBehalfOf?: string;
  /** Groups of that human: then what both may do counts. Absent: they are only named. */
  readonly behalfGroups?: readonly string[];
  readonly scope: 'connect' | 'approve';
  readonly ttlMs: number;
}

export interface Minted {
  readonly token: string;
  /** `iss|sub` */
  readonly subject: string;
  readonly expires_at: string;
}

export interface LocalIssuer {
  readonly config: IssuerConfig;
  readonly keys: KeySource;
  /** @throws InterlockError USAGE for what a token may not say. */
  mint(options: MintOptions): Promise<Minted>;
}

const TTL_MAX_MS = 24 * 3_600_000;
const APPROVE_TTL_MAX_MS = 3_600_000;

/**
 * Makes the key on first use; any number of processes may hold the same directory.
 * @throws InterlockError STATE_MODE when others can read the directory or the key.
 */
export async function openLocalIssuer(options: LocalIssuerOptions): Promise<LocalIssuer> {
  const { dir, url, audience, clock } = options;
  const { kid, key, jwk } = await openOwnKey(dir);
  const config: IssuerConfig = {
    url,
    audience,
    jwksUrl: null,
    caFile: null,
    algorithms: [ALGORITHM],
    tokenTypes: ['at+jwt'],
    maxAgeMs: TTL_MAX_MS,
    claims: { login: 'preferred_username', groups: 'groups' },
    trial: true,
  };
  return { config, keys: localKeys({ keys: [jwk] }), mint: (wanted) => mint(wanted, { url, audience, clock, kid, key }) };
}

interface Signer {
  readonly url: string;
  readonly audience: string;
  readonly clock: Clock;
  readonly kid: string;
  readonly key: CryptoKey;
}

async function mint(wanted: MintOptions, { url, audience, clock, kid, key }: Signer): Promise<Minted> {
  checkWanted(wanted);
  const { login, groups, type, onBehalfOf, behalfGroups = [], scope, ttlMs } = wanted;
  const iat = Math.floor(clock.wallUs() / 1_000_000);
  const exp = iat + Math.ceil(ttlMs / 1000);
  const owner = onBehalfOf === undefined ? {} : { on_behalf_of: { sub: onBehalfOf, login: onBehalfOf, groups: [...behalfGroups] } };
  const claims = { sub: login, preferred_username: login, groups: [...groups], scope, interlock: { type, ...owner }, jti: randomUUID() };
  const token = await new SignJWT({ ...claims, iss: url, aud: audience, iat, exp })
    .setProtectedHeader({ alg: ALGORITHM, typ: 'at+jwt', kid })
    .sign(key);
  return { token, subject: `${url}|${login}`, expires_at: timestamp(exp * 1_000_000) };
}

function checkWanted({ login, type, onBehalfOf, scope, ttlMs }: MintOptions): void {
  const wrong = (what: string): InterlockError => new InterlockError('USAGE', what);
  for (const name of [login, onBehalfOf ?? login]) {
    if (!/^[^\p{C}\p{Z}]{1,128}$/u.test(name)) throw wrong('a login has 1 to 128 characters, without spaces or control characters');
  }
  if (type === 'user' && onBehalfOf !== undefined) throw wrong('a user acts for themselves: on behalf of somebody needs type agent or service');
  if (scope === 'approve' && type !== 'user') throw wrong('only a user’s token can have the scope approve');
  const maxMs = scope === 'approve' ? APPROVE_TTL_MAX_MS : TTL_MAX_MS;
  if (!(ttlMs >= 1000 && ttlMs <= maxMs)) throw wrong(`a token for ${scope} lasts 1 second to ${maxMs / 3_600_000} h`);
}
