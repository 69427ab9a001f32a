/** The console before the real engine: a shop in production (test/support/approval-shop.ts), and people who are logged in to it in Chromium. */
import type { Browser } from 'playwright-core';
import type { Shop } from '#test/support/approval-shop';
import { type OpenOptions, openWindow, type Window } from './browser.ts';

export interface Person {
  readonly login: string;
  readonly groups: readonly string[];
}

export const bob: Person = { login: 'bob', groups: ['owners'] };
export const carol: Person = { login: 'carol', groups: ['owners'] };
export const alice: Person = { login: 'alice', groups: ['support'] };

/** Opens the console as this person, by the one-time link that `interlock console login` prints. */
export async function enter(browser: Browser, shop: Shop, person: Person, options: OpenOptions = {}): Promise<Window> {
  const window = await openWindow(browser, options);
  const groups = person.groups.flatMap((group) => ['--group', group]);
  const { code, stdout, stderr } = await shop.gateway.interlock('console', 'login', '--login', person.login, ...groups);
  if (code !== 0) throw new Error(`interlock console login: ${stderr}`);
  await window.page.goto(stdout.trim());
  await window.page.getByRole('navigation', { name: 'Pages' }).waitFor();
  return window;
}
