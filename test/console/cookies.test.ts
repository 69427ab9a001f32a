/** Logging in with a real browser, at an issuer that is another site: its cookies, and what pages elsewhere can do with them. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { silentLog } from '#client/log';
import { type Api, openApi } from '#engine/api/server';
import { openIdentity } from '#engine/identity/identity';
import { approvalOf, fakeApi, human, id } from '#test/support/api-parts';
import { chromiumPath } from '#test/support/chromium';
import { OUTSIDE_CLIENT, type OutsideIssuer, startOutsideIssuer } from '#test/support/outside-issuer';
import { ensureConsole } from '#tools/console';
import { launchBrowser, openWindow } from './browser.ts';

const DORA = { sub: 'u-1', preferred_username: 'dora', groups: ['owners'] };
const REQUEST = `/approvals/${id('apr')}`;

let outside: OutsideIssuer;
let api: Api;
let browser: Browser;
/** By its other name: to the browser the issuer, at 127.0.0.1, is then another site. */
let own: string;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const missing = chromiumPath() === null ? ' (Chromium is not installed: apt-get install chromium)' : '';

describe.skipIf(missing !== '')(`in a browser${missing}`, () => {
  beforeAll(async () => {
    const dist = await ensureConsole();
    outside = await startOutsideIssuer();
    const issuer = {
      url: outside.url,
      audience: 'interlock',
      jwksUrl: null,
      caFile: null,
      algorithms: ['ES256'],
      tokenTypes: ['at+jwt'],
      maxAgeMs: 8 * 3_600_000,
      claims: { login: 'preferred_username', groups: 'groups' },
      login: { name: 'outside', clientId: OUTSIDE_CLIENT.id, clientSecret: async () => OUTSIDE_CLIENT.secret, scopes: [] },
    };
    const identity = await openIdentity({ issuers: [issuer], clock: systemClock, log: silentLog });
    const { parts } = fakeApi({
      people: {},
      approvals: [approvalOf(human('alice', ['support'], ['connect']))],
      readers: [],
      parts: { identity, login: { oidc: identity.logins, local: false } },
    });
    const port = await freePort();
    own = `http://localhost:${port}`;
    api = await openApi({ listen: { host: '127.0.0.1', port }, tls: null, publicUrl: own, console: Promise.resolve(dist), parts, log: silentLog });
    browser = await launchBrowser();
    await outside.sit({ claims: DORA });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await api?.close();
    await outside?.[Symbol.asyncDispose]();
  });

  test('a link in a message leads to the login, to the issuer, and back to the request; a second one straight there', async () => {
    const { page, context, problems } = await openWindow(browser);
    const elsewhere = `data:text/html,<a href="${own}${REQUEST}">a request waits</a>`;
    await page.goto(elsewhere);
    await page.getByText('a request waits').click();
    await page.getByRole('link', { name: 'Log in with outside' }).click();
    await page.waitForURL(own + REQUEST);
    await page.locator('h1.sentence').waitFor();
    const cookies = await context.cookies();
    expect(cookies.map(({ httpOnly, sameSite }) => [httpOnly, sameSite])).toEqual([[true, 'Strict']]);
    // nothing that a script could read
    expect(await page.evaluate('document.cookie')).toBe('');

    await page.goto(elsewhere);
    await page.getByText('a request waits').click();
    await page.locator('h1.sentence').waitFor();
    expect(page.url()).toBe(own + REQUEST);
    expect(problems).toEqual([]);
  });

  test('another site’s page can neither read nor change anything with the browser’s login, nor put the console into a frame', async () => {
    const { page, context } = await openWindow(browser);
    await page.goto(`${own}/login`);
    await page.getByRole('link', { name: 'Log in with outside' }).click();
    await page.waitForURL(`${own}/`);
    const evil = await context.newPage();
    await evil.goto(`${outside.url}/.well-known/openid-configuration`);
    const tries = `Promise.all([
      fetch('${own}/v1/me', { credentials: 'include' }).then(() => 'read', () => 'refused'),
      fetch('${own}/v1/logout', { method: 'POST', mode: 'no-cors', credentials: 'include' }).then((r) => r.type, () => 'refused'),
      new Promise((resolve) => {
        const live = new EventSource('${own}/v1/live', { withCredentials: true });
        live.onopen = () => resolve('read');
        live.onerror = () => { live.close(); resolve('refused'); };
      }),
    ])`;
    expect(await evil.evaluate(tries)).toEqual(['refused', expect.stringMatching(/^(opaque|refused)$/), 'refused']);
    expect(await page.evaluate("fetch('/v1/me').then(({ status }) => status)")).toBe(200);
    await evil.setContent(`<iframe src="${own}/"></iframe>`);
    await expect.poll(() => evil.frames().map((frame) => frame.url())).toContain('chrome-error://chromewebdata/');
  });
});
