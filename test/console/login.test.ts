/** Into the console by the organisation's own login, in Chromium; and in again, where a verdict needs it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Shop, startShop } from '#test/support/approval-shop';
import { chromiumPath } from '#test/support/chromium';
import { OUTSIDE_CLIENT, type OutsideIssuer, startOutsideIssuer } from '#test/support/outside-issuer';
import { launchBrowser, openWindow } from './browser.ts';

const DORA = { sub: 'u-1', preferred_username: 'dora', groups: ['owners'] };

describe.skipIf(chromiumPath() === null)('somebody of the company (Chromium is not installed: apt-get install chromium)', () => {
  const secrets = mkdtempSync(join(tmpdir(), 'interlock-login-'));
  let issuer: OutsideIssuer;
  let shop: Shop;
  let browser: Browser;
  beforeAll(async () => {
    [issuer, browser] = await Promise.all([startOutsideIssuer(), launchBrowser()]);
    writeFileSync(join(secrets, 'client'), `${OUTSIDE_CLIENT.secret}\n`, { mode: 0o600 });
    const login = { name: 'company', client_id: OUTSIDE_CLIENT.id, client_secret: { file: join(secrets, 'client') } };
    const issuers = [{ url: issuer.url, audience: 'interlock', algorithms: ['ES256'], login }];
    shop = await startShop({ config: { api: { listen: '127.0.0.1:0', readers: ['auditors'] }, identity: { local: { enabled: true }, issuers } } });
  });
  afterAll(async () => {
    await browser.close();
    await shop?.[Symbol.asyncDispose]();
    await issuer[Symbol.asyncDispose]();
    rmSync(secrets, { recursive: true, force: true });
  });

  test('logs in at the issuer, lands at the request of the link, logs in anew for the verdict, and approves', async () => {
    const client = await shop.client();
    const held = client.query('UPDATE payments SET n = n + 1 WHERE id = 31');
    const { approval_id: id } = await shop.opened('id = 31');
    await issuer.sit({ claims: DORA, authenticatedAgoS: 2 * 3600 });
    const { page, problems, context } = await openWindow(browser);
    await page.goto(`${shop.gateway.ready.api}/approvals/${id}`);
    await page.getByRole('link', { name: 'Log in with company' }).click();
    await page.locator('h1.sentence').waitFor();
    expect(new URL(page.url()).pathname).toBe(`/approvals/${id}`);
    expect(await page.locator('.account').textContent()).toBe('dora');
    // a login of two hours ago decides nothing; the page says what would
    expect(await page.locator('.act-approve').count()).toBe(0);
    await page.locator('.why-not').getByRole('link', { name: 'Log in again' }).click();
    await page.locator('.act-approve').click();
    expect(new URL(page.url()).pathname).toBe(`/approvals/${id}`);
    await page.getByRole('alertdialog').getByRole('button', { name: 'Approve' }).click();
    expect((await held).rowCount).toBe(1);
    expect(problems).toEqual([]);
    await client.end();
    await context.close();
  });

  test('a login that was refused at the issuer says so, and can be tried again', async () => {
    await issuer.sit({ claims: DORA, error: 'access_denied' });
    const { page, context } = await openWindow(browser);
    await page.goto(`${shop.gateway.ready.api}/search?who=alice`);
    await page.getByRole('link', { name: 'Log in with company' }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('alert').textContent()).toContain('not completed');
    await issuer.sit({ claims: DORA });
    await page.getByRole('link', { name: 'Log in with company' }).click();
    await page.getByRole('heading', { name: 'Audit search' }).waitFor();
    expect(new URL(page.url()).search).toBe('?who=alice');
    await context.close();
  });
});
