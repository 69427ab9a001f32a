/** How a gateway is watched: health, readiness, metrics, status, the enforcers; and what none of it says (issue 5, Operations; I7, N6). */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EnforcerPage } from '#schemas/enforcer-report';
import { LABELS, type LabelName } from '#engine/operations/metrics/catalogue';
import { alice, bob, startShop, type Shop } from '#test/support/approval-shop';
import { metricsParser } from '#test/support/openmetrics';

const parser = await metricsParser();
const CANARY = 'canary_078051120';

let shop: Shop;

beforeAll(async () => {
  shop = await startShop();
});
afterAll(() => shop[Symbol.asyncDispose]());

async function get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<{ status: number; text: string; type: string }> {
  const response = await fetch(new URL(path, shop.gateway.ready.api), { headers });
  return { status: response.status, text: await response.text(), type: response.headers.get('content-type') ?? '' };
}

async function metric(name: string): Promise<number> {
  const { text } = await get('/metrics');
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')
      .at(-1),
  );
}

describe('health and readiness need no token, and say no secret', () => {
  test('alive and ready', async () => {
    expect(await get('/healthz')).toMatchObject({ status: 200, text: '{"ok":true}\n' });
    expect(await get('/readyz')).toMatchObject({ status: 200, text: '{"ready":true,"problems":[]}\n' });
    expect((await fetch(new URL('/readyz', shop.gateway.ready.api), { method: 'HEAD' })).status).toBe(200);
    expect((await fetch(new URL('/readyz', shop.gateway.ready.api), { method: 'POST' })).status).toBe(404);
  });
});

describe('metrics', () => {
  test('count what was done: sessions, verdicts, refusals, outcomes, holds', async () => {
    const client = await shop.client();
    await client.query('SELECT 1');
    await client.query('SELECT 1');
    await expect(client.query('DROP TABLE payments')).rejects.toThrow();
    const held = client.query('UPDATE payments SET n = n + 1 WHERE id = 1');
    const request = await shop.opened('UPDATE payments');
    await expect.poll(() => metric('interlock_sessions_held{target="shop"}')).toBe(1);
    expect(await metric('interlock_approvals_open')).toBe(1);
    await shop.verdict(request.approval_id, 'approve');
    await held;
    await client.end();
    await expect.poll(() => metric('interlock_sessions_closed_total{target="shop",reason="client"}')).toBe(1);
    expect(await metric('interlock_sessions_opened_total{target="shop"}')).toBe(1);
    expect(await metric('interlock_statements_total{target="shop"}')).toBe(4);
    expect(await metric('interlock_refusals_total{target="shop",code="POLICY",by="policy"}')).toBe(1);
    expect(await metric('interlock_decisions_total{target="shop",effect="deny",cached="false"}')).toBe(1);
    expect(await metric('interlock_hold_seconds_count{target="shop"}')).toBe(1);
    expect(await metric('interlock_approvals_consumed_total')).toBe(1);
    expect(await metric('interlock_approvals_settled_total{settled="approved"}')).toBe(1);
    expect(await metric('interlock_journal_sync_seconds_count')).toBeGreaterThan(3);
    expect(await metric('interlock_policy_age_seconds')).toBeLessThan(60);
    expect(await metric('process_resident_memory_bytes')).toBeGreaterThan(1e6);
  });

  test('I5, I7: no text of a client, no password, no token, no row is in them; labels are of closed sets', async () => {
    const client = await shop.client({ ...alice, login: CANARY });
    await client.query(`SELECT '${CANARY}' AS ${CANARY}`);
    await client.query(`SELECT * FROM ${CANARY}`).catch(() => {});
    await client.end();
    const { text, type } = await get('/metrics', { accept: 'application/openmetrics-text; version=1.0.0' });
    expect(type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(text).not.toContain(CANARY);
    expect(text).not.toContain(shop.server.password);
    if (parser === null) return;
    for (const { name, samples } of await parser(text, 'openmetrics'))
      for (const { labels } of samples)
        for (const [label, value] of Object.entries(labels)) {
          if (label === 'le') continue;
          const set: 'targets' | readonly string[] = LABELS[label as LabelName];
          expect(set === 'targets' ? ['shop', 'other'] : set, `${name} ${label}`).toContain(value);
        }
  });

  test('are for this machine alone: not for whom a proxy on it asks', async () => {
    expect((await get('/metrics', { 'x-forwarded-for': '203.0.113.9' })).status).toBe(404);
    expect((await get('/metrics')).status).toBe(200);
  });
});

describe('the enforcers', () => {
  test('N6: readers see each with its health, sessions and revision; everybody else that there is nothing', async () => {
    await using _client = disposable(await shop.client());
    const { body } = await shop.call(bob, '/v1/enforcers');
    const { items, revision } = body as EnforcerPage;
    expect(revision).toBe(shop.gateway.ready.revision);
    expect(items).toMatchObject([
      {
        enforcer: 'shop',
        target: 'shop',
        home: 'here',
        health: 'ok',
        sessions: 1,
        held: 0,
        revision,
        clock_offset_us: 0,
        problems: [],
        channel: null,
      },
    ]);
    expect(items[0]?.journal.records).toBeGreaterThan(10);
    expect(JSON.stringify(body)).not.toContain(shop.server.password);
    expect((await shop.call(alice, '/v1/enforcers')).body).toMatchObject({ items: [] });
    expect((await shop.call(alice, '/v1/status')).body).not.toHaveProperty('enforcers');
  });

  test('`interlock status` shows them as a table, and what is wrong; exit 1 then', async () => {
    const file = join(shop.dir, 'bob.token');
    writeFileSync(file, await shop.token(bob));
    const well = await shop.gateway.interlock('status', '--token-file', file);
    expect(well).toMatchObject({ code: 0 });
    expect(well.stdout).toMatch(/^ENFORCER +TARGET +HEALTH +SESSIONS +POLICIES +BACKLOG +LAG +CLOCK +SEEN$/m);
    expect(well.stdout).toMatch(new RegExp(`^shop +shop +ok +\\d+ +${shop.gateway.ready.revision.slice(7, 19)} +- +- +0\\.0 ms +`, 'm'));
    const config = readFileSync(shop.gateway.configFile, 'utf8');
    writeFileSync(join(shop.dir, 'data.yaml'), 'guardrails: [');
    shop.gateway.process.kill('SIGHUP');
    await expect.poll(async () => (await get('/readyz')).text, { timeout: 20_000 }).toContain('the newest policies were rejected');
    expect((await get('/readyz')).status).toBe(200); // the last good revision judges on
    const ill = await shop.gateway.interlock('status', '--token-file', file);
    expect(ill).toMatchObject({ code: 1, stdout: expect.stringContaining('policies: the newest policies were rejected') });
    expect(ill.stdout).toContain('DEGRADED');
    writeFileSync(shop.gateway.configFile, config);
  });
});

function disposable<T extends { end(): Promise<void> }>(client: T): T & AsyncDisposable {
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}
