/** The audit search over more than today: a made record, read by a real gateway, asked in Chromium and compared with its export. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumPath } from '#test/support/chromium';
import { eventually, launchBrowser } from './browser.ts';
import { startRecord, type StartedRecord } from './record.ts';
import { enter, go } from './shop.ts';

const DAY_MS = 86_400_000;
const AUDITOR = { login: 'olga', groups: ['dba'] };

describe.skipIf(chromiumPath() === null)('an auditor with the console (Chromium is not installed: apt-get install chromium)', () => {
  let record: StartedRecord;
  let browser: Browser;
  beforeAll(async () => {
    const start = new Date(Date.now() - 8 * DAY_MS).toISOString();
    [record, browser] = await Promise.all([startRecord({ seed: 11, sessions: 60, statements: 1500, requests: 12, start, days: 8 }), launchBrowser()]);
  });
  afterAll(async () => {
    await browser.close();
    await record[Symbol.asyncDispose]();
  });

  test('find who deleted rows from payments last Tuesday', async () => {
    const { page, problems, context } = await enter(browser, record, AUDITOR);
    await go(page, 'Search');
    await page.getByLabel('Did').selectOption('delete');
    await page.getByRole('textbox', { name: 'To', exact: true }).fill('payments');
    const days = await page
      .getByLabel('Day')
      .locator('option')
      .evaluateAll((options) => options.map((option) => [option.textContent, option.getAttribute('value')]));
    const [, tuesday = ''] = days.find(([name]) => name?.includes('Tuesday') && !name.startsWith('Today')) ?? [];
    await page.getByLabel('Day').selectOption(tuesday ?? '');
    await page.locator('.statement').first().waitFor();
    const shown = async (): Promise<readonly string[]> => await page.locator('.statement').evaluateAll((rows) => rows.map((row) => row.id));
    const expected = await deletedFromPayments(tuesday ?? '');
    expect(expected.length).toBeGreaterThan(0);
    expect(expected.length).toBeLessThan(50);
    await eventually(shown).toEqual(expected);
    const first = (await page.locator('.statement').first().textContent()) ?? '';
    expect(first).toMatch(/ on .*DELETE .*payments/);
    expect(new URL(page.url()).searchParams.get('day')).toBe(tuesday); // the address can be sent to somebody
    await page.reload();
    await eventually(shown).toEqual(expected);
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.locator('.statement[aria-current]').waitFor();
    expect(problems).toEqual([]);
    await context.close();
  });

  test('the list of sessions is turned page by page, and a session opened from any of them', async () => {
    const { page, context } = await enter(browser, record, AUDITOR);
    await go(page, 'Sessions');
    await page.locator('[data-row]').first().waitFor();
    expect(await page.locator('[data-row]').count()).toBe(50);
    await page.getByRole('button', { name: 'Next' }).click();
    await eventually(async () => await page.locator('[data-row]').count()).toBe(10);
    await page.locator('[data-row]').last().click();
    await page.locator('.statement').first().waitFor();
    await context.close();
  });

  /** From the export of the same journal, newest first: by their texts, on that day where the browser is. */
  async function deletedFromPayments(day: string): Promise<readonly string[]> {
    const { stdout } = await record.gateway.interlock('audit', 'export', '--dir', `${record.dir}/journal`);
    const events = stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { readonly type: string; readonly time: string; readonly statement_id?: string });
    const local = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Zurich' });
    return events
      .filter(
        (event) =>
          event.type === 'statement.received' &&
          local.format(new Date(event.time)) === day &&
          /DELETE FROM \w+\.payments /.test(JSON.stringify(event)),
      )
      .map(({ statement_id: id = '' }) => id)
      .reverse();
  }
});
