/** The demo in the browser: what `npm run demo` sets up, and its own commands, with the approval given in the console. */
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { launchGateway } from '#test/demo/gateway';
import { setUp } from '#test/demo/setup';
import { Shell } from '#test/demo/shell';
import { steps } from '#test/demo/steps';
import { installed } from '#test/support/approval-shop';
import { chromiumPath } from '#test/support/chromium';
import { dialogOpen, launchBrowser, openWindow } from './browser.ts';

const root = dirname(dirname(import.meta.dirname));
const missing = [chromiumPath() === null ? 'chromium' : '', installed('psql') ? '' : 'postgresql-client'].filter((name) => name !== '');

test.skipIf(missing.length > 0)(
  `from a held UPDATE in psql to the approval in the browser to the rows changed${missing.length > 0 ? ` (apt-get install ${missing.join(' ')})` : ''}`,
  async () => {
    const { dir, server } = await setUp(() => {});
    const gateway = await launchGateway(dir);
    const bin = join(dir, 'bin');
    mkdirSync(bin);
    symlinkSync(join(root, 'bin', 'interlock'), join(bin, 'interlock'));
    const browser = await launchBrowser();
    await using shell = new Shell({ cwd: dir, env: { ...process.env, PATH: [bin, process.env['PATH']].join(delimiter), TERM: 'dumb' } });
    const play = async (name: string): Promise<string> => {
      const step = steps('psql -c', null).find((one) => one.name === name);
      if (step === undefined) throw new Error(`the demo has no step ${name}`);
      const { output, exit } = await shell.run(step.command);
      expect(exit, `${name}: ${output}`).toBe(step.exit);
      return output;
    };
    try {
      await play('tokens');
      expect(await play('held')).toContain('payments');
      const { output: link } = await shell.run('interlock console login --login bob --group payments-owners');
      const { page, problems } = await openWindow(browser);
      await page.goto(link.trim());
      await page.locator('[data-row]', { hasText: 'payments' }).click();
      const sentence = page.locator('h1.sentence');
      await sentence.waitFor();
      expect(await sentence.textContent()).toMatch(/^alice sets status = 'refunded' in about 1 row of payments where id = 2/);
      await page.keyboard.press('a');
      await dialogOpen(page);
      await page.keyboard.press('Enter');
      await page.getByRole('status').getByText('Ran').waitFor();
      const ran = await play('ran-once');
      expect(ran).toContain('UPDATE 1');
      expect(ran).toContain('refunded');
      expect((await server.query<{ status: string }>('SELECT status FROM payments WHERE id = 2', 'shop')).rows).toEqual([{ status: 'refunded' }]);
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
      await gateway.stop();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
  120_000,
);
