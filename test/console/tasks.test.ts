/** What people do with the console, each whole: real Chromium, a real gateway, a real PostgreSQL. */
import type pg from 'pg';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { refusalOf, type Shop } from '#test/support/approval-shop';
import { chromiumPath } from '#test/support/chromium';
import { dialogOpen, eventually, launchBrowser, type Window } from './browser.ts';
import { alice, bob, carol, enter, erin, go, type Person, startConsoleShop } from './shop.ts';

describe.skipIf(chromiumPath() === null)('a person with the console (Chromium is not installed: apt-get install chromium)', () => {
  let shop: Shop;
  let browser: Browser;
  const open: { windows: Window[]; clients: pg.Client[] } = { windows: [], clients: [] };
  beforeAll(async () => {
    [shop, browser] = await Promise.all([startConsoleShop(), launchBrowser()]);
  });
  afterEach(async () => {
    for (const { context } of open.windows.splice(0)) await context.close();
    for (const client of open.clients.splice(0)) await client.end();
  });
  afterAll(async () => {
    await browser.close();
    await shop[Symbol.asyncDispose]();
  });

  const as = async (person: Person, options: { phone?: boolean } = {}): Promise<Window> => {
    const window = await enter(browser, shop, person, options);
    open.windows.push(window);
    return window;
  };
  const client = async (): Promise<pg.Client> => {
    const made = await shop.client();
    open.clients.push(made);
    return made;
  };

  test('approve from a phone in under ten seconds', async () => {
    const { page, problems } = await as(bob, { phone: true });
    const psql = await client();
    const before = await shop.n(7);
    const held = psql.query('UPDATE payments SET n = n + 1 WHERE id = 7');
    const seen = performance.now();
    await page.locator('[data-row]', { hasText: 'payments' }).first().tap();
    await page.locator('.sentence', { hasText: 'payments' }).waitFor();
    await page.locator('.act-approve').tap();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Approve' }).tap();
    expect((await held).rowCount).toBe(1);
    const seconds = (performance.now() - seen) / 1000;
    console.log(`approved from a phone after ${seconds.toFixed(1)} s`);
    expect(seconds).toBeLessThan(10);
    expect(await shop.n(7)).toBe(before + 1);
    await page.getByRole('status').getByText('Ran').waitFor(); // how it went comes by itself
    expect(problems).toEqual([]);
  });

  test('see how the targets are, and that a session came; for those who read everything only (N6)', async () => {
    const { page, problems } = await as(bob);
    await go(page, 'Targets');
    const target = page.getByRole('region', { name: 'Target shop' });
    await target.getByText('healthy').waitFor();
    await target.getByText(/ in force, confirmed /).waitFor();
    const sessions = async (): Promise<string | null> => await target.locator('dd').first().textContent();
    const before = Number(await sessions());
    await client();
    await eventually(sessions).toBe(String(before + 1));
    expect(problems).toEqual([]);
    const other = await as(erin);
    expect(await other.page.getByRole('link', { name: 'Targets' }).count()).toBe(0);
    await other.page.goto(new URL('/targets', shop.gateway.ready.api).href);
    await other.page.getByText('Not yours to see').waitFor();
  });

  test('approve by keyboard alone: j, Enter, a, Enter', async () => {
    const { page } = await as(bob);
    const held = (await client()).query('UPDATE payments SET n = n + 1 WHERE id = 8');
    await page.locator('[data-row]').first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.locator('.act-approve').waitFor();
    await page.keyboard.press('a');
    await dialogOpen(page);
    await page.keyboard.press('Enter');
    expect((await held).rowCount).toBe(1);
  });

  test('see why this was held', async () => {
    const refused = refusalOf((await client()).query('DELETE FROM payments WHERE id = 99 AND note IS NULL'));
    const { approval_id: id, payload_digest: digest = '' } = await shop.opened('id = 99');
    const { page } = await as(bob);
    await page.goto(`${shop.gateway.ready.api}/approvals/${id}`);
    const sentence = page.locator('h1.sentence');
    await sentence.waitFor();
    expect(await sentence.textContent()).toMatch(/^alice deletes .*payments.* where id = 99/);
    const facts = (await page.locator('.facts').textContent()) ?? '';
    expect(facts).toMatch(/Whoalice.*support/);
    expect(facts).toMatch(/Whereshop.*database shop/);
    expect(facts).toMatch(/needs an approval.*PRODUCTION_WRITE/);
    expect(facts).toMatch(/about 1 row.*rolled back above \d+ rows/);
    expect(await page.getByRole('region', { name: 'Statements' }).textContent()).toContain('DELETE FROM payments WHERE id = 99 AND note IS NULL');
    expect(digest).toContain((await page.locator('.text .digest code').textContent()) ?? 'nothing');
    expect(await page.locator('.chain').textContent()).toMatch(/owner.*0 of 1.*group owners/);
    await page.keyboard.press('d');
    await dialogOpen(page);
    await page.keyboard.press('Enter');
    await refused;
  });

  test('deny with words and the client hears them', async () => {
    const held = (await client()).query('UPDATE payments SET n = 0 WHERE id = 11');
    const refused = refusalOf(held);
    const { page } = await as(bob);
    await page.locator('[data-row]').first().click();
    await page.locator('.act-deny').waitFor();
    await page.keyboard.press('d');
    await dialogOpen(page);
    await page.keyboard.type('wrong customer: it is 12, not 11');
    await page.keyboard.press('Enter');
    const { code, message, detail } = await refused;
    expect(code).toBe('IL002');
    expect(`${message} ${detail}`).toContain('wrong customer: it is 12, not 11');
    await page.locator('.outcome', { hasText: 'denied' }).waitFor();
    expect(await shop.n(11)).toBe(0);
  });

  test('ask for changes: the requester hears what should be different, and the next request is linked', async () => {
    const psql = await client();
    const refused = refusalOf(psql.query('UPDATE payments SET n = 5 WHERE id IN (12, 13)'));
    const { page } = await as(bob);
    await page.locator('[data-row]').first().click();
    await page.locator('.act-changes').click();
    await page.keyboard.type('only id 13, please');
    await page.keyboard.press('Enter');
    expect((await refused).message).toContain('only id 13, please');
    const second = psql.query('UPDATE payments SET n = 5 WHERE id = 13');
    await go(page, 'Inbox');
    await page.locator('[data-row]', { hasText: 'id = 13' }).click();
    await page.locator('.facts', { hasText: 'Answers' }).waitFor();
    await page.locator('.act-approve').click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Approve' }).click();
    expect((await second).rowCount).toBe(1);
  });

  test('take an approval back before it is used', async () => {
    const psql = await client();
    const gone = psql.query('UPDATE payments SET n = 9 WHERE id = 14').catch(() => null);
    const { approval_id: id } = await shop.opened('id = 14');
    await psql.end(); // the client left; the request stays
    open.clients.splice(0);
    await gone;
    const { page } = await as(bob);
    await page.goto(`${shop.gateway.ready.api}/approvals/${id}`);
    await page.locator('.act-approve').click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Approve' }).click();
    await page.locator('.outcome', { hasText: 'not used yet' }).waitFor();
    await page.keyboard.press('u');
    await dialogOpen(page);
    await page.keyboard.press('Enter');
    await page.locator('.outcome', { hasText: 'withdrawn' }).waitFor();
    expect((await shop.show(id)).state).toBe('withdrawn');
    expect(await shop.n(14)).toBe(0);
  });

  test('the requester sees their own request, cannot decide it, and may cancel it (A4)', async () => {
    const refused = refusalOf((await client()).query('UPDATE payments SET n = 1 WHERE id = 15'));
    await shop.opened('id = 15');
    const { page } = await as(alice);
    await page.getByRole('link', { name: 'Asked by me' }).click();
    await page.locator('[data-row]', { hasText: 'id = 15' }).click();
    await page.locator('.why-not').waitFor();
    expect(await page.locator('.act-approve, .act-deny, .act-changes').count()).toBe(0);
    await page.keyboard.press('a');
    expect(await page.getByRole('alertdialog').count()).toBe(0);
    await page.locator('.act-cancel').click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel request' }).click();
    await refused;
    await page.locator('.outcome', { hasText: 'cancelled' }).waitFor();
  });

  test('what is not yours answers as if it were not there, on every page (N6)', async () => {
    const refused = refusalOf((await client()).query('UPDATE payments SET n = 1 WHERE id = 16'));
    const { approval_id: id, session_id: session = '' } = await shop.opened('id = 16');
    const { page } = await as({ login: 'mallory', groups: ['visitors'] });
    await page.getByRole('link', { name: 'All' }).click();
    await page.getByText('No requests yet').waitFor();
    await go(page, 'Sessions');
    await page.getByText('No sessions yet').waitFor();
    await go(page, 'Search');
    await page.getByText('The record is empty').waitFor();
    await page.goto(`${shop.gateway.ready.api}/approvals/${id}`);
    await page.getByText('There is no such request').waitFor();
    await page.goto(`${shop.gateway.ready.api}/sessions/${session}`);
    await page.getByText('There is no such session').waitFor();
    await shop.verdict(id, 'deny');
    await refused;
  });

  test('find who deleted rows from payments', async () => {
    const psql = await client();
    await psql.query('SELECT count(*) FROM payments');
    const held = psql.query('DELETE FROM payments WHERE id = 98');
    await shop.verdict((await shop.opened('id = 98')).approval_id, 'approve');
    await held;
    const { page } = await as(carol);
    await go(page, 'Search');
    await page.getByRole('textbox', { name: 'To', exact: true }).fill('payments');
    await page.getByLabel('Day').selectOption({ index: 1 }); // today
    await page.getByLabel('Did').selectOption('delete');
    const found = page.locator('.statement', { hasText: 'id = 98' });
    await found.waitFor();
    expect(await found.textContent()).toMatch(/alice on shop.*ran.*DELETE public\.payments.*1 row/s);
    expect(await page.locator('.statement', { hasText: 'SELECT' }).count()).toBe(0);
    await found.getByRole('link', { name: 'Session' }).click();
    await page.locator('.statement[aria-current]', { hasText: 'id = 98' }).waitFor();
    await page.locator('.statement', { hasText: 'SELECT count(*)' }).waitFor();
  });

  test('watch a session', async () => {
    const psql = await client();
    await psql.query('SELECT 1 AS first_one');
    const { page } = await as(bob);
    await go(page, 'Sessions');
    await page.getByLabel('State').selectOption('open');
    await page.locator('[data-row]', { hasText: 'alice' }).first().click();
    await page.getByText('SELECT 1 AS first_one').waitFor();
    await page.getByRole('link', { name: 'Newest first' }).click();
    await psql.query('SELECT 2 AS while_somebody_looks');
    await refusalOf(psql.query('DROP TABLE payments'));
    await page.getByText('SELECT 2 AS while_somebody_looks').waitFor();
    const refused = page.locator('.statement', { hasText: 'DROP TABLE payments' });
    await refused.waitFor();
    expect(await refused.textContent()).toContain('refused');
    await psql.end();
    open.clients.splice(0);
    await page.getByText('closed: client').waitFor();
    // looking is itself in the record
    expect((await shop.events()).filter(({ type }) => type === 'recording.viewed').length).toBeGreaterThan(0);
  });

  test('close a break-glass review', async () => {
    const held = (await client()).query('UPDATE payments SET n = 3 WHERE id = 20');
    await shop.opened('id = 20');
    const requester = await as(alice);
    await requester.page.getByRole('link', { name: 'Asked by me' }).click();
    await requester.page.locator('[data-row]', { hasText: 'id = 20' }).click();
    await requester.page.locator('.act-break_glass').click();
    await requester.page.keyboard.type('checkout is down, nobody answers');
    await requester.page.keyboard.press('Enter');
    expect((await held).rowCount).toBe(1);
    await requester.page.locator('.alarm', { hasText: 'the review is open' }).waitFor();

    const { page } = await as(carol);
    await go(page, 'Reviews');
    await page.locator('[data-row]', { hasText: 'id = 20' }).click();
    await page.locator('.alarm', { hasText: 'checkout is down, nobody answers' }).waitFor();
    await page.keyboard.press('r');
    const dialog = page.getByRole('alertdialog');
    await dialog.getByLabel('not justified').waitFor();
    await dialog.getByLabel('justified', { exact: true }).check();
    await dialog.getByLabel('What you found').fill('the incident is in the log of that night');
    await page.keyboard.press('Enter');
    await page.locator('.alarm', { hasText: 'found it justified' }).waitFor();
    await requester.page.locator('.alarm', { hasText: 'reviewed' }).waitFor();
    await go(page, 'Reviews');
    await page.getByText('No review is open').waitFor();
  });

  test('delegate for a week', async () => {
    const { page } = await as(bob);
    await go(page, 'Delegations');
    await page.getByLabel('Who decides in your place').fill('erin');
    await page.getByRole('button', { name: 'for a week' }).click();
    await page.getByLabel('Reason').fill('on holiday');
    await page.getByRole('button', { name: 'Delegate' }).click();
    const row = page.locator('.delegation', { hasText: 'erin decides for bob' });
    await row.getByText('in force').waitFor();
    const held = (await client()).query('UPDATE payments SET n = 4 WHERE id = 21');
    const other = await as(erin);
    await other.page.locator('[data-row]', { hasText: 'id = 21' }).click();
    await other.page.locator('.act-approve').click();
    await other.page.getByRole('alertdialog').getByRole('button', { name: 'Approve' }).click();
    expect((await held).rowCount).toBe(1);
    await row.getByRole('button', { name: 'End now' }).click();
    await row.getByText('ended').waitFor();
    await eventually(async () => await other.page.locator('.header').count()).toBe(1);
  });

  test('log out: the pages are gone, and the back button brings none of them back', async () => {
    const { page } = await as(bob);
    await page.locator('.account').click();
    await page.getByRole('menuitem', { name: 'Log out' }).click();
    await page.getByText('Log in to decide').waitFor();
    await page.goBack();
    await page.getByText('Log in to decide').waitFor();
    expect((await page.request.get(`${shop.gateway.ready.api}/v1/me`)).status()).toBe(401);
  });

  test('a page that another site opened cannot act: without the token of the page the engine refuses (A9)', async () => {
    const { page } = await as(bob);
    const answer = await page.request.post(`${shop.gateway.ready.api}/v1/delegations`, {
      data: { to: 'mallory', starts: new Date().toISOString(), ends: new Date(Date.now() + 86_400_000).toISOString(), reason: 'x' },
    });
    expect(answer.status()).toBe(403);
    expect(await answer.json()).toMatchObject({ error: { code: 'CSRF' } });
  });

  test('a request that is only looked at is not asked for again and again; each of the two looks is recorded', async () => {
    const refused = refusalOf((await client()).query('UPDATE payments SET n = 1 WHERE id = 22'));
    const { approval_id: id } = await shop.opened('id = 22');
    const { page } = await as(bob);
    let asked = 0;
    page.on('request', (request) => void (asked += request.url().endsWith('/page') ? 1 : 0));
    await page.locator('[data-row]', { hasText: 'id = 22' }).click();
    await page.locator('.sentence').waitFor();
    await page.getByRole('link', { name: 'Inbox' }).first().click(); // its own views are told to everybody meanwhile
    await page.locator('[data-row]', { hasText: 'id = 22' }).click();
    await page.locator('.sentence').waitFor();
    expect(asked).toBeLessThanOrEqual(3);
    expect((await shop.events()).filter((event) => event.type === 'approval.viewed' && event.approval_id === id)).toHaveLength(2);
    await shop.verdict(id, 'deny');
    await refused;
  });
});
