/** Beside yes and no, on a real target: changes, a grant for a shape, withdrawing, freezes, broken glass with its review. A5, A6. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ApprovalView } from '#schemas/approval';
import { alice, bob, refusalOf, type Shop, startShop } from '#test/support/approval-shop';
import type { TokenOptions } from '#test/support/gateway';

const FREEZE = { id: 'year-end', from: '2020-01-01T00:00:00Z', to: '2099-01-01T00:00:00Z', reason: 'the books are closed' };
const data = (more: object = {}): string =>
  JSON.stringify({
    guardrails: { read_write: ['support'] },
    production_writes: { chain: 'shop' },
    approval_chains: { shop: { stages: [{ id: 'owner', any_of: [{ group: 'owners' }] }], grant: { of: 'shape', uses: 3 }, valid_for_s: 600 } },
    break_glass: [{ id: 'support', groups: ['support'], valid_for_s: 300, review: { any_of: [{ group: 'owners' }] } }],
    ...more,
  });
const policies = join(import.meta.dirname, '..', '..', 'policies');
const approves: TokenOptions = { ...alice, scope: 'approve' };

let shop: Shop;
beforeAll(async () => {
  shop = await startShop({
    approvals: { wait: '30ms' },
    policies: (dir) => {
      writeFileSync(join(dir, 'shop.json'), data());
      return { dir: policies, data: [join(dir, 'shop.json')], watch: true };
    },
  });
});
afterAll(() => shop?.[Symbol.asyncDispose]());

const post = async (who: TokenOptions, id: string, act: string, body: object): Promise<ApprovalView> => {
  const answer = await shop.call(who, `/v1/approvals/${id}/${act}`, body);
  expect(answer).toMatchObject({ status: 200 });
  return answer.body as ApprovalView;
};

test('changes: the client reads the reviewer’s words, and the next request answers that one', async () => {
  const client = await shop.client();
  await refusalOf(client.query('UPDATE payments SET n = n + 1 WHERE id IN (91, 92)'));
  const { approval_id: first } = await shop.opened('id IN (91, 92)');
  await post(bob, first, 'verdict', { outcome: 'changes', comment: 'one row only' });
  expect(await refusalOf(client.query('UPDATE payments SET n = n + 1 WHERE id IN (91, 92)'))).toMatchObject({
    code: 'IL002',
    message: expect.stringContaining('one row only') as string,
  });
  await refusalOf(client.query('UPDATE payments SET n = n + 1 WHERE id = 91'));
  expect(await shop.opened('WHERE id = 91')).toMatchObject({ follows: first });
  expect(await shop.show(first)).toMatchObject({ state: 'changes_requested', comment: 'one row only' });
  await client.end();
});

test('a grant for a shape: other values in the same session, three times, and nothing else', async () => {
  const client = await shop.client();
  await refusalOf(client.query("UPDATE payments SET note = 'a' WHERE id = 1"));
  const { approval_id: id } = await shop.opened("note = 'a'");
  await shop.verdict(id, 'approve');
  for (const row of [1, 2])
    expect(await client.query(`UPDATE payments SET note = 'row ${row}'  WHERE id = ${row} -- done`)).toMatchObject({ rowCount: 1 });
  const other = await shop.client();
  expect(await refusalOf(other.query("UPDATE payments SET note = 'x' WHERE id = 3"))).toMatchObject({ code: 'IL001' });
  expect(await refusalOf(client.query("UPDATE payments SET note = 'x', n = 9 WHERE id = 3"))).toMatchObject({ code: 'IL001' });
  expect(await client.query("UPDATE payments SET note = 'row 3' WHERE id = 3")).toMatchObject({ rowCount: 1 });
  expect(await refusalOf(client.query("UPDATE payments SET note = 'x' WHERE id = 4"))).toMatchObject({ code: 'IL001' });
  await vi.waitFor(async () => {
    const { executions } = await shop.show(id);
    expect(executions?.map(({ outcome, rows }) => [outcome, rows])).toEqual(Array.from({ length: 3 }, () => ['ok', 1]));
  });
  const notes = await shop.server.query<{ note: string | null }>('SELECT note FROM payments WHERE id <= 4 ORDER BY id', 'shop');
  expect(notes.rows.map(({ note }) => note)).toEqual(['row 1', 'row 2', 'row 3', null]);
  await shop.restart('SIGKILL');
  expect((await shop.show(id)).executions?.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok']);
  await Promise.allSettled([client.end(), other.end()]);
});

test('withdrawn before it is used: it runs no more', async () => {
  const client = await shop.client();
  const sql = 'DELETE FROM payments WHERE id = 50';
  await refusalOf(client.query(sql));
  const { approval_id: id } = await shop.opened(sql);
  await shop.verdict(id, 'approve');
  expect(await post(bob, id, 'withdraw', { comment: 'wrong row' })).toMatchObject({ state: 'withdrawn', settled_by: 'bob' });
  expect(await refusalOf(client.query(sql))).toMatchObject({ code: 'IL001' });
  expect(await shop.n(50)).toBe(0);
  await client.end();
});

test('a freeze stops what is approved, names itself, and beats a broken glass; then the glass lets it run, once reviewed by somebody else', async () => {
  const client = await shop.client();
  const sql = 'UPDATE payments SET n = 7 WHERE id = 60';
  await refusalOf(client.query(sql));
  const { approval_id: id } = await shop.opened(sql);
  const glass = await post(approves, id, 'break-glass', { reason: 'the shop is down' });
  expect(glass).toMatchObject({ state: 'approved', glass: { by: 'alice', reason: 'the shop is down', review: 'open' } });
  const freeze = async (freezes: unknown, says: string): Promise<void> => {
    const before = (await shop.call(bob, '/v1/status')).body as { revision: string };
    writeFileSync(join(shop.dir, 'shop.json'), data({ freezes }));
    await vi.waitFor(async () => expect(((await shop.call(bob, '/v1/status')).body as { revision: string }).revision).not.toBe(before.revision), {
      timeout: 20_000,
      interval: 50,
    });
    const refused = await refusalOf(client.query(sql));
    expect(refused).toMatchObject({ code: 'IL001' });
    expect(`${refused.message} ${refused.detail ?? ''}`).toContain(says);
  };
  await freeze([FREEZE], 'year-end');
  await freeze([{ ...FREEZE, form: 'misspelt' }], 'cannot be read');
  expect(shop.gateway.log()).toContain('data.freezes');
  expect(await shop.n(60)).toBe(0);
  writeFileSync(join(shop.dir, 'shop.json'), data());
  await vi.waitFor(async () => expect(await client.query(sql)).toMatchObject({ rowCount: 1 }), { timeout: 20_000, interval: 50 });
  expect(await shop.n(60)).toBe(7);

  // while its review is open, the same human breaks no other
  await refusalOf(client.query('DELETE FROM payments WHERE id = 61'));
  const { approval_id: next } = await shop.opened('id = 61');
  const refused = await shop.call(approves, `/v1/approvals/${next}/break-glass`, { reason: 'again' });
  expect(refused).toMatchObject({ status: 403, body: { error: { code: 'BREAK_GLASS_REVIEW_OPEN' } } });
  const own = await shop.call({ ...approves, groups: ['support', 'owners'] }, `/v1/approvals/${id}/review`, {
    outcome: 'justified',
    comment: 'mine',
  });
  expect(own).toMatchObject({ status: 403, body: { error: { code: 'VERDICT_SELF' } } });
  expect(await post(bob, id, 'review', { outcome: 'justified', comment: 'it was' })).toMatchObject({
    glass: { review: 'justified', reviewed_by: 'bob' },
  });
  await post(approves, next, 'break-glass', { reason: 'again' });
  await client.end();
});

test('the requester takes it back with the token that they connect with', async () => {
  const client = await shop.client();
  await refusalOf(client.query('DELETE FROM payments WHERE id = 70'));
  const { approval_id: id } = await shop.opened('id = 70');
  expect(await post(alice, id, 'cancel', { comment: 'never mind' })).toMatchObject({ state: 'cancelled', settled_by: 'alice' });
  await client.end();
});

test('the command does all of it, and says no as the API does', { timeout: 120_000 }, async () => {
  const file = async (who: TokenOptions): Promise<string> => {
    const path = join(shop.dir, `${who.login}-${who.scope ?? 'connect'}.token`);
    writeFileSync(path, await shop.token(who), { mode: 0o600 });
    return path;
  };
  const [bobs, alices] = [await file(bob), await file(approves)];
  const run = async (...args: readonly string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await shop.gateway.interlock('approvals', ...args, '--json');
    return code === 0 ? JSON.parse(stdout) : { code, stderr };
  };
  const client = await shop.client();
  const held = async (row: number): Promise<string> => {
    await refusalOf(client.query(`DELETE FROM payments WHERE id = ${row} AND n = ${row}`));
    return (await shop.opened(`n = ${row}`)).approval_id;
  };

  const one = await held(80);
  expect(await run('changes', one, '--token-file', bobs)).toMatchObject({ code: 2 });
  expect(await run('changes', one, '--comment', 'not this one', '--token-file', bobs)).toMatchObject({ state: 'changes_requested' });
  const two = await held(81);
  expect(await run('approve', two, '--seen', '000000000000', '--token-file', bobs)).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('VERDICT_UNSEEN') as string,
  });
  const { payload_digest: digest = '', follows } = await shop.show(two);
  expect(follows).toBe(one);
  expect(await run('approve', two, '--seen', digest.slice(7, 19), '--token-file', bobs)).toMatchObject({ state: 'approved' });
  expect(await run('withdraw', two, '--comment', 'no', '--token-file', bobs)).toMatchObject({ state: 'withdrawn', detail: 'no' });
  const three = await held(82);
  expect(await run('break-glass', three, '--reason', 'down', '--token-file', bobs)).toMatchObject({ code: 5 });
  // the review of the one before, if that is still open
  for (const { approval_id: id } of (await run('list', '--box', 'reviews', '--token-file', bobs)) as readonly { approval_id: string }[]) {
    expect(await run('review', id, 'unjustified', '--comment', 'seen', '--token-file', bobs)).toMatchObject({ glass: { review: 'unjustified' } });
  }
  expect(await run('break-glass', three, '--reason', 'down', '--token-file', alices)).toMatchObject({ state: 'approved', glass: { reason: 'down' } });
  expect(await run('cancel', three, '--token-file', alices)).toMatchObject({ state: 'cancelled' });
  expect(await run('review', three, 'justified', '--comment', 'it was', '--token-file', bobs)).toMatchObject({ glass: { review: 'justified' } });

  const given = (await run('delegate', '--to', 'dora', '--until', '2h', '--reason', 'on leave', '--token-file', bobs)) as { delegation_id: string };
  expect(given).toMatchObject({ from: 'bob', to: 'dora', state: 'in_force', reason: 'on leave' });
  const four = await held(83);
  expect(
    await run('deny', four, '--comment', 'in bob’s place', '--token-file', await file({ login: 'dora', groups: [], scope: 'approve' })),
  ).toMatchObject({
    state: 'denied',
    denied_by: 'dora',
  });
  expect(await run('delegations', '--end', given.delegation_id, '--token-file', bobs)).toMatchObject({ state: 'ended' });
  expect(await run('delegations', '--token-file', bobs)).toMatchObject([{ delegation_id: given.delegation_id, state: 'ended' }]);
  await client.end();
});
