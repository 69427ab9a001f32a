/** A gateway whose state directory is lost goes on from its export: same keys, same tokens, same journal (issue 5, Operations). */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { alice, startShop, type Shop } from '#test/support/approval-shop';

let shop: Shop;

beforeAll(async () => {
  shop = await startShop();
});
afterAll(() => shop[Symbol.asyncDispose]());

test('export from the running gateway, import into nothing, and on: tokens are accepted, approvals are there, verify passes over both halves', async () => {
  const { dir } = shop;
  const file = join(dir, 'backup');
  const pass = join(dir, 'pass');
  writeFileSync(pass, 'correct horse battery\n', { mode: 0o600 });
  const client = await shop.client();
  const held = client.query('UPDATE payments SET n = n + 1 WHERE id = 5');
  held.catch(() => {}); // it ends with the gateway
  const request = await shop.opened('WHERE id = 5');
  const exported = await shop.gateway.interlock('state', 'export', '-o', file, '--passphrase-file', pass, '--json');
  expect(exported).toMatchObject({ code: 0 });
  expect(JSON.parse(exported.stdout)).toMatchObject({ form: 'sealed', journal: { records: expect.any(Number) } });
  expect(readFileSync(file, 'latin1')).not.toMatch(/PRIVATE KEY/);
  expect(await shop.gateway.interlock('state', 'import', file, '--passphrase-file', pass, '--json')).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('STATE_EXISTS'),
  });
  const key = readFileSync(shop.gateway.ready.public_key, 'utf8');
  await shop.gateway.stop();
  renameSync(join(dir, 'state'), join(dir, 'lost'));
  const imported = await shop.gateway.interlock('state', 'import', file, '--passphrase-file', pass);
  expect(imported).toMatchObject({ code: 0, stderr: '' });
  expect(existsSync(join(dir, 'state', 'keys', 'checkpoint'))).toBe(true);
  await shop.restart('SIGTERM');
  expect(readFileSync(shop.gateway.ready.public_key, 'utf8')).toBe(key);
  expect(await shop.show(request.approval_id)).toMatchObject({ state: 'open' }); // with the token of before
  await shop.verdict(request.approval_id, 'approve');
  const again = await shop.client(alice);
  expect((await again.query('UPDATE payments SET n = n + 1 WHERE id = 5')).rowCount).toBe(1);
  await again.end();
  const { journal, public_key: pub } = shop.gateway.ready;
  await shop.gateway.stop();
  const verified = await shop.gateway.interlock('audit', 'verify', '--dir', journal, '--key', pub, '--json');
  expect(verified.code, verified.stdout).toBe(0);
  rmSync(join(dir, 'lost'), { recursive: true });
}, 120_000);
