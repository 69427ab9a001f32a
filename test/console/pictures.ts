/** The pictures of engine/console/pictures: `node test/console/pictures.ts [FOLDER]`, from the written-down answers. Look at them before they are kept. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { launchBrowser, type OpenOptions, openWindow, settled } from './browser.ts';
import { extremePage, id, inboxItem, requestPage, trickyText } from './fixtures.ts';
import { pageOf, type Scene, startFixtureServer } from './fixture-server.ts';
import { pixelsOf, smallPng } from './small-png.ts';

interface Picture extends OpenOptions {
  readonly name: string;
  readonly path: string;
  readonly scene: Scene;
  readonly before?: (page: Page) => Promise<void>;
}

const REQUEST = `/approvals/${id('apr', 1)}`;
const BYTES_MAX = 60_000;
const PICTURES: readonly Picture[] = [
  { name: 'inbox', path: '/', scene: {}, theme: 'light' },
  { name: 'inbox-empty', path: '/', scene: { inbox: () => ({ items: [], next: null, total: 0 }) }, theme: 'light' },
  { name: 'inbox-10000', path: '/', scene: { inbox: (query) => pageOf(query, 10_000, inboxItem) }, theme: 'dark' },
  { name: 'request', path: REQUEST, scene: {}, theme: 'light' },
  { name: 'request-phone', path: REQUEST, scene: { request: () => requestPage({ text: trickyText }) }, theme: 'dark', phone: true },
  { name: 'request-1MiB-400-approvers', path: REQUEST, scene: { request: () => extremePage() }, theme: 'light' },
  { name: 'targets', path: '/targets', scene: {}, theme: 'light' },
  { name: 'targets-phone', path: '/targets', scene: {}, theme: 'dark', phone: true },
  {
    name: 'approve',
    path: REQUEST,
    scene: {},
    theme: 'light',
    before: async (page) => {
      await page.keyboard.press('a');
      await page.getByRole('alertdialog').waitFor();
      await settled(page);
    },
  },
];

const folder = process.argv[2] ?? join(import.meta.dirname, '..', '..', 'engine', 'console', 'pictures');
mkdirSync(folder, { recursive: true });
const browser = await launchBrowser();
const server = await startFixtureServer();
for (const { name, path, scene, before, ...options } of PICTURES) {
  server.show(scene);
  const { page, context } = await openWindow(browser, options);
  if (options.phone !== true) await page.setViewportSize({ width: 1100, height: 700 });
  await page.goto(server.url + path);
  await page.locator('.act-approve, [data-row], .enforcer, .empty').first().waitFor();
  await page.getByText('live', { exact: true }).waitFor();
  await before?.(page);
  const blank = await context.newPage(); // the page's own policy lets nothing else in
  const picture = smallPng(await pixelsOf(blank, await page.screenshot()));
  if (picture.length > BYTES_MAX) throw new Error(`${name}.png would have ${picture.length} bytes`);
  writeFileSync(join(folder, `${name}.png`), picture);
  console.log(`${name}.png ${picture.length} bytes`);
  await context.close();
}
await browser.close();
await server[Symbol.asyncDispose]();
