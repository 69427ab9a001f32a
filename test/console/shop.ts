/** The console before the real engine: a shop in production (test/support/approval-shop.ts), and people who are logged in to it in Chromium. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { type Shop, startShop } from '#test/support/approval-shop';
import { type OpenOptions, openWindow, type Window } from './browser.ts';

export interface Person {
  readonly login: string;
  readonly groups: readonly string[];
}

export const bob: Person = { login: 'bob', groups: ['owners'] };
export const carol: Person = { login: 'carol', groups: ['owners'] };
export const erin: Person = { login: 'erin', groups: ['support'] };
export const alice: Person = { login: 'alice', groups: ['support'] };

/** Writes need an owner; Alice may break the glass. */
const DATA = {
  guardrails: { read_write: ['support'] },
  production_writes: { stages: [{ id: 'owner', order: 1, any_of: [{ group: 'owners' }], quorum: 1 }] },
  break_glass: [{ id: 'night', groups: ['support'], valid_for_s: 300, review: { any_of: [{ group: 'owners' }] } }],
};

export async function startConsoleShop(): Promise<Shop> {
  return await startShop({
    policies: (dir) => {
      const file = join(dir, 'console-data.yaml');
      writeFileSync(file, JSON.stringify(DATA)); // JSON is YAML
      return { dir: join(import.meta.dirname, '..', '..', 'policies'), data: [file] };
    },
    config: { api: { listen: '127.0.0.1:0', readers: ['owners'] } },
  });
}

/** Opens the console as this person, by the one-time link that `interlock console login` prints. */
export async function enter(browser: Browser, shop: Pick<Shop, 'gateway'>, person: Person, options: OpenOptions = {}): Promise<Window> {
  const window = await openWindow(browser, options);
  await window.page.goto(await loginLink(shop, person));
  await window.page.getByRole('navigation', { name: 'Pages' }).waitFor();
  return window;
}

export async function loginLink(shop: Pick<Shop, 'gateway'>, { login, groups }: Person): Promise<string> {
  const { code, stdout, stderr } = await shop.gateway.interlock(
    'console',
    'login',
    '--login',
    login,
    ...groups.flatMap((group) => ['--group', group]),
  );
  if (code !== 0) throw new Error(`interlock console login: ${stderr}`);
  return stdout.trim();
}

/** To a page by its link, as one does; a reload would be a new start. */
export async function go(page: Page, name: 'Inbox' | 'Sessions' | 'Search' | 'Reviews' | 'Delegations' | 'Targets'): Promise<void> {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click();
}
