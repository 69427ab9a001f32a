/**
 * An OpenID Connect issuer in a process of its own, with keys of its own: discovery, key set, authorization code with PKCE over HTTP, and a control
 * channel (IPC) by which a test has tokens signed, keys rotated, somebody at the browser, and the issuer misbehave.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { exportJWK, generateKeyPair, type JWK, type JWSAlgorithm, SignJWT } from 'jose';

export interface SignRequest {
  readonly header: Readonly<Record<string, unknown>> & { readonly alg: string };
  readonly claims: Readonly<Record<string, unknown>>;
}
export type Behaviour = 'well' | 'down' | 'redirect' | 'huge' | 'other-issuer' | 'other-host' | 'garbage';

/** Who sits at the browser when it comes to the issuer, and what is wrong with what they are given. */
export interface AtBrowser {
  /** `sub`, `preferred_username`, `groups` …; over what is right, so that anything can be made wrong. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Claims that are left out. */
  readonly without?: readonly string[];
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: 'current' | 'retired' | 'never-published';
  /** When they showed who they are, seconds ago; asked for a new login they do it now. */
  readonly authenticatedAgoS?: number;
  /** They do not do it again, though asked. */
  readonly stale?: boolean;
  /** What the answer says of the issuer (RFC 9207); null: nothing. */
  readonly iss?: string | null;
  /** They refuse. */
  readonly error?: string;
}

/** What came to the authorization endpoint, last. */
export type AuthorizationAsked = Readonly<Record<string, string>>;

export const OUTSIDE_CLIENT = { id: 'console', secret: 'top secret: ☃' } as const;

type Order =
  | { readonly do: 'sit'; readonly who: AtBrowser }
  | { readonly do: 'asked' }
  | { readonly do: 'sign'; readonly request: SignRequest; readonly key: 'current' | 'retired' | 'never-published' }
  | { readonly do: 'rotate'; readonly keepOld: boolean }
  | { readonly do: 'behave'; readonly as: Behaviour }
  | { readonly do: 'stats' }
  | { readonly do: 'keys' };

export interface OutsideIssuer extends AsyncDisposable {
  readonly url: string;
  /** `kid` is filled in. */
  sign(request: SignRequest, key?: 'current' | 'retired' | 'never-published'): Promise<string>;
  rotate(keepOld: boolean): Promise<void>;
  behave(as: Behaviour): Promise<void>;
  /** How often the key set was asked for. */
  fetches(): Promise<number>;
  publicKeys(): Promise<readonly JWK[]>;
  /** From now on this is who logs in. */
  sit(who: AtBrowser): Promise<void>;
  asked(): Promise<AuthorizationAsked>;
}

export async function startOutsideIssuer(): Promise<OutsideIssuer> {
  const child = fork(fileURLToPath(import.meta.url), ['serve'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [url] = (await once(child, 'message')) as [string];
  let orders = 0;
  const ask = async (order: Order): Promise<unknown> => {
    const id = ++orders;
    child.send({ id, order });
    return answerTo(child, id);
  };
  return {
    url,
    sign: async (request, key = 'current') => (await ask({ do: 'sign', request, key })) as string,
    rotate: async (keepOld) => void (await ask({ do: 'rotate', keepOld })),
    behave: async (as) => void (await ask({ do: 'behave', as })),
    fetches: async () => (await ask({ do: 'stats' })) as number,
    publicKeys: async () => (await ask({ do: 'keys' })) as JWK[],
    sit: async (who) => void (await ask({ do: 'sit', who })),
    asked: async () => (await ask({ do: 'asked' })) as AuthorizationAsked,
    [Symbol.asyncDispose]: async () => {
      const gone = once(child, 'exit');
      child.disconnect();
      await gone;
    },
  };
}

function answerTo(child: ChildProcess, id: number): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const onMessage = (message: unknown): void => {
    const answer = message as { id: number; answer: unknown };
    if (answer.id !== id) return;
    child.off('message', onMessage);
    resolve(answer.answer);
  };
  child.on('message', onMessage);
  return promise;
}

interface Key {
  readonly kid: string;
  readonly alg: JWSAlgorithm;
  readonly privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
  readonly jwk: JWK;
}

let keysMade = 0;

async function makeKey(alg: JWSAlgorithm): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const kid = `key-${++keysMade}`;
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

const pairOf = async (): Promise<readonly Key[]> => Promise.all([makeKey('ES256'), makeKey('RS256')]);

async function serve(): Promise<void> {
  let current = await pairOf();
  let retired: readonly Key[] = [];
  const unpublished = await pairOf();
  let keepOld = true;
  let behaviour: Behaviour = 'well';
  let fetches = 0;
  let sitting: AtBrowser = { claims: {} };
  let asked: AuthorizationAsked = {};
  const codes = new Map<string, Code>();
  const keyOf = (which: 'current' | 'retired' | 'never-published', alg: string): Key => {
    const key = { current, retired, 'never-published': unpublished }[which].find((one) => one.alg === alg);
    if (!key) throw new Error(`no key for ${alg}`);
    return key;
  };
  const published = (): readonly Key[] => (keepOld ? [...current, ...retired] : current);
  const server = createServer((request, response) => {
    const own = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const say = (document: unknown): void => void response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
    // what it says then is well-formed, and yet no answer
    if (behaviour === 'down') response.statusCode = 503;
    if (behaviour === 'redirect') return void response.writeHead(302, { location: `${own}/elsewhere` }).end();
    if (behaviour === 'garbage') return void response.end('<html>');
    if (request.url === '/.well-known/openid-configuration') {
      // the same keys, but not where the issuer lives
      const host = behaviour === 'other-host' ? own.replace('127.0.0.1', 'localhost') : own;
      return say({
        issuer: behaviour === 'other-issuer' ? 'https://evil.example.com' : own,
        jwks_uri: `${host}/jwks`,
        authorization_endpoint: `${own}/authorize`,
        token_endpoint: `${own}/token`,
        response_types_supported: ['code'],
        code_challenge_methods_supported: ['S256'],
        authorization_response_iss_parameter_supported: true,
      });
    }
    const url = new URL(request.url ?? '/', own);
    if (url.pathname === '/authorize') {
      asked = Object.fromEntries(url.searchParams);
      return void response.writeHead(302, { location: authorize(asked, sitting, codes, own) }).end();
    }
    if (url.pathname === '/token') {
      const answer = text(request).then((body) => exchangeCode(new URLSearchParams(body), request.headers.authorization ?? '', codes, own, keyOf));
      return void answer.then(say, (error: unknown) => {
        response.statusCode = 400;
        say({ error: 'invalid_grant', error_description: String(error) });
      });
    }
    fetches += 1;
    const keys = published().map((key) => key.jwk);
    say(behaviour === 'huge' ? { padding: 'x'.repeat(300_000), keys } : { keys });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const obey = async (order: Order): Promise<unknown> => {
    switch (order.do) {
      case 'sign': {
        const key = keyOf(order.key, order.request.header.alg);
        return new SignJWT(order.request.claims).setProtectedHeader({ kid: key.kid, ...order.request.header }).sign(key.privateKey);
      }
      case 'rotate':
        retired = current;
        current = await pairOf();
        keepOld = order.keepOld;
        return null;
      case 'behave':
        behaviour = order.as;
        return null;
      case 'sit':
        sitting = order.who;
        return null;
      case 'asked':
        return asked;
      case 'stats':
        return fetches;
      case 'keys':
        return published().map((key) => key.jwk);
    }
  };
  process.on('message', (message: { id: number; order: Order }) => {
    void obey(message.order).then((answer) => process.send?.({ id: message.id, answer }));
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.(url);
}

interface Code {
  readonly asked: AuthorizationAsked;
  readonly who: AtBrowser;
  readonly authTimeS: number;
}

/** https://openid.net/specs/openid-connect-core-1_0.html §3.1.2: where the browser goes next. */
function authorize(asked: AuthorizationAsked, who: AtBrowser, codes: Map<string, Code>, own: string): string {
  const { redirect_uri: back = '', client_id: id, response_type: type, code_challenge_method: method, state = '', prompt } = asked;
  if (id !== OUTSIDE_CLIENT.id || type !== 'code' || method !== 'S256' || !/^openid( |$)/.test(asked['scope'] ?? '')) return `${own}/refused`;
  const answer = new URL(back);
  answer.searchParams.set('state', state);
  if (who.iss !== null) answer.searchParams.set('iss', who.iss ?? own);
  if (who.error !== undefined) answer.searchParams.set('error', who.error);
  else {
    const code = randomUUID();
    const agoS = prompt === 'login' && who.stale !== true ? 0 : (who.authenticatedAgoS ?? 0);
    codes.set(code, { asked, who, authTimeS: Math.floor(Date.now() / 1000) - agoS });
    answer.searchParams.set('code', code);
  }
  return answer.href;
}

/** §3.1.3, RFC 7636 §4.6: a code is good once, for its client, its redirect URI, and whoever knows the verifier. */
async function exchangeCode(
  form: URLSearchParams,
  authorization: string,
  codes: Map<string, Code>,
  own: string,
  keyOf: (which: 'current' | 'retired' | 'never-published', alg: string) => Key,
): Promise<object> {
  const { id, secret } = OUTSIDE_CLIENT;
  const spelled = (word: string): string =>
    encodeURIComponent(word)
      .replace(/[-_.!~*'()]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
      .replaceAll('%20', '+');
  const given = Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString();
  if (given !== `${spelled(id)}:${spelled(secret)}`) throw new Error('client authentication');
  const code = codes.get(form.get('code') ?? '');
  codes.delete(form.get('code') ?? '');
  if (!code || form.get('grant_type') !== 'authorization_code') throw new Error('code');
  if (form.get('redirect_uri') !== code.asked['redirect_uri']) throw new Error('redirect_uri');
  const challenge = createHash('sha256')
    .update(form.get('code_verifier') ?? '')
    .digest('base64url');
  if (challenge !== code.asked['code_challenge']) throw new Error('code_verifier');
  const { who, asked, authTimeS } = code;
  const nowS = Math.floor(Date.now() / 1000);
  const acr = asked['acr_values'] === undefined ? {} : { acr: asked['acr_values'] };
  const right = { iss: own, aud: id, azp: id, iat: nowS, exp: nowS + 300, nonce: asked['nonce'], auth_time: authTimeS, ...acr };
  const claims = Object.fromEntries(Object.entries({ ...right, ...who.claims }).filter(([name]) => !(who.without ?? []).includes(name)));
  const key = keyOf(who.key ?? 'current', 'ES256');
  const idToken = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: key.kid, ...who.header }).sign(key.privateKey);
  return { access_token: randomUUID(), token_type: 'Bearer', expires_in: 300, id_token: idToken };
}

if (process.argv[2] === 'serve' && process.send) await serve();
