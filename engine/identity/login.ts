/**
 * Login by an issuer: OpenID Connect, authorization code with PKCE (RFC 7636), state, nonce, and the issuer's name in the answer (RFC 9207).
 * openid-client speaks the protocol; whom the ID token names is for this module's own verification to say.
 */
import * as client from 'openid-client';
import type { Clock } from '#client/clock';
import type { Principal } from '#client/identity';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { fetchJson } from './fetch-json.ts';
import { exchange } from './http-exchange.ts';
import { humanOf } from './id-token.ts';
import { type IssuerConfig, isSecure } from './issuer.ts';
import type { KeySource } from './key-set.ts';
import { Refused } from './refused.ts';

/** `identity.issuers[].login` */
export interface LoginConfig {
  readonly name: string;
  readonly clientId: string;
  /** Read when it is needed; null: a public client. */
  readonly clientSecret: (() => Promise<string>) | null;
  readonly scopes: readonly string[];
}

export interface Fresh {
  readonly acr?: string;
  readonly maxAgeS?: number;
}

/** What is kept, on this side, until the browser comes back. */
export interface Begun {
  readonly url: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly redirectUri: string;
  readonly maxAgeS: number;
  readonly acr: string | null;
}

export interface IssuerLogin {
  readonly name: string;
  /** @throws InterlockError LOGIN_FAILED */
  begin(ask: { readonly redirectUri: string; readonly fresh?: Fresh }): Promise<Begun>;
  /** @throws InterlockError LOGIN_FAILED */
  finish(callback: URL, begun: Begun): Promise<Principal>;
}

interface Options {
  readonly issuer: { readonly config: IssuerConfig; readonly keys: KeySource };
  readonly login: LoginConfig;
  readonly clock: Clock;
  readonly log: Log;
}

/** A verdict needs a login of this hour (A4). */
const FRESH_MAX_AGE_S = 3_600;

export function openLogin(options: Options): IssuerLogin {
  const { issuer, login, log } = options;
  const discovered = new Discovered(issuer.config, options.clock);
  const guarded = async <T>(step: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      log.warn({ issuer: issuer.config.url, step, check: checkOf(error) }, 'a login failed');
      // no cause: it would hold claims and codes, and whoever prints it would print them
      throw new InterlockError('LOGIN_FAILED', `the login at ${login.name} was not completed`);
    }
  };
  return {
    name: login.name,
    begin: (ask) => guarded('begin', async () => begin(ask, options, await configure(options, discovered))),
    finish: (callback, begun) => guarded('finish', async () => finish(callback, begun, options, await configure(options, discovered))),
  };
}

async function begin(
  { redirectUri, fresh }: { readonly redirectUri: string; readonly fresh?: Fresh },
  options: Options,
  configuration: client.Configuration,
): Promise<Begun> {
  const state = client.randomState();
  const nonce = client.randomNonce();
  const verifier = client.randomPKCECodeVerifier();
  // asked for always: only then must the issuer say when the human last showed who they are
  const maxAgeS = fresh === undefined ? Math.floor(options.issuer.config.maxAgeMs / 1000) : (fresh.maxAgeS ?? FRESH_MAX_AGE_S);
  const url = client.buildAuthorizationUrl(configuration, {
    redirect_uri: redirectUri,
    scope: [...new Set(['openid', ...options.login.scopes])].join(' '),
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    max_age: String(maxAgeS),
    ...(fresh === undefined ? {} : { prompt: 'login' }),
    ...(fresh?.acr === undefined ? {} : { acr_values: fresh.acr }),
  });
  return { url: url.href, state, nonce, verifier, redirectUri, maxAgeS, acr: fresh?.acr ?? null };
}

async function finish(
  callback: URL,
  { state, nonce, verifier, maxAgeS }: Begun,
  options: Options,
  configuration: client.Configuration,
): Promise<Principal> {
  const { issuer, login, clock } = options;
  const tokens = await client.authorizationCodeGrant(configuration, callback, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  return await humanOf(tokens.id_token ?? '', { clientId: login.clientId, nonce, maxAgeS }, issuer, clock);
}

const DISCOVERED_MS = 60_000;

/** The issuer's own document: read anew every minute, and once for all who ask meanwhile. Nobody has logged in yet who asks. */
class Discovered {
  readonly #issuer: IssuerConfig;
  readonly #clock: Clock;
  #document: Promise<client.ServerMetadata> | null = null;
  #atMs = Number.NEGATIVE_INFINITY;

  constructor(issuer: IssuerConfig, clock: Clock) {
    this.#issuer = issuer;
    this.#clock = clock;
  }

  read(): Promise<client.ServerMetadata> {
    const nowMs = this.#clock.monotonicUs() / 1000;
    if (this.#document !== null && nowMs - this.#atMs < DISCOVERED_MS) return this.#document;
    const document = discover(this.#issuer);
    this.#atMs = nowMs;
    this.#document = document;
    document.catch(() => (this.#document = this.#document === document ? null : this.#document)); // the next one asks again
    return document;
  }
}

async function discover({ url, caFile }: IssuerConfig): Promise<client.ServerMetadata> {
  const document = (await fetchJson(`${url.replace(/\/$/, '')}/.well-known/openid-configuration`, caFile)) as client.ServerMetadata;
  if (document.issuer !== url) throw new Refused('discovery.issuer');
  for (const endpoint of [document.authorization_endpoint, document.token_endpoint])
    if (typeof endpoint !== 'string' || !isSecure(endpoint)) throw new Refused('discovery.endpoint');
  return document;
}

async function configure({ issuer, login }: Options, discovered: Discovered): Promise<client.Configuration> {
  const { url, caFile, algorithms } = issuer.config;
  const document = await discovered.read();
  const secret = login.clientSecret === null ? null : await login.clientSecret();
  // which algorithms count is our configuration's to say, and is checked again with the signature
  const metadata = { ...document, id_token_signing_alg_values_supported: [...algorithms] };
  const configuration = new client.Configuration(metadata, login.clientId, {}, authentication(secret, document));
  if (url.startsWith('http:')) client.allowInsecureRequests(configuration);
  configuration[client.customFetch] = (address, sent) => ask(address, sent, caFile);
  return configuration;
}

/** https://openid.net/specs/openid-connect-discovery-1_0.html §3: `client_secret_basic` where it does not say. */
function authentication(secret: string | null, { token_endpoint_auth_methods_supported: methods }: client.ServerMetadata): client.ClientAuth {
  if (secret === null) return client.None();
  return methods === undefined || methods.includes('client_secret_basic') ? client.ClientSecretBasic(secret) : client.ClientSecretPost(secret);
}

async function ask(address: string, sent: client.CustomFetchOptions, caFile: string | null): Promise<Response> {
  const headers = Object.fromEntries(new Headers(sent.headers).entries());
  const body = sent.body instanceof URLSearchParams || typeof sent.body === 'string' ? sent.body.toString() : null;
  if (body === null && sent.body !== undefined && sent.body !== null) throw new Refused('body');
  const type = body === null ? {} : { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' };
  const answer = await exchange(address, { method: sent.method === 'POST' ? 'POST' : 'GET', headers: { ...type, ...headers }, body }, caFile);
  return new Response(new Uint8Array(answer.body), { status: answer.status, headers: { 'content-type': answer.type } });
}

/** A word for the log, never a value. */
function checkOf(error: unknown): string {
  if (error instanceof Refused) return error.check;
  if (error instanceof client.AuthorizationResponseError) return `answer: ${error.error}`;
  if (error instanceof client.ResponseBodyError) return `token endpoint: ${error.error}`;
  const words: unknown[] = [];
  for (let at: unknown = error, depth = 0; typeof at === 'object' && at !== null && depth < 4; at = (at as { cause?: unknown }).cause, depth++)
    words.push((at as { code?: unknown }).code, (at as { claim?: unknown }).claim);
  const said = words.filter((word) => typeof word === 'string' && /^[A-Za-z_]{1,64}$/.test(word));
  return said.join(' ') || 'unreachable, or not OpenID Connect';
}
