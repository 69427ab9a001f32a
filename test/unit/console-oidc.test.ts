/** Login by OpenID Connect, end to end against an issuer in a process of its own: PKCE, state, nonce, mix-up, step-up (SECURITY §1.11, A4). */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import type { Principal } from '#client/identity';
import { silentLog } from '#client/log';
import { type Api, openApi } from '#engine/api/server';
import { humanOf } from '#engine/identity/id-token';
import { type IssuerConfig, type LoginConfig, openIdentity } from '#engine/identity/identity';
import { remoteKeys } from '#engine/identity/key-set';
import type { Me } from '#schemas/review';
import { fakeApi, id } from '#test/support/api-parts';
import { ConsoleBrowser } from '#test/support/console-browser';
import { type AtBrowser, OUTSIDE_CLIENT, type OutsideIssuer, startOutsideIssuer } from '#test/support/outside-issuer';

const DORA = { sub: 'u-1', preferred_username: 'dora', groups: ['owners'] };
const APPROVAL = `/approvals/${id('apr')}`;

let outside: OutsideIssuer;
let api: Api;
let log: string[];

beforeAll(async () => {
  outside = await startOutsideIssuer();
});
afterAll(() => outside[Symbol.asyncDispose]());

beforeEach(async () => {
  log = [];
  await outside.behave('well');
  await outside.sit({ claims: DORA });
  api = await openConsole();
});
afterEach(() => api.close());

async function openConsole(more: Partial<IssuerConfig> = {}, login: Partial<LoginConfig> = {}): Promise<Api> {
  const issuer = {
    url: outside.url,
    audience: 'interlock',
    jwksUrl: null,
    caFile: null,
    algorithms: ['ES256'],
    tokenTypes: ['at+jwt'],
    maxAgeMs: 8 * 3_600_000,
    claims: { login: 'preferred_username', groups: 'groups' },
    login: { name: 'outside', clientId: OUTSIDE_CLIENT.id, clientSecret: async () => OUTSIDE_CLIENT.secret, scopes: ['profile'], ...login },
    ...more,
  };
  const told = { ...silentLog, warn: (fields: object, text: string) => void log.push(`${text} ${JSON.stringify(fields)}`) };
  const identity = await openIdentity({ issuers: [issuer], clock: systemClock, log: told });
  const { parts } = fakeApi({
    people: {},
    approvals: [],
    readers: ['auditors'],
    parts: { identity, login: { oidc: identity.logins, local: false } },
  });
  return await openApi({ listen: { host: '127.0.0.1', port: 0 }, tls: null, parts, log: told });
}

/** To the issuer, and back as far as our own callback. */
async function comeBack(browser: ConsoleBrowser, query = ''): Promise<URL> {
  const start = await browser.send(`/login/start/outside${query}`);
  expect(start.status).toBe(302);
  const there = await fetch(start.headers.get('location') ?? '', { redirect: 'manual' });
  return new URL(there.headers.get('location') ?? '');
}

async function finish(browser: ConsoleBrowser, callback: URL): Promise<string> {
  const { status, headers } = await browser.send(callback.pathname + callback.search);
  expect(status).toBe(302);
  return headers.get('location') ?? '';
}

async function meOf(browser: ConsoleBrowser): Promise<Me | number> {
  const { status, body } = await browser.get('/v1/me');
  return status === 200 ? (body as Me) : status;
}

describe('the identity module’s own verification, whatever the protocol’s library let through', () => {
  const nowS = (): number => Math.floor(Date.now() / 1000);
  const right = (): Record<string, unknown> => ({
    ...DORA,
    iss: outside.url,
    aud: 'console',
    azp: 'console',
    iat: nowS(),
    exp: nowS() + 300,
    nonce: 'n',
    auth_time: nowS() - 60,
  });
  const config: () => IssuerConfig = () => ({
    url: outside.url,
    audience: 'interlock',
    jwksUrl: null,
    caFile: null,
    algorithms: ['ES256'],
    tokenTypes: ['at+jwt'],
    maxAgeMs: 3_600_000,
    claims: { login: 'preferred_username', groups: 'groups' },
  });
  const human = async (claims: object, header: object = {}, key: 'current' | 'never-published' = 'current'): Promise<Principal> => {
    const defined = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
    const token = await outside.sign({ header: { alg: 'ES256', ...header }, claims: defined }, key);
    const keys = remoteKeys(config(), systemClock, silentLog);
    return await humanOf(token, { clientId: 'console', nonce: 'n', maxAgeS: 300 }, { config: config(), keys }, systemClock);
  };

  test('a human, as old as their showing who they are, for as long as the issuer’s tokens last', async () => {
    const principal = await human(right());
    expect(principal).toMatchObject({ scopes: ['approve'], subject: { type: 'user', id: `${outside.url}|u-1`, properties: { login: 'dora' } } });
    expect(Math.abs(Date.now() - 60_000 - principal.issuedAtMs)).toBeLessThan(5_000);
    expect(Math.abs(Date.now() + 3_600_000 - principal.expiresAtMs)).toBeLessThan(5_000);
  });

  test.each([
    ['nonce', { nonce: 'other' }],
    ['nonce', { nonce: undefined }],
    ['aud', { aud: 'interlock' }],
    ['azp', { aud: ['console', 'other'], azp: undefined }],
    ['azp', { azp: 'other' }],
    ['iss', { iss: 'https://evil.example.com' }],
    ['exp', { exp: nowS() - 60 }],
    ['iat', { iat: nowS() - 3600 }],
    ['auth_time', { auth_time: undefined }],
    ['auth_time', { auth_time: nowS() - 400 }],
    ['auth_time', { auth_time: nowS() + 400 }],
    ['auth_time', { auth_time: 'now' }],
  ])('%s: %j', async (check, wrong) => {
    await expect(human({ ...right(), ...wrong })).rejects.toSatisfy(
      (error: { check?: string; claim?: string }) => (error.check ?? error.claim) === check,
    );
  });

  test.each([
    ['another key', {}, 'never-published'],
    ['another algorithm', { alg: 'RS256' }, 'current'],
    ['an access token', { typ: 'at+jwt' }, 'current'],
    ['a key of its own', { jwk: { kty: 'EC' } }, 'current'],
  ] as const)('%s', async (_what, header, key) => {
    await expect(human(right(), header, key)).rejects.toThrow();
  });
});

describe('a login at an issuer', () => {
  test('ends where it began, as the human whom the ID token names, who may decide', async () => {
    const browser = new ConsoleBrowser(api.url);
    expect((await browser.get('/login/options')).body).toEqual({ oidc: [{ name: 'outside', start: '/login/start/outside' }], local: false });
    const callback = await comeBack(browser, `?next=${encodeURIComponent(APPROVAL)}`);
    expect(`${callback.origin}${callback.pathname}`).toBe(`${api.url}/login/callback/outside`);
    expect(await finish(browser, callback)).toBe(APPROVAL);
    expect(await meOf(browser)).toMatchObject({
      id: `${outside.url}|u-1`,
      login: 'dora',
      groups: ['owners'],
      decides: true,
      reads_all: false,
      login_by: 'oidc',
      login_start: '/login/start/outside',
    });
    expect([...browser.cookies.keys()]).toHaveLength(1);
    const asked = await outside.asked();
    expect(asked).toMatchObject({ scope: 'openid profile', code_challenge_method: 'S256', max_age: '28800' });
    for (const secret of ['state', 'nonce', 'code_challenge']) expect(asked[secret]?.length).toBeGreaterThan(40);
    expect(asked).not.toHaveProperty('prompt');
  });

  test('A4: a verdict that needs a newer or stronger login sends them there again, and says what it needs', async () => {
    await outside.sit({ claims: DORA, authenticatedAgoS: 7200 });
    const browser = new ConsoleBrowser(api.url);
    await finish(browser, await comeBack(browser));
    const before = (await meOf(browser)) as Me;
    expect(Date.now() - Date.parse(before.authenticated_at ?? '')).toBeGreaterThan(7_190_000);
    await finish(browser, await comeBack(browser, `?next=${encodeURIComponent(APPROVAL)}&max_age=300&acr=phr`));
    expect(await outside.asked()).toMatchObject({ prompt: 'login', max_age: '300', acr_values: 'phr' });
    const after = (await meOf(browser)) as Me;
    expect(Date.now() - Date.parse(after.authenticated_at ?? '')).toBeLessThan(60_000);
    expect(after.csrf).not.toBe(before.csrf);
    await comeBack(browser, '?fresh=true');
    expect(await outside.asked()).toMatchObject({ prompt: 'login', max_age: '3600' });
  });

  const WRONG: readonly (readonly [string, Partial<AtBrowser>, string])[] = [
    ['another nonce', { claims: { ...DORA, nonce: 'x' } }, 'nonce'],
    ['no nonce', { claims: DORA, without: ['nonce'] }, 'OAUTH_INVALID_RESPONSE'],
    ['made for another client', { claims: { ...DORA, aud: 'other', azp: 'other' } }, 'aud'],
    ['made for several, another’s', { claims: { ...DORA, aud: ['other', 'console'], azp: 'other' } }, 'azp'],
    ['another issuer', { claims: { ...DORA, iss: 'https://evil.example.com' } }, 'iss'],
    ['signed with a key that was never published', { claims: DORA, key: 'never-published' }, ''],
    ['an access token in its place', { claims: DORA, header: { typ: 'at+jwt' } }, 'typ'],
    ['it brings its own key', { claims: DORA, header: { jwk: { kty: 'EC' } } }, 'jwk'],
    ['not fresh', { claims: { ...DORA, iat: Math.floor(Date.now() / 1000) - 3600 } }, 'iat'],
    ['at its end', { claims: { ...DORA, exp: Math.floor(Date.now() / 1000) - 60 } }, 'exp'],
    ['nobody says when they showed who they are', { claims: DORA, without: ['auth_time'] }, 'auth_time'],
    ['they showed it in the future', { claims: { ...DORA, auth_time: Math.floor(Date.now() / 1000) + 3600 } }, 'auth_time'],
    ['longer ago than was asked for', { claims: DORA, authenticatedAgoS: 9 * 3600 }, 'auth_time'],
    ['a login that cannot be shown', { claims: { ...DORA, preferred_username: 'do\u202era' } }, 'login'],
    ['no human but an agent', { claims: { ...DORA, interlock: { type: 'agent', on_behalf_of: { sub: 'x', login: 'x', groups: [] } } } }, 'human'],
    ['no human but a service', { claims: { ...DORA, sub: 'console' } }, 'human'],
    ['the answer names another issuer (mix-up)', { claims: DORA, iss: 'https://evil.example.com' }, ''],
    ['the answer names no issuer, which said it would', { claims: DORA, iss: null }, ''],
    ['they refused', { claims: DORA, error: 'access_denied' }, 'access_denied'],
  ];
  test.each(WRONG)('is refused: %s', async (_what, who, check) => {
    await outside.sit({ claims: DORA, ...who });
    const browser = new ConsoleBrowser(api.url);
    const back = await finish(browser, await comeBack(browser, `?next=${encodeURIComponent(APPROVAL)}`));
    expect(back).toBe(`/login?error=LOGIN_FAILED&next=${encodeURIComponent(APPROVAL)}`);
    expect(browser.cookies.size).toBe(0);
    expect(await meOf(browser)).toBe(401);
    expect(log.join('\n')).toContain(check);
    expect(log.join('\n')).not.toMatch(/dora|do\u202era|u-1|eyJ/);
  });

  test('is refused: asked for a new login, the issuer gave the old one', async () => {
    await outside.sit({ claims: DORA, authenticatedAgoS: 7200, stale: true });
    const browser = new ConsoleBrowser(api.url);
    expect(await finish(browser, await comeBack(browser, '?max_age=300'))).toBe('/login?error=LOGIN_FAILED');
    expect(log.join('\n')).toContain('auth_time');
  });

  test('its answer is good once, in the browser that began it, with its own state and at its own address', async () => {
    const [mine, other] = [new ConsoleBrowser(api.url), new ConsoleBrowser(api.url)];
    const callback = await comeBack(mine);
    expect(await finish(other, callback)).toBe('/login?error=LOGIN_FAILED');
    await comeBack(other); // a login of its own does not help: the state is another
    expect(await finish(other, callback)).toBe('/login?error=LOGIN_FAILED');
    expect(await finish(mine, callback)).toBe('/');
    expect(await finish(mine, callback)).toBe('/login?error=LOGIN_FAILED');
    const elsewhere = await comeBack(mine);
    elsewhere.pathname = '/login/callback/nowhere';
    expect(await finish(mine, elsewhere)).toBe('/login?error=LOGIN_FAILED');
  });

  test('PKCE: a code that somebody else’s login was given is worth nothing here', async () => {
    const [victim, thief] = [new ConsoleBrowser(api.url), new ConsoleBrowser(api.url)];
    const stolen = await comeBack(victim);
    const own = await comeBack(thief);
    own.searchParams.set('code', stolen.searchParams.get('code') ?? '');
    expect(await finish(thief, own)).toBe('/login?error=LOGIN_FAILED');
    expect(log.join('\n')).toContain('invalid_grant');
    expect(await finish(victim, stolen)).toBe('/login?error=LOGIN_FAILED'); // the issuer burnt it
  });

  test.each([
    'https://evil.example.com',
    '//evil.example.com',
    '/\\evil.example.com',
    '/login',
    '/v1/me',
    '/inbox#x',
    '/%2f%2fevil.example.com',
    'javascript:x',
  ])('goes nowhere but to the console’s own pages: %s', async (next) => {
    const browser = new ConsoleBrowser(api.url);
    expect(await finish(browser, await comeBack(browser, `?next=${encodeURIComponent(next)}`))).toBe('/');
  });

  test('fixation: a session that somebody planted is another after the login', async () => {
    const browser = new ConsoleBrowser(api.url);
    await finish(browser, await comeBack(browser));
    const [[name, planted] = ['', '']] = [...browser.cookies];
    const victim = new ConsoleBrowser(api.url);
    victim.cookies.set(name, planted);
    await outside.sit({ claims: { ...DORA, sub: 'u-2', preferred_username: 'eve' } });
    await finish(victim, await comeBack(victim));
    expect(victim.cookies.get(name)).not.toBe(planted);
    expect(await meOf(victim)).toMatchObject({ login: 'eve' });
    expect(await meOf(browser)).toBe(401);
  });

  test.each(['down', 'redirect', 'huge', 'other-issuer', 'garbage'] as const)('an issuer that is %s is a refusal, not a wait', async (as) => {
    await outside.behave(as);
    const { status, body } = await new ConsoleBrowser(api.url).get('/login/start/outside');
    if (as === 'huge') return expect(status).toBe(302); // only its keys are
    expect([status, body]).toMatchObject([401, { error: { code: 'LOGIN_FAILED' } }]);
  });

  test('a wrong secret, a public client where a secret is asked for: refused', async () => {
    for (const clientSecret of [async () => 'wrong', null]) {
      await api.close();
      api = await openConsole({}, { clientSecret });
      const browser = new ConsoleBrowser(api.url);
      expect(await finish(browser, await comeBack(browser))).toBe('/login?error=LOGIN_FAILED');
    }
  });

  test('the ID token is no bearer token, and a local token opens nothing where the local login is off', async () => {
    const nowS = Math.floor(Date.now() / 1000);
    const claims = { ...DORA, iss: outside.url, aud: 'interlock', iat: nowS, exp: nowS + 60, nonce: 'x', scope: 'approve' };
    const idToken = await outside.sign({ header: { alg: 'ES256', typ: 'JWT' }, claims });
    const headers = { authorization: `Bearer ${idToken}` };
    expect((await new ConsoleBrowser(api.url).get('/v1/me', headers)).status).toBe(401);
    expect(await new ConsoleBrowser(api.url).post('/login/token', { token: idToken })).toMatchObject({ status: 501 });
  });
});
