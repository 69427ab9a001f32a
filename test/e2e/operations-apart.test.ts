/** An enforcer of its own is watched where it runs, and by its engine: health, metrics, reload, and what is said when either is gone (issue 5, Operations). */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EnforcerPage } from '#schemas/enforcer-report';
import { type Gateway, startGateway } from '#test/support/gateway';
import { type PostgresServer, startPostgres } from '#test/support/postgres';

const alice = { login: 'alice', groups: ['support'] };
const bob = { login: 'bob', groups: ['owners'], scope: 'approve' } as const;

let server: PostgresServer;
let gateway: Gateway;
/** The enforcer's own address, and its file. */
let own: string;
let file: string;
let token: string;

beforeAll(async () => {
  server = await startPostgres({ major: 15 });
  await server.query('CREATE DATABASE shop');
  gateway = await startGateway({
    shape: 'apart-local',
    upstream: { ...server, database: 'shop' },
    policies: { dir: join(import.meta.dirname, '..', 'policies', 'allow-all') },
    config: { operations: { listen: '127.0.0.1:0' } },
  });
  const dir = join(gateway.dir, 'enforcer-shop');
  own = (JSON.parse(readFileSync(join(dir, 'state', 'gateway.json'), 'utf8')) as { api: string }).api;
  file = join(dir, 'interlock.yaml');
  token = await gateway.token(bob);
}, 120_000);
afterAll(async () => {
  await gateway.stop();
  await server.stop();
});

async function get(base: string, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(new URL(path, base), { headers: { authorization: `Bearer ${token}` } });
  return { status: response.status, text: await response.text() };
}

const enforcers = async (): Promise<EnforcerPage['items']> =>
  (JSON.parse((await get(gateway.ready.api, '/v1/enforcers')).text) as EnforcerPage).items;

test('the enforcer counts, the engine knows how it is, and both are ready', async () => {
  const client = new pg.Client({ connectionString: await gateway.url(alice) });
  await client.connect();
  await client.query('SELECT 1');
  expect(await get(own, '/readyz')).toEqual({ status: 200, text: '{"ready":true,"problems":[]}\n' });
  const metrics = (await get(own, '/metrics')).text;
  expect(metrics).toContain('interlock_build{role="enforcer"} 1\n');
  expect(metrics).toContain('interlock_statements_total{target="shop"} 1\n');
  expect(metrics).toContain('interlock_channel_connected 1\n');
  await expect
    .poll(async () => (await enforcers()).map(({ enforcer, sessions }) => [enforcer, sessions]), { timeout: 15_000 })
    .toEqual([['shop-1', 1]]);
  const [report] = await enforcers();
  expect(report).toMatchObject({ target: 'shop', home: 'apart', health: 'ok', judging: 'local', revision: gateway.ready.revision, problems: [] });
  expect(Math.abs(report?.clock_offset_us ?? 1e9)).toBeLessThan(500_000);
  expect(report?.certificate_until).not.toBeNull();
  expect((await get(gateway.ready.api, '/metrics')).text).toContain('interlock_enforcers{target="shop",health="ok"} 1\n');
  await client.end();
});

test('its file is saved: limits count at once', async () => {
  const config = JSON.parse(readFileSync(file, 'utf8')) as { targets: { shop: { limits?: object } } };
  config.targets.shop.limits = { connections: 1 };
  writeFileSync(file, JSON.stringify(config));
  const url = await gateway.url(alice);
  const connected = async (): Promise<string> => {
    const [one, two] = [new pg.Client({ connectionString: url }), new pg.Client({ connectionString: url })];
    await one.connect();
    const said = await two.connect().then(
      () => two.end().then(() => 'both'),
      (error: Error) => error.message,
    );
    await one.end();
    return said;
  };
  await expect.poll(connected, { timeout: 15_000 }).toContain('the limit of 1 connections');
});

test('without its engine it says so, and is ready again when that is back', async () => {
  await gateway.engine?.running.end('SIGKILL');
  await expect.poll(async () => (await get(own, '/readyz')).text, { timeout: 15_000 }).toContain('"code":"engine"');
  expect((await get(own, '/readyz')).status).toBe(503);
  expect((await get(own, '/healthz')).status).toBe(200);
  await gateway.engine?.start();
  await expect.poll(async () => (await get(own, '/readyz')).status, { timeout: 30_000 }).toBe(200);
  await expect.poll(async () => (await enforcers()).map(({ health }) => health), { timeout: 30_000 }).toEqual(['ok']);
}, 120_000);
