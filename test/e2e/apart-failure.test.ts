/** An engine and an enforcer in processes of their own, and what becomes of clients when the engine is lost (DESIGN §4; I6: within a second). */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import pg from 'pg';
import { alice, type Shop, refusalOf, startShop } from '#test/support/approval-shop';
import { startProcess, type Running } from '#test/support/processes';
import { stopwatch } from '#test/support/stopwatch';

const LOST = { code: '58000', detail: 'code=ENGINE_UNAVAILABLE' };

const CONNECTED = 'an enforcer is connected';

/** How long something took, milliseconds that the machine had for it. */
async function timed<T>(work: Promise<T>): Promise<{ readonly result: T; readonly ms: number }> {
  using began = stopwatch();
  const result = await work;
  return { result, ms: began.ms() };
}

async function kill(shop: Shop): Promise<void> {
  await shop.gateway.engine?.running.end('SIGKILL');
}

/** The enforcer found its engine again by itself, within 10 s of the engine's being ready. */
async function works(shop: Shop): Promise<void> {
  const answers = async (): Promise<boolean> => {
    try {
      const client = await shop.client();
      await client.end();
      return true;
    } catch {
      return false;
    }
  };
  await expect.poll(answers, { timeout: 10_000, interval: 50 }).toBe(true);
}

describe('judged beside the target', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await startShop({ shape: 'apart-local' });
  });
  afterAll(() => shop?.[Symbol.asyncDispose]());

  test('the engine is killed while a statement is held: refused within a second, the request survives, and the statement runs once', async () => {
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 1';
    const client = await shop.client();
    // the engine has the request before the enforcer has its answer: held is who is told so
    const told = once(client, 'notice');
    const held = refusalOf(client.query(text));
    const { approval_id } = await shop.opened(text);
    await told;
    await kill(shop);
    const { result: why, ms } = await timed(held);
    expect(ms).toBeLessThan(1_000);
    expect(why).toMatchObject(LOST);
    expect(why.message).toContain(`the engine was lost while ${approval_id} waited for approval`);
    expect(why.hint).toContain('The approval request stays open');

    await shop.gateway.engine?.start();
    expect((await shop.show(approval_id)).state).toBe('open');
    await shop.verdict(approval_id, 'approve');
    await works(shop);
    expect(await shop.n(1)).toBe(0);
    // the same session goes on
    expect((await client.query(text)).rowCount).toBe(1);
    expect(await shop.n(1)).toBe(1);
    await expect.poll(async () => (await shop.show(approval_id)).executions?.map(({ outcome }) => outcome)).toEqual(['ok']);
    await client.end();
  });

  test('without the engine open sessions are judged on: what is allowed runs, what needs it is refused, nobody comes in', async () => {
    const client = await shop.client();
    const token = await shop.token(alice);
    await kill(shop);
    expect((await client.query('SELECT n FROM payments WHERE id = 2')).rows).toEqual([{ n: 0 }]);
    const asked = await timed(refusalOf(client.query('UPDATE payments SET n = 9 WHERE id = 2')));
    expect(asked.result).toMatchObject({ ...LOST, message: 'the engine cannot be asked just now' });
    expect(asked.ms).toBeLessThan(1_000);
    expect(await refusalOf(client.query('DELETE FROM payments'))).toMatchObject({ code: '42501' });
    const { host, port } = shop.gateway;
    const late = new pg.Client({ host, port, user: alice.login, password: token, database: 'shop' });
    const turned = await timed(late.connect().catch((error: unknown) => error));
    expect(turned.result).toMatchObject({ code: '58000' });
    expect(turned.ms).toBeLessThan(1_000);
    expect((await client.query('SELECT n FROM payments WHERE id = 2')).rows).toEqual([{ n: 0 }]);
    await shop.gateway.engine?.start();
    await works(shop);
    await client.end();
  });

  test('a use that ended while the engine was away is known to the engine once it is back', async () => {
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 3';
    const client = await shop.client();
    const { server } = shop;
    const before = new pg.Client({ connectionString: server.url('shop') });
    await before.connect();
    await before.query('BEGIN; SELECT n FROM payments WHERE id = 3 FOR UPDATE');
    const running = client.query(text);
    const { approval_id } = await shop.opened(text);
    await shop.verdict(approval_id, 'approve');
    await expect.poll(async () => (await shop.show(approval_id)).state, { interval: 20 }).toBe('consumed');
    await kill(shop);
    await before.query('COMMIT');
    await before.end();
    expect((await running).rowCount).toBe(1);
    await shop.gateway.engine?.start();
    await works(shop);
    await expect.poll(async () => (await shop.show(approval_id)).executions?.map(({ outcome }) => outcome), { timeout: 10_000 }).toEqual(['ok']);
    await client.end();
  });

  test('of two engines one is killed: the enforcer goes to the other by itself, and sessions are opened there', async () => {
    const dir = join(shop.dir, 'second');
    const { engine } = shop.gateway;
    // the same authority and the same registry
    await engine?.running.end('SIGTERM');
    mkdirSync(dir);
    for (const folder of ['state', 'journal']) execFileSync('cp', ['-a', join(shop.dir, folder), dir]);
    const written = JSON.parse(readFileSync(shop.gateway.configFile, 'utf8')) as object;
    const own = { state: { dir: join(dir, 'state') }, journal: { dir: join(dir, 'journal') }, engine: { listen: engine?.spare } };
    const file = join(dir, 'interlock.yaml');
    writeFileSync(file, JSON.stringify({ ...written, ...own }));
    await engine?.start();
    const second: Running = await startProcess(['engine', '-c', file]);
    try {
      await works(shop);
      const [first, other] = second.log().includes(CONNECTED) ? [second, engine?.running] : [engine?.running, second];
      const client = await shop.client();
      await first?.end('SIGKILL');
      await works(shop);
      expect(other?.log()).toContain(CONNECTED);
      expect((await client.query('SELECT n FROM payments WHERE id = 9')).rows).toEqual([{ n: 0 }]);
      await client.end();
    } finally {
      await second.end('SIGTERM');
      if (engine !== null) {
        await engine.running.end('SIGTERM');
        await engine.start();
      }
    }
  });
});

describe('judged by the engine', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await startShop({ shape: 'apart-remote' });
  });
  afterAll(() => shop?.[Symbol.asyncDispose]());

  test('without the engine everything is refused at once, with the cause; when it is back, the same session goes on', async () => {
    const client = await shop.client();
    const text = 'SELECT n FROM payments WHERE id = 1';
    expect((await client.query(text)).rows).toEqual([{ n: 0 }]);
    await kill(shop);
    const { result: why, ms } = await timed(refusalOf(client.query(text)));
    expect(why).toMatchObject(LOST);
    expect(ms).toBeLessThan(1_000);
    await shop.gateway.engine?.start();
    await works(shop);
    expect((await client.query(text)).rows).toEqual([{ n: 0 }]);
    await client.end();
  });
});
