// What Bob does in his browser, in a few lines of Playwright: opens the link that logs in once, reads the request, approves it.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

// an agent does not wait: its statement runs when it comes back
const [executablePath, linkFile, request, comment, until = 'Ran'] = process.argv.slice(2);
const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'];
const browser = await chromium.launch({ executablePath, args });
const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
const link = new URL(readFileSync(linkFile, 'utf8').trim());
await page.goto(link.href);
await page.getByRole('navigation', { name: 'Pages' }).waitFor();
await page.goto(`${link.origin}/approvals/${request}`);
console.log(`reads:   ${await page.locator('h1.sentence').textContent()}`);
await page.locator('.act-approve').waitFor();
await page.screenshot({ path: 'request.png' });
await page.keyboard.press('a');
await page.getByRole('alertdialog').waitFor();
await page.keyboard.type(comment);
await page.keyboard.press('Enter');
await page.getByRole('status').getByText(until).first().waitFor();
const outcome = (await page.locator('.outcome').textContent()) ?? '';
console.log(`sees:    ${/Ran[^.]*changed|by bob.*not used yet/.exec(outcome)?.[0] ?? outcome}`);
console.log('picture: request.png');
await browser.close();
