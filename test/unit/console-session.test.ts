/** The console's session: its cookie, its token, its ends; what a browser is told; and the live stream's bounds (A9, N6). */
import { once } from 'node:events';
import { connect } from 'node:net';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '#client/identity';
import { silentLog } from '#client/log';
import { type Api, type ApiOptions, openApi } from '#engine/api/server';
import { approvalOf, fakeApi, type FakeApi, human, id } from '#test/support/api-parts';
import { ConsoleBrowser } from '#test/support/console-browser';
import { FakeClock } from '#test/support/fake-clock';

const HOUR_MS = 3_600_000;
let clock: FakeClock;
let fake: FakeApi;
let api: Api;

async function open(options: Partial<ApiOptions> = {}): Promise<Api> {
  return await openApi({ listen: { host: '127.0.0.1', port: 0 }, tls: null, parts: fake.parts, clock, log: silentLog, ...options });
}

beforeEach(async () => {
  clock = new FakeClock();
  const endsIn = (ms: number): { expiresAtMs: number; issuedAtMs: number } => ({
    expiresAtMs: clock.wallUs() / 1000 + ms,
    issuedAtMs: clock.wallUs() / 1000,
  });
  const people = {
    bob: human('bob', ['owners'], ['approve'], endsIn(HOUR_MS)),
    long: human('long', ['owners'], ['approve'], endsIn(48 * HOUR_MS)),
    ...Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`p${index}`, human(`p${index}`, ['owners'], ['approve'], endsIn(HOUR_MS))])),
  };
  fake = fakeApi({
    people,
    approvals: [approvalOf(human('alice', [], ['connect']), { summary: 'deletes every row of `pay‹U+200B ZERO WIDTH SPACE›ments`' })],
    readers: [],
  });
  api = await open();
});
afterEach(() => api.close());

async function loggedIn(who = 'bob', at = api): Promise<ConsoleBrowser> {
  const browser = new ConsoleBrowser(at.url);
  await browser.login(who);
  return browser;
}

async function status(browser: ConsoleBrowser): Promise<number> {
  return (await browser.get('/v1/me')).status;
}

describe('the cookie', () => {
  const login = async (at: Api, origin: string): Promise<string> => {
    const response = await fetch(`${at.url}/login/token`, {
      method: 'POST',
      body: '{"token":"bob"}',
      headers: { 'content-type': 'application/json', origin },
    });
    expect(response.status).toBe(200);
    return response.headers.getSetCookie().join('\n');
  };

  test('with TLS the browser holds it to this host alone', async () => {
    const behind = await open({ publicUrl: 'https://interlock.example.com' });
    const cookie = await login(behind, 'https://interlock.example.com');
    expect(cookie).toMatch(/^__Host-interlock=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=3600; Secure$/);
    expect((await fetch(behind.url)).headers.get('strict-transport-security')).toBe('max-age=31536000');
    await behind.close();
  });

  test('on loopback without TLS its name holds the port, so that two gateways keep apart', async () => {
    const port = new URL(api.url).port;
    expect(await login(api, api.url)).toMatch(new RegExp(`^interlock-${port}=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; SameSite=Strict; Max-Age=3600$`));
    expect((await fetch(api.url)).headers.get('strict-transport-security')).toBeNull();
  });

  test('twice, malformed or unknown it is none; what was planted before a login is worth nothing after it', async () => {
    const browser = await loggedIn();
    const [[name, word] = ['', '']] = [...browser.cookies];
    const me = async (cookie: string): Promise<number> => (await fetch(`${api.url}/v1/me`, { headers: { cookie } })).status;
    expect(await me(`${name}=${word}`)).toBe(200);
    for (const cookie of [`${name}=${word}; ${name}=${word}`, `${name}="${word}"`, `${name}=${'A'.repeat(43)}`, `x${name}=${word}`, `${name}=`])
      expect([cookie.length, await me(cookie)]).toEqual([cookie.length, 401]);
    const again = new ConsoleBrowser(api.url);
    again.cookies.set(name, word);
    await again.login('p1');
    expect(again.cookies.get(name)).not.toBe(word);
    expect(await me(`${name}=${word}`)).toBe(401);
  });
});

describe('what changes something', () => {
  const path = `/v1/approvals/${id('apr')}/verdict`;
  const seen = `sha256:${'a'.repeat(64)}`;
  const WRONG: readonly (readonly [string, Record<string, string>])[] = [
    ['without the session’s token', { 'x-interlock-csrf': '' }],
    ['with another token', { 'x-interlock-csrf': 'A'.repeat(43) }],
    ['from another page', { origin: 'https://evil.example.com' }],
    ['from a page without a name', { origin: 'null' }],
    ['from another port of this machine', { origin: 'http://127.0.0.1:1' }],
    ['from another site, as the browser says', { 'sec-fetch-site': 'cross-site' }],
    ['from another host of this site', { 'sec-fetch-site': 'same-site' }],
  ];
  test.each(WRONG)('is refused %s', async (_what, headers) => {
    const browser = await loggedIn();
    expect(await browser.post(path, { outcome: 'approve', seen }, headers)).toMatchObject({ status: 403, body: { error: { code: 'CSRF' } } });
    expect(fake.asked.acts).toEqual([]);
  });

  test('is refused without an Origin; with everything right it counts', async () => {
    const browser = await loggedIn();
    const body = JSON.stringify({ outcome: 'approve', seen });
    const headers = { 'content-type': 'application/json', 'x-interlock-csrf': browser.csrf };
    expect((await browser.send(path, { method: 'POST', body, headers })).status).toBe(403);
    expect(
      (await browser.send(path, { method: 'POST', body, headers: { ...headers, origin: api.url, 'sec-fetch-site': 'same-origin' } })).status,
    ).toBe(200);
    expect(fake.asked.acts).toHaveLength(1);
  });

  test('A9: an approval names what was shown', async () => {
    const browser = await loggedIn();
    expect(await browser.post(path, { outcome: 'approve' })).toMatchObject({ status: 400 });
    expect(await browser.post(path, { outcome: 'deny' })).toMatchObject({ status: 200 });
  });

  test('a login begins on our own page; a form of another site cannot send one', async () => {
    const post = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${api.url}/login/token`, { method: 'POST', body: '{"token":"bob"}', headers })).status;
    expect(await post({ 'content-type': 'application/json' })).toBe(403);
    expect(await post({ 'content-type': 'application/json', origin: 'https://evil.example.com' })).toBe(403);
    expect(await post({ 'content-type': 'text/plain', origin: api.url })).toBe(400);
  });

  test('another site’s page reads nothing with the cookie; a bearer token needs no such proof', async () => {
    const browser = await loggedIn();
    expect((await browser.get('/v1/me', { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await browser.get('/v1/live', { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    const headers = { authorization: 'Bearer bob', 'content-type': 'application/json' };
    expect((await fetch(api.url + path, { method: 'POST', body: '{"outcome":"deny"}', headers })).status).toBe(200);
    // a bad token is not made good by a cookie
    expect((await browser.get('/v1/me', { authorization: 'Bearer nobody' })).status).toBe(401);
  });
});

describe('a session ends', () => {
  test('with the token that opened it, also when the wall clock is set back', async () => {
    const browser = await loggedIn();
    clock.pass(HOUR_MS / 2);
    expect(await status(browser)).toBe(200);
    clock.set(-HOUR_MS);
    clock.pass(HOUR_MS / 2 + 1);
    expect(await status(browser)).toBe(401);
  });

  test('after an hour without a request, of which a live stream is none', async () => {
    const browser = await loggedIn('long');
    clock.pass(HOUR_MS - 1000);
    (await browser.live()).close();
    clock.pass(2000);
    expect(await status(browser)).toBe(401);
  });

  test('after twelve hours, however busy', async () => {
    const browser = await loggedIn('long');
    for (let half = 1; half < 24; half++) {
      clock.pass(HOUR_MS / 2);
      expect(await status(browser)).toBe(200);
    }
    clock.pass(HOUR_MS / 2);
    expect(await status(browser)).toBe(401);
  });

  test('the oldest of one person, where there are twenty already', async () => {
    const first = await loggedIn();
    for (let other = 0; other < 19; other++) await loggedIn();
    expect(await status(first)).toBe(200);
    await loggedIn();
    expect(await status(first)).toBe(200); // used last: another one went
    const fresh = await Promise.all(Array.from({ length: 20 }, () => loggedIn()));
    expect(await status(first)).toBe(401);
    expect(await status(fresh[19] as ConsoleBrowser)).toBe(200);
  });

  test('in part: a group that a newer token of theirs no longer had is gone', async () => {
    const browser = await loggedIn();
    const here = '/v1/inbox?box=to_decide';
    expect((await browser.get(here)).body).toMatchObject({ total: 1 });
    const lost = (principal: Principal): Principal => ({
      ...principal,
      subject: { ...principal.subject, properties: { ...principal.subject.properties, groups: [] } },
    });
    Object.assign(fake.parts, { current: lost });
    expect((await browser.get(here)).body).toMatchObject({ total: 0 });
    expect((await browser.get('/v1/me')).body).toMatchObject({ groups: [] });
  });

  test('at logout, and its live stream with it', async () => {
    const browser = await loggedIn();
    const [live, other] = [await browser.live(), await (await loggedIn()).live()];
    await live.next('ready');
    expect((await browser.post('/v1/logout', {})).headers.getSetCookie()).toEqual([expect.stringContaining('Max-Age=0')]);
    await live.ended;
    expect(await status(browser)).toBe(401);
    fake.tell({ live: { kind: 'policy', id: 'x' }, owners: 'everybody' });
    expect(await other.next('change')).toMatchObject({ kind: 'policy' });
  });
});

describe('live', () => {
  const policy = (name: string): void => fake.tell({ live: { kind: 'policy', id: name }, owners: 'everybody' });
  const headers = { authorization: 'Bearer bob' };

  test('a client that comes back is told what it missed, or to fetch again where that is no longer known', async () => {
    const browser = await loggedIn();
    const first = await browser.live();
    policy('one');
    expect(await first.next('change')).toEqual({ kind: 'policy', id: 'one' });
    const [at = ''] = first.ids.slice(-1);
    first.close();
    const watching = await browser.live();
    policy('two');
    await watching.next('change');
    const back = await browser.live(at);
    expect(await back.next('change')).toEqual({ kind: 'policy', id: 'two' });
    for (const unknown of ['00000000-1', 'x', `${at}9`]) expect(await (await browser.live(unknown)).next('refetch')).toEqual({});
  });

  test('the last state of each thing is told once; more than can be gathered is “fetch again”', async () => {
    const live = await (await loggedIn()).live();
    for (let number = 0; number < 50; number++) policy('same');
    policy('end');
    expect(await live.next('change')).toEqual({ kind: 'policy', id: 'same' });
    expect(await live.next('change')).toEqual({ kind: 'policy', id: 'end' });
    for (let number = 0; number < 1_100; number++) policy(`many ${number}`);
    expect(await live.next('refetch')).toEqual({});
  });

  test('eight of one person; a place that is left is free again', async () => {
    const browser = await loggedIn();
    const streams = await Promise.all(Array.from({ length: 8 }, () => browser.live()));
    const busy = await browser.get('/v1/live');
    expect(busy).toMatchObject({ status: 503, body: { error: { code: 'API_BUSY' } } });
    expect((await (await loggedIn('p1')).live()).ids).toBeDefined();
    streams[0]?.close();
    await expect
      .poll(
        async () =>
          await browser.live().then(
            () => 200,
            () => 503,
          ),
      )
      .toBe(200);
  });

  test('a client that does not read is cut off, and costs nobody else', async () => {
    const { port } = new URL(api.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write(`GET /v1/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer bob\r\n\r\n`);
    const other = await (await loggedIn()).live();
    const long = 'x'.repeat(8_000);
    const gone = once(socket, 'close');
    let cut = false;
    void gone.then(() => (cut = true));
    const toldAll = async (name: string): Promise<void> => {
      for (;;) if (((await other.next('change')) as { id: string }).id === name) return;
    };
    for (let round = 0; !cut && round < 60; round++) {
      for (let number = 0; number < 150; number++) policy(`${long} ${round} ${number}`);
      await toldAll(`${long} ${round} 149`);
      // what lies in between hides from it that it was cut off
      if (round > 12) socket.resume();
    }
    expect(cut).toBe(true);
    policy('end');
    await toldAll('end');
  });

  test('ends with its token, and when the server closes', async () => {
    const people = { brief: human('brief', [], ['approve'], { expiresAtMs: Date.now() + 200 }), bob: human('bob', [], ['approve']) };
    const { parts } = fakeApi({ people, approvals: [], readers: [] });
    const other = await openApi({ listen: { host: '127.0.0.1', port: 0 }, tls: null, parts, log: silentLog });
    const brief = await fetch(`${other.url}/v1/live`, { headers: { authorization: 'Bearer brief' } });
    await brief.text().catch(() => '');
    const last = await fetch(`${other.url}/v1/live`, { headers });
    await other.close();
    await last.text().catch(() => '');
  });
});

describe('looking', () => {
  test('is recorded before it is shown, every time; an open page that refreshes itself goes on looking; what cannot be recorded is not shown', async () => {
    const browser = await loggedIn();
    const page = `/v1/approvals/${id('apr')}/page`;
    const refresh = { 'x-interlock-refresh': 'live' };
    const look = ['iss|bob', { approvalId: id('apr') }];
    expect((await browser.get(page, refresh)).status).toBe(200); // says so, and did not look before
    expect(fake.asked.viewed).toEqual([look]);
    for (let time = 0; time < 3; time++) expect((await browser.get(page, refresh)).status).toBe(200);
    expect(fake.asked.viewed).toEqual([look]);
    for (let time = 0; time < 2; time++) await browser.get(page);
    expect(fake.asked.viewed).toEqual([look, look, look]);
    await (await loggedIn('p1')).get(page, refresh);
    expect(fake.asked.viewed).toHaveLength(4);
    clock.pass(600_001);
    await browser.get(page, refresh);
    expect(fake.asked.viewed).toHaveLength(5);
    clock.pass(600_001);
    Object.assign(fake.parts, { viewed: () => Promise.reject(new Error('the disk is full')) });
    expect((await browser.get(page)).status).toBe(500);
  });

  test('M8: words of others are shown with nothing hidden in them', async () => {
    const { body } = await (await loggedIn()).get(`/v1/approvals/${id('apr')}/page`);
    expect((body as { story: { what: string }[] }).story[0]?.what).toBe('asked‹U+202E RIGHT-TO-LEFT OVERRIDE›');
    // a sentence is made safe before it is recorded: its marks are not marked again
    expect((body as { approval: { summary: string } }).approval.summary).toBe('deletes every row of `pay‹U+200B ZERO WIDTH SPACE›ments`');
  });
});

describe('what is served', () => {
  let dir: string;
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'interlock-console-'));
    mkdirSync(join(dir, 'dist', 'assets'), { recursive: true });
    writeFileSync(join(dir, 'secret.js'), 'secret');
    writeFileSync(join(dir, 'dist', 'index.html'), '<!doctype html><title>console</title>');
    writeFileSync(join(dir, 'dist', 'assets', 'index-a1B2c3D4.js'), `// ${'code '.repeat(500)}`);
    writeFileSync(join(dir, 'dist', '.sources'), 'x');
    writeFileSync(join(dir, 'dist', 'notes.txt'), 'no type for it');
    await api.close();
    api = await open({ console: Promise.resolve(join(dir, 'dist')) });
    await expect.poll(async () => await (await fetch(api.url)).text()).toContain('<title>console');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  /** As it is, without what `fetch` makes of a path. */
  async function raw(path: string): Promise<string> {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    socket.end(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    return text;
  }

  test.each(['/', '/inbox', '/sessions', '/search', '/reviews', '/delegations', '/login', `/approvals/${id('apr')}`, `/sessions/${id('ses')}`])(
    'the page %s, kept by nobody, running nothing but ours',
    async (path) => {
      const response = await fetch(api.url + path);
      expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('<title>console')]);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'content-security-policy':
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'",
      });
    },
  );

  test('what has a hash in its name is kept for ever, and sent smaller', async () => {
    const { headers } = await fetch(`${api.url}/assets/index-a1B2c3D4.js`);
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'text/javascript; charset=utf-8',
      'content-encoding': 'gzip',
    });
    const head = await fetch(`${api.url}/assets/index-a1B2c3D4.js`, { method: 'HEAD', headers: { 'accept-encoding': 'identity' } });
    expect([head.headers.get('content-length'), await head.text()]).toEqual(['2503', '']);
  });

  test.each([
    '/../secret.js',
    '/assets/../../secret.js',
    '/assets/..%2f..%2fsecret.js',
    '/%2e%2e/secret.js',
    '/assets\\..\\..\\secret.js',
    '/.sources',
    '/notes.txt',
    '/index.html',
    '//secret.js',
    '/approvals/apr_x',
    '/nothing',
  ])('and nothing else: %s', async (path) => {
    const answer = await raw(path);
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(answer).not.toContain('secret');
  });

  test('data is never a page', async () => {
    const { headers } = await fetch(`${api.url}/v1/me`);
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/json',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
  });

  test('where it is not built a page says how; everything else works', async () => {
    const without = await open({ console: Promise.reject(new Error('no vite')) });
    await expect.poll(async () => await (await fetch(`${without.url}/inbox`)).text()).toContain('console:build');
    expect((await fetch(`${without.url}/healthz`)).status).toBe(200);
    await without.close();
  });
});

describe('bounds', () => {
  test('a login has so many tries from one address; so has a person’s reading', async () => {
    const { port } = new URL(api.url);
    const tries = await Promise.all(
      Array.from({ length: 260 }, async () => {
        const response = await fetch(`http://127.0.0.1:${port}/login/link`, {
          method: 'POST',
          body: JSON.stringify({ code: 'A'.repeat(43) }),
          headers: { 'content-type': 'application/json', origin: api.url },
        });
        return response.status;
      }),
    );
    expect([...new Set(tries)].toSorted((a, b) => a - b)).toEqual([401, 429]);
    clock.pass(60_000);
    expect((await fetch(`${api.url}/login/options`)).status).toBe(200);
  });

  test('headers that never end, and a body that never comes, are not waited for', async () => {
    await api.close();
    api = await open({ waits: { headersMs: 200, requestMs: 400 } });
    for (const begun of ['GET /v1/me HTTP/1.1\r\nhost: x\r\nx-slow: ', 'POST /login/token HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n']) {
      const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      socket.write(begun);
      await once(socket, 'close');
    }
  });
});
