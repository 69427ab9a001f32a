/** How a wait ends: a verdict, the clock, Ctrl-C, a client that leaves, a gateway that ends (DESIGN §1 "Waiting"). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type pg from 'pg';
import { bob, installed, refusalOf, type Shop, socketOf, startShop } from '#test/support/approval-shop';
import { stopwatch } from '#test/support/stopwatch';

describe('within a wait of a minute', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await startShop();
  });
  afterAll(() => shop?.[Symbol.asyncDispose]());

  test.skipIf(!installed('psql'))('Ctrl-C in psql: 57014, and the request is cancelled', async () => {
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 1';
    const psql = spawn('psql', ['-X', '-v', 'VERBOSITY=verbose', '-c', text], { env: await shop.environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    let heard = '';
    psql.stderr.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    const { approval_id } = await shop.opened(text);
    psql.kill('SIGINT');
    await once(psql, 'exit');
    expect(heard).toContain('ERROR:  57014: canceling statement due to user request');
    expect(heard).toContain(`approval=${approval_id}`);
    expect(await shop.show(approval_id)).toMatchObject({ state: 'cancelled' });
    expect(shop.relay.ran(text)).toBe(false);
    // nobody can approve what was cancelled
    expect(await shop.call(bob, `/v1/approvals/${approval_id}/verdict`, { outcome: 'approve' })).toMatchObject({
      body: { error: { code: 'VERDICT_CLOSED' } },
    });
  });

  test('a client that leaves: the request stays open, and whoever comes back after the verdict runs it at once', async () => {
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 2';
    const leaving = await shop.client();
    const lost = refusalOf(leaving.query(text));
    const { approval_id } = await shop.opened(text);
    socketOf(leaving).destroy();
    await lost;
    const closed = async (): Promise<boolean> => (await shop.events()).some((event) => event.type === 'session.closed' && event.reason === 'client');
    await expect.poll(closed).toBe(true);
    expect((await shop.show(approval_id)).state).toBe('open');
    await shop.verdict(approval_id, 'approve');
    expect(await shop.n(2)).toBe(0);
    const client = await shop.client();
    expect((await client.query(text)).rowCount).toBe(1);
    expect(await shop.n(2)).toBe(1);
    expect((await shop.show(approval_id)).state).toBe('consumed');
    await client.end();
  });

  test('denied: IL002 with the reviewer’s words; asked again, told at once; nothing of it reached the server', async () => {
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 3';
    const client = await shop.client();
    const running = refusalOf(client.query(text));
    const { approval_id } = await shop.opened(text);
    await shop.verdict(approval_id, 'deny', 'not before the audit');
    const expected = {
      code: 'IL002',
      message: 'denied by a reviewer: not before the audit',
      detail: expect.stringMatching(new RegExp(`^decision=dec_\\S+ policy=\\S+ code=PRODUCTION_WRITE approval=${approval_id} digest=[0-9a-f]{12}$`)),
    };
    expect(await running).toMatchObject(expected);
    expect(await refusalOf(client.query(text))).toMatchObject(expected);
    // to reconnect is not to ask anew
    const again = await shop.client();
    expect(await refusalOf(again.query(text))).toMatchObject(expected);
    expect((await shop.list()).filter((view) => view.payload_text === text).length).toBe(1);
    expect(shop.relay.ran(text)).toBe(false);
    await client.end();
    await again.end();
  });

  test('in a transaction that did work: refused at once with a hint, no request opens, the work is rolled back', async () => {
    const client = await shop.client();
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 4';
    await client.query('BEGIN');
    await client.query('SELECT n FROM payments WHERE id = 4');
    const refused = await refusalOf(client.query(text));
    expect(refused).toMatchObject({ code: '42501', detail: expect.stringContaining('code=APPROVAL_IN_TRANSACTION') });
    expect(refused.hint).toBe('Send it alone, or first in its transaction.');
    expect((await shop.list()).some((view) => view.payload_text === text)).toBe(false);
    expect((await client.query('COMMIT')).command).toBe('ROLLBACK');
    await client.end();
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'the gateway ends by %s: what was open, approved or used up is so afterwards, and each statement runs once',
    async (signal) => {
      const [held, granted, used] = (signal === 'SIGTERM' ? [5, 6, 7] : [8, 9, 10]) as [number, number, number];
      const text = (id: number): string => `UPDATE payments SET n = n + 1 WHERE id = ${id} /* ${signal} */`;
      const [one, two, three] = [await shop.client(), await shop.client(), await shop.client()];
      const first = refusalOf(one.query(text(held)));
      const open = await shop.opened(text(held));
      const second = refusalOf(two.query(text(granted)));
      const unused = await shop.opened(text(granted));
      socketOf(two).destroy();
      await second;
      await expect
        .poll(async () => (await shop.events()).filter((event) => event.type === 'statement.refused' && event.by === 'cancel').length)
        .not.toBe(0);
      await shop.verdict(unused.approval_id, 'approve');
      const third = three.query(text(used));
      const spent = await shop.opened(text(used));
      await shop.verdict(spent.approval_id, 'approve');
      expect((await third).rowCount).toBe(1);

      using begunMs = stopwatch();
      const ended = once(shop.gateway.process, 'exit');
      shop.gateway.process.kill(signal);
      await ended;
      expect(begunMs.ms()).toBeLessThan(10_000); // nobody waits for a verdict in a process that ends
      const lost = await first;
      if (signal === 'SIGTERM')
        expect(lost).toMatchObject({ severity: 'FATAL', code: 'IL001', detail: `code=APPROVAL_PENDING approval=${open.approval_id}` });
      await shop.restart(signal);

      expect(await shop.show(open.approval_id)).toMatchObject({ state: 'open', payload_text: text(held) });
      expect((await shop.show(unused.approval_id)).state).toBe('approved');
      expect((await shop.show(spent.approval_id)).state).toBe('consumed');
      expect(shop.relay.ran(text(held)) || shop.relay.ran(text(granted))).toBe(false);
      const client = await shop.client();
      expect((await client.query(text(granted))).rowCount).toBe(1);
      await shop.verdict(open.approval_id, 'approve');
      expect((await client.query(text(held))).rowCount).toBe(1);
      const again = refusalOf(client.query(text(used)));
      const anew = await shop.opened(text(used));
      expect(anew.approval_id).not.toBe(spent.approval_id);
      await shop.verdict(anew.approval_id, 'deny');
      expect(await again).toMatchObject({ code: 'IL002' });
      expect([await shop.n(held), await shop.n(granted), await shop.n(used)]).toEqual([1, 1, 1]);
      await client.end();
      const { journal, public_key } = shop.gateway.ready;
      expect(await shop.gateway.interlock('audit', 'verify', '--dir', journal, '--key', public_key)).toMatchObject({ code: 0 });
      // apart, the uses stand in the engine's journal: the two are checked against each other
      const engine = shop.gateway.engine?.running.ready;
      const other = engine === undefined ? [] : ['--dir', engine.journal, '--key', engine.public_key];
      const both = await shop.gateway.interlock('audit', 'verify', '--dir', journal, '--key', public_key, ...other, '--json');
      expect(JSON.parse(both.stdout)).toMatchObject({ verified: true, approvals_elsewhere: 0, problems: [] });
    },
  );
});

describe('verdict first: a wait of a twentieth of a second', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await startShop({ approvals: { wait: '50ms', remember_denial: '1s' } });
  });
  afterAll(() => shop?.[Symbol.asyncDispose]());

  const refused = async (client: pg.Client, text: string): Promise<pg.DatabaseError> => refusalOf(client.query(text));

  test('IL001 names the request, which stays open; once approved, the same statement runs at once and asks nobody', async () => {
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 1';
    const client = await shop.client();
    const pending = await refused(client, text);
    const { approval_id } = await shop.opened(text);
    expect(pending).toMatchObject({ code: 'IL001', detail: expect.stringContaining(`approval=${approval_id}`) });
    expect(await refused(client, text)).toMatchObject({ code: 'IL001', detail: expect.stringContaining(`approval=${approval_id}`) });
    await shop.verdict(approval_id, 'approve');
    expect((await client.query(text)).rowCount).toBe(1);
    expect(await shop.n(1)).toBe(1);
    expect(await refused(client, text)).toMatchObject({ code: 'IL001', detail: expect.not.stringContaining(approval_id) });
    expect(await shop.n(1)).toBe(1);
    await client.end();
  });

  test('a denial is remembered for as long as the configuration says, and then the same statement asks anew', async () => {
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 2';
    const client = await shop.client();
    await refused(client, text);
    const { approval_id } = await shop.opened(text);
    await shop.verdict(approval_id, 'deny', 'no');
    expect(await refused(client, text)).toMatchObject({ code: 'IL002' });
    await expect.poll(async () => (await refused(client, text)).code, { timeout: 5_000 }).toBe('IL001');
    expect((await shop.opened(text)).approval_id).not.toBe(approval_id);
    await client.end();
  });
});
