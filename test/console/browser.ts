/** A real Chromium, as a person would have it open. */
import axe from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { chromiumPath } from '#test/support/chromium';

export const PHONE = { width: 390, height: 844 } as const;
export const DESK = { width: 1280, height: 860 } as const;

/** One for a test file. */
export async function launchBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath: chromiumPath() ?? 'chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
    ],
  });
}

export interface OpenOptions {
  readonly phone?: boolean;
  readonly theme?: 'light' | 'dark';
}

/** A window of its own, with cookies of its own. What goes wrong in the page fails the test that looks at `problems`. */
export async function openWindow(browser: Browser, { phone = false, theme = 'light' }: OpenOptions = {}): Promise<Window> {
  const context = await browser.newContext({
    viewport: phone ? PHONE : DESK,
    hasTouch: phone,
    isMobile: phone,
    colorScheme: theme,
    timezoneId: 'Europe/Zurich',
    locale: 'en-GB',
    serviceWorkers: 'block',
  });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    // a refused call is told by the browser too; the page shows it, and its test looks there
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) problems.push(message.text());
  });
  return { context, page, problems };
}

export interface Window {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Exceptions, and what the console of the browser complained about (a content security policy, for one). */
  readonly problems: readonly string[];
}

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
}

/** axe finds nothing serious in what is on the screen. It comes in by the debugger's door: the page's own policy lets no foreign script in. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe.source);
  const violations = (await page.evaluate("axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations)")) as readonly Violation[];
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(
    serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target.join(' ')} ${failureSummary ?? ''}`).join('; ')}`),
  ).toEqual([]);
}

/** The dialog has the keyboard: what is pressed before that goes to the page behind it. */
export async function dialogOpen(page: Page): Promise<void> {
  await page.getByRole('alertdialog').waitFor();
  await page.locator('[role=alertdialog]:focus-within').waitFor();
}

/** For what comes by itself; a machine that is busy is given time. */
export function eventually<T>(look: () => T): ReturnType<typeof expect.poll<Awaited<T>>> {
  return expect.poll(look as () => Awaited<T>, { timeout: 15_000, interval: 25 });
}

/** Until what fades in has faded in. */
export async function settled(page: Page): Promise<void> {
  await page.evaluate('Promise.allSettled(document.getAnimations().map(({ finished }) => finished)).then(() => {})');
}

/** Nothing is wider than the window: a phone scrolls in one direction. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  expect(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')).toBe(0);
}
