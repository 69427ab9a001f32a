/** An issuer's public keys: discovered, cached, refreshed on rotation. Old and new keys count while the issuer publishes both. */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWK, type JWSHeaderParameters, type FlattenedJWSInput, type LocalJWKSet } from 'jose';
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import { fetchJson } from './fetch-json.ts';
import type { IssuerConfig } from './issuer.ts';
import { Refused } from './refused.ts';

type PublicKey = Awaited<ReturnType<LocalJWKSet>>;

/** Where jose gets the key for a token; rejects when there is none, or none that is fresh enough. */
export type KeySource = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<PublicKey>;

/** Behind this age the next token starts a refresh that nobody waits for. */
const FRESH_MS = 300_000;
/** Behind this age no key counts any more until a fetch succeeds. */
const MAX_AGE_MS = 900_000;
/** Between two fetches that unknown keys, or failures, ask for: a storm of either is one fetch. */
const COOLDOWN_MS = 10_000;
const KEYS_MAX = 100;

export function remoteKeys(issuer: IssuerConfig, clock: Clock, log: Log): KeySource {
  const keys = new RemoteKeys(issuer, clock, log);
  return (header, token) => keys.find(header, token);
}

export function localKeys(jwks: JSONWebKeySet): KeySource {
  return createLocalJWKSet(jwks);
}

class RemoteKeys {
  readonly #issuer: IssuerConfig;
  readonly #clock: Clock;
  readonly #log: Log;
  #set: LocalJWKSet | null = null;
  #fetchedMs = Number.NEGATIVE_INFINITY;
  #askedMs = Number.NEGATIVE_INFINITY;
  #failedMs = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | null = null;

  constructor(issuer: IssuerConfig, clock: Clock, log: Log) {
    this.#issuer = issuer;
    this.#clock = clock;
    this.#log = log;
  }

  async find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<PublicKey> {
    const set = await this.#current();
    try {
      return await set(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || this.#nowMs() - this.#askedMs < COOLDOWN_MS) throw error;
      this.#askedMs = this.#nowMs();
      await this.#refresh();
      return (this.#set ?? set)(header, token);
    }
  }

  async #current(): Promise<LocalJWKSet> {
    const ageMs = this.#nowMs() - this.#fetchedMs;
    if (this.#set && ageMs < FRESH_MS) return this.#set;
    if (this.#set && ageMs < MAX_AGE_MS) {
      this.#refresh().catch(() => undefined); // said in the log; what is cached still counts
      return this.#set;
    }
    await this.#refresh();
    if (!this.#set) throw new Refused('keys');
    return this.#set;
  }

  #refresh(): Promise<void> {
    if (this.#fetching) return this.#fetching;
    if (this.#nowMs() - this.#failedMs < COOLDOWN_MS) return Promise.reject(new Refused('keys'));
    this.#fetching = this.#fetch().finally(() => (this.#fetching = null));
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    try {
      const url = this.#issuer.jwksUrl ?? (await discover(this.#issuer));
      this.#set = createLocalJWKSet(signatureKeys(await fetchJson(url, this.#issuer.caFile)));
      this.#fetchedMs = this.#nowMs();
    } catch (error) {
      this.#failedMs = this.#nowMs();
      this.#log.error({ issuer: this.#issuer.url, err: error }, 'the keys of an issuer could not be fetched');
      throw new Refused('keys', error);
    }
  }

  #nowMs(): number {
    return this.#clock.monotonicUs() / 1000;
  }
}

/** https://openid.net/specs/openid-connect-discovery-1_0.html §4: the document must name this very issuer. */
async function discover(issuer: IssuerConfig): Promise<string> {
  const document = await fetchJson(`${issuer.url.replace(/\/$/, '')}/.well-known/openid-configuration`, issuer.caFile);
  const { issuer: named, jwks_uri: url } = (document ?? {}) as Record<string, unknown>;
  if (named !== issuer.url) throw new Error('the discovery document names another issuer');
  if (typeof url !== 'string' || !URL.canParse(url)) throw new Error('the discovery document has no jwks_uri');
  if (new URL(url).host !== new URL(issuer.url).host) {
    throw new Error(`the discovery document leads to another host, ${new URL(url).host}: if that is right, name it in jwks_url`);
  }
  return url;
}

/** What is not a public signature key is not even looked at. */
function signatureKeys(document: unknown): JSONWebKeySet {
  const keys = (document as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys) || keys.length > KEYS_MAX) throw new Error('this is not a JSON Web Key Set');
  return { keys: keys.filter((key: unknown): key is JWK => isObject(key) && isPublic(key)).map((key) => ({ ...key })) };
}

function isPublic(key: Record<string, unknown>): boolean {
  const asymmetric = key['kty'] === 'RSA' || key['kty'] === 'EC' || key['kty'] === 'OKP';
  return asymmetric && key['d'] === undefined && key['k'] === undefined && key['use'] !== 'enc';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
