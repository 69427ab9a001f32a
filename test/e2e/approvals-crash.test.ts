/** The process dies while an approval is used: what was not durable never was, and what was consumed without `statement.cleared` was never sent (DESIGN §1). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { alice, refusalOf, type Shop, socketOf, startShop } from '#test/support/approval-shop';

let shop: Shop;
beforeAll(async () => {
  shop = await startShop();
});
afterAll(() => shop?.[Symbol.asyncDispose]());

/** A request that was approved while nobody waited for it. */
async function granted(text: string): Promise<string> {
  const client = await shop.client();
  const lost = refusalOf(client.query(text));
  const { approval_id } = await shop.opened(text);
  socketOf(client).destroy();
  await lost;
  await shop.verdict(approval_id, 'approve');
  return approval_id;
}

/** Sends it through a gateway that dies at the commit that holds `approval.consumed`. */
async function crashed(text: string, where: 'before' | 'after'): Promise<void> {
  const { process: child, configFile } = shop.gateway;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  const args = [join(import.meta.dirname, '..', 'support', 'crashing-gateway.ts'), configFile, '"type":"approval.consumed"', where];
  const gateway = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const died = once(gateway, 'exit');
  const [line] = (await Promise.race([once(createInterface({ input: gateway.stdout }), 'line'), died])) as [string];
  const { targets } = JSON.parse(line) as { targets: { shop: { address: string } } };
  const [host = '', port = ''] = targets.shop.address.split(':');
  const client = new pg.Client({ host, port: Number(port), user: alice.login, password: await shop.token(alice), database: 'shop' });
  client.on('error', () => {});
  await client.connect();
  await refusalOf(client.query(text));
  expect(await died).toEqual([null, 'SIGKILL']);
  await shop.restart('SIGKILL');
}

async function verified(): Promise<void> {
  const { journal, public_key } = shop.gateway.ready;
  expect(await shop.gateway.interlock('audit', 'verify', '--dir', journal, '--key', public_key)).toMatchObject({ code: 0 });
}

test('between consumed and cleared: never sent, and used up; the next one asks anew; the journal verifies', async () => {
  const text = 'UPDATE payments SET n = n + 1 WHERE id = 1';
  const id = await granted(text);
  await crashed(text, 'after');
  expect(shop.relay.ran(text)).toBe(false);
  expect(await shop.show(id)).toMatchObject({ state: 'consumed', uses: 1 });
  const events = await shop.events();
  expect(events.filter((event) => event.type === 'approval.consumed' && event.approval_id === id).length).toBe(1);
  expect(events.some((event) => event.type === 'statement.cleared' && event.approval?.approval_id === id)).toBe(false);
  const client = await shop.client();
  const again = client.query(text);
  const anew = await shop.opened(text);
  expect(anew.approval_id).not.toBe(id);
  await shop.verdict(anew.approval_id, 'approve');
  await again;
  expect(await shop.n(1)).toBe(1);
  await client.end();
  await verified();
});

test('before consumed is durable: not used, and good for one use after the restart', async () => {
  const text = 'UPDATE payments SET n = n + 1 WHERE id = 2';
  const id = await granted(text);
  await crashed(text, 'before');
  expect(shop.relay.ran(text)).toBe(false);
  expect(await shop.show(id)).toMatchObject({ state: 'approved', uses: 0 });
  const client = await shop.client();
  expect((await client.query(text)).rowCount).toBe(1);
  expect(await shop.n(2)).toBe(1);
  await client.end();
  await verified();
});

test.each([
  ['before the COMMIT: the target takes it back', 'idle'],
  ["behind the client's BEGIN: the target takes it back", 'BEGIN'],
])('while it runs, %s; what is known of it is `unknown`, and it is never tried again', async (_when, state) => {
  const row = state === 'idle' ? 3 : 4;
  const text = `UPDATE payments SET n = n + 1 WHERE id = ${row}`;
  // somebody else holds the row: so it is caught in the middle
  const gate = new pg.Client({ connectionString: shop.server.url('shop') });
  await gate.connect();
  await gate.query('BEGIN');
  await gate.query(`SELECT FROM payments WHERE id = ${row} FOR UPDATE`);
  const client = await shop.client();
  if (state === 'BEGIN') await client.query('BEGIN');
  const lost = refusalOf(client.query(text));
  const { approval_id } = await shop.opened(text);
  await shop.verdict(approval_id, 'approve');
  const waiting = async (): Promise<number> =>
    Number(
      (await shop.server.query<{ n: string }>("SELECT count(*) AS n FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted")).rows[0]?.n,
    );
  await expect.poll(waiting, { timeout: 10_000, interval: 20 }).toBe(1);
  await shop.restart('SIGKILL');
  await lost;
  await gate.query('ROLLBACK');
  await gate.end();
  const events = await shop.events();
  const cleared = events.find((event) => event.type === 'statement.cleared' && event.approval?.approval_id === approval_id);
  const finished = events.filter((event) => event.type === 'statement.finished' && event.statement_id === cleared?.statement_id);
  expect(finished).toMatchObject([{ outcome: 'unknown' }]);
  expect(await shop.show(approval_id)).toMatchObject({ state: 'consumed', uses: 1, executions: [{ outcome: 'unknown' }] });
  expect(await shop.n(row)).toBe(0);
  const again = await shop.client();
  const anew = again.query(text);
  const other = await shop.opened(text);
  expect(other.approval_id).not.toBe(approval_id);
  await shop.verdict(other.approval_id, 'approve');
  expect((await anew).rowCount).toBe(1);
  expect(await shop.n(row)).toBe(1);
  await again.end();
  await verified();
});
