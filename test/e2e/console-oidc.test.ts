/** From a held statement to its rows changed, by a reviewer who logs in at the organisation's issuer; and what an old login may not do (A4, N6). */
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { InboxPage, Me, RequestPage } from '#schemas/review';
import { alice, refusalOf, type Shop, startShop } from '#test/support/approval-shop';
import { ConsoleBrowser } from '#test/support/console-browser';
import { OUTSIDE_CLIENT, type OutsideIssuer, startOutsideIssuer } from '#test/support/outside-issuer';

const DORA = { sub: 'u-1', preferred_username: 'dora', groups: ['owners'] };
const secrets = mkdtempSync(join(tmpdir(), 'interlock-oidc-'));
let outside: OutsideIssuer;
let shop: Shop;

beforeAll(async () => {
  outside = await startOutsideIssuer();
  writeFileSync(join(secrets, 'client'), `${OUTSIDE_CLIENT.secret}\n`, { mode: 0o600 });
  const login = { name: 'outside', client_id: OUTSIDE_CLIENT.id, client_secret: { file: join(secrets, 'client') } };
  const issuers = [{ url: outside.url, audience: 'interlock', algorithms: ['ES256'], login }];
  const config = { api: { listen: '127.0.0.1:0', readers: ['auditors'] }, identity: { local: { enabled: true }, issuers } };
  shop = await startShop({ approvals: { wait: '30ms' }, config });
});
afterAll(async () => {
  await shop?.[Symbol.asyncDispose]();
  await outside?.[Symbol.asyncDispose]();
  rmSync(secrets, { recursive: true, force: true });
});

/** The browser's whole way; where it ends. */
async function logIn(browser: ConsoleBrowser, query = ''): Promise<string> {
  const start = await browser.send(`/login/start/outside${query}`);
  const there = await fetch(start.headers.get('location') ?? '', { redirect: 'manual' });
  const callback = new URL(there.headers.get('location') ?? '');
  const back = await browser.send(callback.pathname + callback.search);
  const { status, body } = await browser.get('/v1/me');
  browser.csrf = status === 200 ? (body as Me).csrf : '';
  return back.headers.get('location') ?? '';
}

test('held, seen, too old a login, logged in anew at the same request, approved, run', async () => {
  const text = 'UPDATE payments SET n = n + 1 WHERE id = 7';
  const client = await shop.client(alice);
  expect(await refusalOf(client.query(text))).toMatchObject({ code: 'IL001' });

  await outside.sit({ claims: DORA, authenticatedAgoS: 2 * 3600 });
  const browser = new ConsoleBrowser(shop.gateway.ready.api);
  expect(await logIn(browser)).toBe('/');
  expect((await browser.get('/v1/me')).body).toMatchObject({ login: 'dora', login_by: 'oidc', decides: true, reads_all: false });
  // with readers named, the inbox of somebody who is asked holds what asks them
  const { items } = (await browser.get('/v1/inbox?box=all')).body as InboxPage;
  expect(items).toMatchObject([{ login: 'alice', state: 'open' }]);
  const id = items[0]?.approval_id ?? '';
  const page = (await browser.get(`/v1/approvals/${id}/page`)).body as RequestPage;
  const ability = page.can.find(({ act }) => act === 'approve');
  expect(ability).toMatchObject({ allowed: false, code: 'VERDICT_TOKEN' });
  const verdict = { outcome: 'approve', seen: page.text.digest };
  expect(await browser.post(`/v1/approvals/${id}/verdict`, verdict)).toMatchObject({ status: 403, body: { error: { code: 'VERDICT_TOKEN' } } });

  const here = `/approvals/${id}`;
  expect(await logIn(browser, `?next=${encodeURIComponent(here)}&fresh=true`)).toBe(here);
  expect(await outside.asked()).toMatchObject({ prompt: 'login', max_age: '3600' });
  expect(await browser.post(`/v1/approvals/${id}/verdict`, verdict)).toMatchObject({ status: 200, body: { state: 'approved' } });
  expect((await client.query(text)).rowCount).toBe(1);
  await client.end();
  expect(await shop.n(7)).toBe(1);
});

test('N6: everybody of the company may log in, and sees nothing that is not theirs', async () => {
  await outside.sit({ claims: { sub: 'u-9', preferred_username: 'eve', groups: ['everybody'] } });
  const browser = new ConsoleBrowser(shop.gateway.ready.api);
  await logIn(browser);
  for (const path of ['/v1/inbox?box=all', '/v1/inbox?box=to_decide', '/v1/inbox?box=reviews', '/v1/sessions/page', '/v1/search', '/v1/delegations'])
    expect([path, (await browser.get(path)).body]).toMatchObject([path, { items: [] }]);
  const ids = (await shop.list()).map(({ approval_id }) => approval_id);
  expect(ids).toHaveLength(1);
  for (const id of ids) {
    expect((await browser.get(`/v1/approvals/${id}/page`)).status).toBe(404);
    expect((await browser.post(`/v1/approvals/${id}/verdict`, { outcome: 'deny' })).status).toBe(404);
  }
});

test('the secret of the client is nowhere in the log', () => {
  expect(shop.gateway.log()).not.toContain('top secret');
});
