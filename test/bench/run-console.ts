/** The console over a record of the size that it is built for: from the address to a page that shows its rows and answers a key. */
import type { Browser, Page } from 'playwright-core';
import { launchBrowser } from '#test/console/browser';
import { startRecord } from '#test/console/record';
import { enter } from '#test/console/shop';
import { chromiumPath } from '#test/support/chromium';
import type { BenchOptions } from './options.ts';
import { quantile } from './pgbench.ts';
import { sized } from './run-projection.ts';

const NAME = 'console.interactive';
const READY_MS_MAX = 600_000;

/** Needs Chromium (Debian: chromium). */
export async function benchConsole({ only, scale, rounds, journals, report }: BenchOptions): Promise<void> {
  if (!only.test(NAME)) return;
  if (chromiumPath() === null) throw new Error(`${NAME} needs Chromium: apt-get install chromium`);
  await using record = await startRecord(sized(scale), journals.disk);
  const browser: Browser = await launchBrowser();
  try {
    const { page } = await enter(browser, record, { login: 'olga', groups: ['dba'] });
    await page.goto(`${record.gateway.ready.api}/search`);
    await page.locator('[data-row]').first().waitFor({ timeout: READY_MS_MAX }); // once the projection has read the journal
    for (const [name, path] of await paths(page, record.gateway.ready.api)) {
      const times = new Float64Array(Math.max(rounds, 5));
      for (let round = 0; round < times.length; round++) times[round] = (await interactive(page, path)) * 1000;
      times.sort();
      report({ name: NAME, subject: 'interlock', page: name, rounds: times.length, p50_us: quantile(times, 0.5), p95_us: quantile(times, 0.95) });
    }
  } finally {
    await browser.close();
  }
}

/** Each page of the console, with what makes it work: the newest request and session. */
async function paths(page: Page, api: string): Promise<readonly (readonly [name: string, path: string])[]> {
  const first = async (path: string): Promise<string> => {
    await page.goto(api + path);
    return (await page.locator('a[data-row]').first().getAttribute('href')) ?? '';
  };
  const [request, session] = [await first('/?box=all'), await first('/sessions')];
  const lists = ['/?box=all', '/?box=to_decide', '/sessions', '/search', '/search?verb=delete&object=payments', '/search?who=alice'];
  return [...lists, request, session].map((path) => [path.replace(/(apr|ses)_\w+/, 'ID'), api + path] as const);
}

/** Milliseconds until rows are there and a key does what it should. */
async function interactive(page: Page, address: string): Promise<number> {
  const began = performance.now();
  await page.goto(address, { waitUntil: 'commit' });
  await page.locator('[data-row], .empty, .act-bar, .facts').first().waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog').waitFor();
  const ms = performance.now() - began;
  await page.keyboard.press('Escape');
  return ms;
}
