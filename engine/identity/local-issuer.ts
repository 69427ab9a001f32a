/** The built-in issuer of the embedded default: its own key, and tokens that go through the same verification as anybody's. */
import { randomUUID } from 'node:crypto';
import { chmodSync, linkSync, lstatSync, mkdirSync, openSync, closeSync, fsyncSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { calculateJwkThumbprint, type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import type { Clock } from '#client/clock';
import { timestamp } from '#client/clock';
import { InterlockError } from '#schemas/errors';
import type { IssuerConfig } from './issuer.ts';
import { type KeySource, localKeys } from './key-set.ts';

export interface LocalIssuerOptions {
  /** For the key alone: 0700, made when absent. Whoever can read it can make tokens. */
  readonly dir: string;
  readonly url: string;
  readonly audience: string;
  readonly clock: Clock;
}

export interface MintOptions {
  readonly login: string;
  readonly groups: readonly string[];
  readonly type: 'user' | 'service' | 'agent';
  /** Login of the human behind an agent or a service. */
  readonly onBehalfOf?: string;
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

const ALGORITHM = 'EdDSA';
const KEY_FILE = 'issuer.jwk';
const TTL_MAX_MS = 24 * 3_600_000;
const APPROVE_TTL_MAX_MS = 3_600_000;

/**
 * Makes the key on first use; any number of processes may hold the same directory.
 * @throws InterlockError STATE_MODE when others can read the directory or the key.
 */
export async function openLocalIssuer(options: LocalIssuerOptions): Promise<LocalIssuer> {
  const { dir, url, audience, clock } = options;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  checkMode(dir, 0o700);
  const { kid, key, jwk } = await ownKey(join(dir, KEY_FILE));
  const config: IssuerConfig = {
    url,
    audience,
    jwksUrl: null,
    caFile: null,
    algorithms: [ALGORITHM],
    tokenTypes: ['at+jwt'],
    maxAgeMs: TTL_MAX_MS,
    claims: { login: 'preferred_username', groups: 'groups' },
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
  const { login, groups, type, onBehalfOf, scope, ttlMs } = wanted;
  const iat = Math.floor(clock.wallUs() / 1_000_000);
  const exp = iat + Math.ceil(ttlMs / 1000);
  const owner = onBehalfOf === undefined ? {} : { on_behalf_of: { sub: onBehalfOf, login: onBehalfOf, groups: [] } };
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

async function ownKey(path: string): Promise<{ kid: string; key: CryptoKey; jwk: JWK }> {
  if (!exists(path)) await makeKey(path);
  checkMode(path, 0o600);
  const secret = JSON.parse(readFileSync(path, 'utf8')) as JWK;
  const { d: _, ...open } = secret;
  const kid = await calculateJwkThumbprint(open);
  const key = (await importJWK(secret, ALGORITHM)) as CryptoKey;
  return { kid, key, jwk: { ...open, kid, alg: ALGORITHM, use: 'sig' } };
}

/** Whole or not at all, and only one process' key: `link` fails where a file stands. */
async function makeKey(path: string): Promise<void> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const written = `${path}.${process.pid}.new`;
  const file = openSync(written, 'wx', 0o600);
  try {
    chmodSync(written, 0o600);
    writeSync(file, JSON.stringify(await exportJWK(privateKey)));
    fsyncSync(file);
    linkSync(written, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    closeSync(file);
    unlinkSync(written);
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function checkMode(path: string, mode: number): void {
  const { mode: found, uid } = statSync(path);
  const lax = (found & 0o777 & ~mode) !== 0;
  const owner = process.geteuid?.();
  if (!lax && (uid === owner || owner === 0)) return;
  const what = lax ? `has mode ${(found & 0o777).toString(8).padStart(4, '0')}` : `belongs to user ${uid}`;
  throw new InterlockError('STATE_MODE', `${path} ${what}; allowed: mode ${mode.toString(8).padStart(4, '0')}, owned by the gateway’s user`);
}
