/** Two engines, one enforcer, one NATS, all real: any engine serves any request, and killed ones change nothing (A5, A6, E6; ADR 0018). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApprovalView } from '#schemas/approval';
import { until } from '#test/support/nats';
import { SharedGateway } from '#test/support/shared-gateway';
import { stopwatch } from '#test/support/stopwatch';

const alice = { login: 'alice', groups: ['support'] };
const bob = { login: 'bob', groups: ['owners'], scope: 'approve' } as const;
let gateway: SharedGateway;

beforeAll(async () => {
  gateway = await SharedGateway.start();
}, 120_000);
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

async function show(engine: string, id: string): Promise<ApprovalView> {
  const { status, body } = await gateway.call(engine, bob, `/v1/approvals/${id}`);
  expect(status).toBe(200);
  return body as ApprovalView;
}

test('a held statement is shown and approved at either engine, and runs once', { timeout: 60_000 }, async () => {
  const client = await gateway.client(alice);
  for (const [i, engine] of ['one', 'two', 'one', 'two'].entries()) {
    const id = i + 1;
    const held = client.query(`UPDATE payments SET n = n + 1 WHERE id = ${id}`);
    const asked = await gateway.opened(engine, bob, `WHERE id = ${id}`);
    expect(await gateway.verdict(engine, bob, asked)).toBe(200);
    await held;
    expect(await gateway.n(id)).toBe(1);
    for (const other of ['one', 'two']) {
      await until(async () => (await show(other, asked.approval_id)).state === 'consumed');
    }
  }
  await client.end();
});

test('every page over both: sessions, statements and enforcers of all, and a session that is ended at the engine that does not have it', {
  timeout: 60_000,
}, async () => {
  const client = await gateway.client(alice);
  await client.query('SELECT n FROM payments WHERE id = 30');
  const auditor = { login: 'carol', groups: ['owners', 'admins'], scope: 'approve' } as const;
  const ids: string[] = [];
  for (const engine of ['one', 'two']) {
    await until(async () => {
      const { body } = await gateway.call(engine, auditor, '/v1/search?q=payments');
      return JSON.stringify(body).includes('id = 30');
    });
    const { body } = await gateway.call(engine, auditor, '/v1/sessions/page?state=open');
    const { items } = body as { readonly items: readonly { readonly session_id: string; readonly login: string }[] };
    expect(items.map(({ login }) => login)).toEqual(['alice']);
    ids.push(items[0]?.session_id ?? '');
    await until(async () => JSON.stringify((await gateway.call(engine, auditor, '/v1/enforcers')).body).includes('"health":"ok"'), 15_000);
  }
  expect(ids[1]).toBe(ids[0]);
  const ended = new Promise((resolve) => client.once('end', resolve));
  // one of them has the enforcer, the other asks it
  expect((await gateway.call('one', auditor, `/v1/sessions/${ids[0]}`, undefined, 'DELETE')).status).toBe(200);
  await ended;
  const other = await gateway.client(alice);
  const again = new Promise((resolve) => other.once('end', resolve));
  let second = '';
  await until(async () => {
    const { body } = await gateway.call('two', auditor, '/v1/sessions/page?state=open');
    second = (body as { readonly items: readonly { readonly session_id: string }[] }).items[0]?.session_id ?? '';
    return second !== '' && second !== ids[0];
  });
  expect((await gateway.call('two', auditor, `/v1/sessions/${second}`, undefined, 'DELETE')).status).toBe(200);
  await again;
});

test('an engine is killed while it holds: the client hears of it within a second, the request lives on at the other, and runs once', {
  timeout: 60_000,
}, async () => {
  for (const [i, name] of ['one', 'two'].entries()) {
    const id = 10 + i;
    const client = await gateway.client(alice);
    const sql = `UPDATE payments SET n = n + 1 WHERE id = ${id}`;
    const held = client.query(sql).then(
      () => 'done',
      (error: { readonly code?: string }) => error.code,
    );
    const other = name === 'one' ? 'two' : 'one';
    const asked = await gateway.opened(other, bob, `WHERE id = ${id}`);
    await gateway.engine(name).process.end('SIGKILL');
    expect(await gateway.verdict(other, bob, asked)).toBe(200);
    const first = await held;
    // the enforcer was at the engine that died, or at the one that lives
    expect(['58000', 'done']).toContain(first);
    if (first !== 'done') await gateway.client(alice).then(async (again) => (await again.query(sql), again.end()));
    expect(await gateway.n(id)).toBe(1);
    await gateway.again(name);
    expect((await show(name, asked.approval_id)).state).toBe('consumed');
    await client.end().catch(() => {});
  }
});

test('NATS is killed while a statement is held: nothing is approved meanwhile, and all goes on by itself within 10 s', {
  timeout: 60_000,
}, async () => {
  const client = await gateway.client(alice);
  const sql = 'UPDATE payments SET n = n + 1 WHERE id = 20';
  const held = client.query(sql).then(
    () => 'done',
    (error: { readonly code?: string }) => error.code,
  );
  const asked = await gateway.opened('two', bob, 'WHERE id = 20');
  await gateway.nats.stop();
  using since = stopwatch();
  expect(await held).toBe('58000');
  expect(since.ms()).toBeLessThan(3_000);
  expect(await gateway.verdict('one', bob, asked)).toBe(503);
  await gateway.nats.start();
  using up = stopwatch();
  await until(async () => (await gateway.verdict('one', bob, asked)) === 200);
  // the engine of the enforcer is back a moment sooner or later than the other; what is refused meanwhile says so, and is tried again
  await until(() =>
    client.query(sql).then(
      () => true,
      (error: { readonly code?: string }) => error.code !== '58000',
    ),
  );
  expect(up.ms()).toBeLessThan(10_000);
  expect(await gateway.n(20)).toBe(1);
  await client.end();
});
