/** What a requester controls, on its way to everybody who reads it (SECURITY M8, A7): real server, real gateway, every answer that people look at. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApprovalView } from '#schemas/approval';
import type { RequestPage } from '#schemas/review';
import { alice, bob, refusalOf, type Shop, startShop } from '#test/support/approval-shop';

const NASTY = '\u202e\u200b\u001b[2J\r<b>`‹U+202E›\u{e0041}\u0301\u0301\u0301\u0301';
const TABLE = `pay${NASTY}ments`;
const TEXT = `UPDATE "${TABLE}" SET "n${NASTY}" = $1 WHERE id = $2 /*\u202e WHERE id=1 \u2066*/`;

let shop: Shop;
let view: ApprovalView;
let page: RequestPage;
/** What the requester's driver was told. */
const told: unknown[] = [];

beforeAll(async () => {
  shop = await startShop({ approvals: { wait: '1s' } });
  await shop.server.query(`CREATE TABLE "${TABLE}" (id int PRIMARY KEY, "n${NASTY}" text)`, 'shop');
  const client = await shop.client(alice);
  client.on('notice', (notice) => told.push([notice.message, notice.detail, notice.hint]));
  const words = ({ message, detail, hint }: Awaited<ReturnType<typeof refusalOf>>): unknown => [message, detail, hint];
  told.push(words(await refusalOf(client.query(TEXT, [NASTY, 1]))));
  view = await shop.opened('UPDATE');
  page = (await shop.call(bob, `/v1/approvals/${view.approval_id}/page`)).body as RequestPage;
  await shop.call(bob, `/v1/approvals/${view.approval_id}/verdict`, { outcome: 'changes', comment: `no ${NASTY}` });
  told.push(words(await refusalOf(client.query(TEXT, [NASTY, 1]))));
  await client.query(`SELECT * FROM "${TABLE}" WHERE "n${NASTY}" = 'a'`);
  await client.end();
}, 60_000);
afterAll(() => shop[Symbol.asyncDispose]());

/** Where in a document something stands that a terminal or a browser would act on or hide. */
function hidden(value: unknown, path = ''): string[] {
  if (typeof value === 'string') return /[^\n\P{C}]|[\p{Zl}\p{Zp}\u200b\u{e0041}]/u.test(value) ? [path] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => [...hidden(key, `the name of ${path}.${key}`), ...hidden(one, `${path}.${key}`)]);
}

test('the sentence is whole and says what is hidden', () => {
  expect(view.summary).toMatch(
    /^sets "n‹U\+202E RIGHT-TO-LEFT OVERRIDE›.*" = \$1 \('‹U\+202E .*'\) in (about 1 row|the rows) of "pay‹.*›ments" where id = \$2 \('1'\)$/,
  );
  expect(hidden(view.summary)).toEqual([]);
});

test('the text is whole, with every character; the same digits on both sides', () => {
  expect(page.text).toMatchObject({ complete: true, bytes: Buffer.byteLength(TEXT), digest: view.payload_digest });
  const tokens = page.text.statements.flatMap((one) => one.tokens);
  expect(tokens.filter(({ kind, text }) => kind === 'hidden' && text.startsWith('U+202E'))).toHaveLength(3);
  expect(tokens.at(-1)).toEqual({ kind: 'comment', text: '*/' });
  expect(page.text.warnings).toContain('a comment holds WHERE: what stands in a comment has no effect');
  expect(JSON.stringify(told)).toContain(`digest=${page.text.digest_prefix}`);
});

test('the requester’s own terminal', () => {
  expect(hidden(told)).toEqual([]);
  expect(JSON.stringify(told)).toContain('a reviewer asks for another statement: no ‹U+202E›');
});

describe('what the console reads', () => {
  test('the request: the exact text, and nothing else that hides', () => {
    expect(hidden(page)).toEqual(['.approval.payload_text']);
  });
  test.each(['/v1/inbox?box=all', '/v1/search', '/v1/search?q=pay', '/v1/sessions/page', '/v1/delegations', '/v1/me', '/v1/status', 'session'])(
    '%s',
    async (path) => {
      const at = path === 'session' ? `/v1/sessions/${view.session_id}/page` : path;
      await expect.poll(async () => (await shop.call(bob, at)).status, { timeout: 20_000 }).toBe(200);
      const { body } = await shop.call(bob, at);
      expect(hidden(body)).toEqual([]);
    },
  );
});

describe('a terminal', () => {
  test.each(['approvals show', 'approvals list', 'audit search', 'sessions list', 'sessions show', 'events'])('%s', async (command) => {
    const args = command.split(' ');
    const token = join(shop.dir, 'bob.token');
    writeFileSync(token, await shop.token(bob), { mode: 0o600 });
    const which = args[1] !== 'show' ? [] : [args[0] === 'approvals' ? view.approval_id : (view.session_id ?? '')];
    const { code, stdout } = await shop.gateway.interlock(...args, ...which, '--token-file', token);
    expect(code).toBe(0);
    expect(stdout).not.toBe('');
    expect(hidden(stdout)).toEqual([]);
    if (command === 'approvals show') expect(stdout).toContain(`digest ${page.text.digest_prefix}`);
  });
});
