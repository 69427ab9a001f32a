/** SIGTERM: no new sessions, running statements finish, held requests stay open and their clients are told IL001 (issue 5, Operations). */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installed, refusalOf, startShop, type Shop } from '#test/support/approval-shop';

let shop: Shop;

beforeAll(async () => {
  shop = await startShop();
});
afterAll(() => shop[Symbol.asyncDispose]());

test('what runs finishes, what is held gets IL001 with its request, nobody new is let in, /readyz says why, exit 0', async () => {
  await shop.server.query('CREATE TABLE slow AS SELECT 42 AS n', 'shop');
  const locker = new pg.Client(shop.server.url('shop'));
  await locker.connect();
  await locker.query('BEGIN; LOCK TABLE slow');
  const running = await shop.client();
  const held = await shop.client();
  const idle = await shop.client();
  const slow = running.query('SELECT n FROM slow');
  const waiting = refusalOf(held.query('UPDATE payments SET n = n + 1 WHERE id = 11'));
  const request = await shop.opened('WHERE id = 11');
  const psql = installed('psql') ? psqlHeld('UPDATE payments SET n = n + 1 WHERE id = 12', await shop.environment()) : null;
  const second = psql === null ? null : await shop.opened('WHERE id = 12');
  const blocked = async (): Promise<number | null> =>
    (await shop.server.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM slow%'")).rowCount;
  await expect.poll(blocked, { timeout: 10_000 }).toBe(1);

  const exit = once(shop.gateway.process, 'exit');
  const idleEnded = new Promise<void>((resolve) => idle.once('end', () => resolve())); // `once` would take its FATAL for a failure
  shop.gateway.process.kill('SIGTERM');
  expect(await waiting).toMatchObject({ severity: 'FATAL', code: 'IL001', detail: `code=APPROVAL_PENDING approval=${request.approval_id}` });
  if (psql !== null) expect(await psql).toContain(`FATAL:  IL001: the gateway is shutting down: ${second?.approval_id} stays open`);
  await idleEnded;
  const ready = await fetch(new URL('/readyz', shop.gateway.ready.api));
  expect([ready.status, await ready.json()]).toEqual([
    503,
    { ready: false, problems: [{ code: 'draining', detail: 'shop: takes no new sessions', serious: true }] },
  ]);
  await expect(shop.client()).rejects.toThrow();
  await locker.query('COMMIT');
  await locker.end();
  expect((await slow).rows).toEqual([{ n: 42 }]);
  expect(await exit).toEqual([0, null]);

  await shop.restart('SIGTERM');
  expect(await shop.show(request.approval_id)).toMatchObject({ state: 'open' });
  await shop.verdict(request.approval_id, 'approve');
  const again = await shop.client();
  expect((await again.query('UPDATE payments SET n = n + 1 WHERE id = 11')).rowCount).toBe(1);
  expect(await shop.n(11)).toBe(1);
  await again.end();
}, 120_000);

/** What psql prints when it ends. */
function psqlHeld(sql: string, env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve) => execFile('psql', ['-v', 'VERBOSITY=verbose', '-c', sql], { env }, (_error, _stdout, stderr) => resolve(stderr)));
}
