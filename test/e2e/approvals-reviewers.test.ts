/** Who may decide (A4), and what they and the requester are shown (A7, M8). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type pg from 'pg';
import type { ApprovalView } from '#schemas/approval';
import { alice, bob, refusalOf, type Shop, startShop } from '#test/support/approval-shop';
import type { TokenOptions } from '#test/support/gateway';

let shop: Shop;
beforeAll(async () => {
  shop = await startShop({ approvals: { wait: '30ms' } });
});
afterAll(() => shop?.[Symbol.asyncDispose]());

async function requested(
  text: string,
  who: TokenOptions = alice,
  values: readonly unknown[] = [],
): Promise<{ view: ApprovalView; refused: pg.DatabaseError; notice: object }> {
  const client = await shop.client(who);
  let notice = {};
  client.on('notice', ({ message, detail, hint }) => (notice = { message, detail, hint }));
  const refused = await refusalOf(client.query(text, [...values]));
  await client.end();
  return { view: await shop.opened(text), refused, notice };
}

async function command(who: TokenOptions, ...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const file = join(shop.dir, 'who.token');
  writeFileSync(file, await shop.token(who), { mode: 0o600 });
  return shop.gateway.interlock('approvals', ...args, '--token-file', file);
}

describe('A4: a verdict of somebody who may not give it is exit 5, counts nowhere, and leaves the request open', () => {
  let open: ApprovalView;
  beforeAll(async () => {
    ({ view: open } = await requested('UPDATE payments SET n = n + 1 WHERE id = 1'));
  });

  const owners = ['owners'];
  const REFUSED: readonly (readonly [string, TokenOptions, string])[] = [
    ['the requester', { ...alice, groups: owners, scope: 'approve' }, 'VERDICT_SELF'],
    ['the requester, with another spelling of the login', { login: 'ALICE', groups: owners, scope: 'approve' }, 'VERDICT_SELF'],
    ['an agent of the requester', { login: 'bot', groups: owners, type: 'agent', for: 'alice' }, 'AUTH_SCOPE'],
    ['a service account', { login: 'robot', groups: owners, type: 'service' }, 'AUTH_SCOPE'],
    ['an agent of an owner', { login: 'bot', groups: owners, type: 'agent', for: 'bob' }, 'AUTH_SCOPE'],
    ['an owner with a token for data', { login: 'bob', groups: owners, scope: 'connect' }, 'AUTH_SCOPE'],
    ['somebody who is not asked', { login: 'mallory', groups: ['support'], scope: 'approve' }, 'VERDICT_NOT_ELIGIBLE'],
  ];
  test.each(REFUSED)('%s', async (_what, who, code) => {
    for (const outcome of ['approve', 'deny'] as const) {
      const answer = await shop.call(who, `/v1/approvals/${open.approval_id}/verdict`, { outcome });
      expect(answer).toMatchObject({ status: expect.toSatisfy((status: number) => status === 401 || status === 403), body: { error: { code } } });
    }
    const said = await command(who, 'approve', open.approval_id);
    expect(said).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining(`(${code})`) });
    expect(await shop.show(open.approval_id)).toMatchObject({ state: 'open', progress: [{ approved_by: [] }] });
  });

  test.each([{ type: 'service' }, { type: 'agent', for: 'bob' }] as const)(
    'the local issuer makes no token for verdicts for a $type',
    async (what) => {
      await expect(shop.token({ login: 'robot', groups: owners, scope: 'approve', ...what })).rejects.toThrow(
        'only a user’s token can have the scope approve',
      );
    },
  );

  test('the owner of an agent does not decide for it; somebody else does', async () => {
    const agent: TokenOptions = { login: 'helper', groups: ['support'], type: 'agent', for: 'bob' };
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 2';
    const { view } = await requested(text, agent);
    expect(await shop.call(bob, `/v1/approvals/${view.approval_id}/verdict`, { outcome: 'approve' })).toMatchObject({
      body: { error: { code: 'VERDICT_SELF' } },
    });
    const dora: TokenOptions = { login: 'dora', groups: owners, scope: 'approve' };
    expect(await command(dora, 'show', view.approval_id)).toMatchObject({ stdout: expect.stringContaining('agent helper (support) for bob') });
    expect(await command(dora, 'approve', view.approval_id)).toMatchObject({ code: 0, stdout: expect.stringContaining('is approved') });
    const client = await shop.client(agent);
    expect((await client.query(text)).rowCount).toBe(1);
    await client.end();
  });

  test('what is settled is settled', async () => {
    const { view } = await requested('UPDATE payments SET n = n + 1 WHERE id = 3');
    await shop.verdict(view.approval_id, 'deny', 'no');
    expect(await command(bob, 'approve', view.approval_id)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it is denied (VERDICT_CLOSED)'),
    });
  });
});

describe('what is shown', () => {
  let seen: Awaited<ReturnType<typeof requested>>;
  const text = 'UPDATE payments SET n = n + $1, note = $2 WHERE id = $3';
  beforeEach(async () => {
    seen ??= await requested(text, alice, [1, '\u001b[2J\u202e', 4]);
  });

  test('to the requester: what for, who may decide until when, and the command to send them', () => {
    const { view, refused, notice } = seen;
    const hint = `group owners may decide until ${view.expires_at.slice(0, 16).replace('T', ' ')} UTC: interlock approvals approve ${view.approval_id} --token-file FILE (${shop.gateway.ready.api}/approvals/${view.approval_id})`;
    const detail = expect.stringMatching(
      new RegExp(
        `^decision=dec_\\S+ policy=postgres.production_writes code=PRODUCTION_WRITE approval=${view.approval_id} digest=${view.payload_digest?.slice(7, 19)}$`,
      ),
    );
    expect(notice).toEqual({ message: `held for approval ${view.approval_id}`, detail, hint });
    expect(refused).toMatchObject({
      message: `not approved in time: ${view.approval_id} stays open`,
      detail,
      hint: `${hint}; then run the same statement again`,
    });
  });

  test('to the reviewer: who, where, under what, what it does, exactly what, and how to decide', async () => {
    const { view } = seen;
    const { code, stdout } = await command(bob, 'show', view.approval_id);
    expect(code).toBe(0);
    const minute = (time: string): string => `${time.slice(0, 16).replace('T', ' ')} UTC`;
    expect(stdout.split('\n')).toEqual([
      `${view.approval_id} is open`,
      `asked by   user alice (support) at ${minute(view.requested_at)}`,
      'target     shop, database shop, role postgres, not in a transaction',
      expect.stringMatching(/^under {6}search_path "\$user", public; datestyle ISO, MDY; intervalstyle postgres; timezone \S+$/),
      expect.stringMatching(/^does {7}sets n = n \+ \$1 \('1'\), note = \$2 \('‹U\+001B ESCAPE›/),
      expect.stringMatching(/^ {11}.*where id = \$3/),
      'because    PRODUCTION_WRITE: Changing public.payments in production needs an approval.',
      `statement  ${text.length} bytes, 1 line, 1 statement, digest ${view.payload_digest?.slice(7, 19)}`,
      expect.stringContaining('  ! 2 hidden characters'),
      `  1 | ${text}`,
      expect.stringMatching(/^ +\$1 \| '1' /),
      expect.stringMatching(/^ +\$2 \| '‹U\+001B ESCAPE›\[2J‹U\+202E RIGHT-TO-LEFT OVERRIDE›/),
      expect.stringMatching(/^ +\$3 \| '4' /),
      expect.stringMatching(/^estimate {3}about 1 row; more than 10 are rolled back$/),
      ...Array.from({ length: 3 }, () => expect.stringMatching(/^ {11}/) as unknown),
      'stage      owner: 0 of 1 (group owners)',
      `expires    ${minute(view.expires_at)}`,
      ...stdout.split('\n').filter((line) => line.startsWith('earlier    ')),
      `${view.requested_at.slice(11, 16)}      alice asked for approval`,
      'you may    approve, deny, changes',
      `to decide  interlock approvals approve ${view.approval_id} --seen ${view.payload_digest?.slice(7, 19)} --token-file FILE`,
      '',
    ]);
    const listed = await command(bob, 'list', '--state', 'open');
    expect(listed.stdout).toContain(view.approval_id);
  });

  test('the reviewer’s words cannot drive the requester’s terminal, nor the reviewer’s own', async () => {
    const evil = 'UPDATE payments SET n = n + 1 /*\u202e*/ WHERE id = 5 --\u001b]0;x\u0007';
    const client = await shop.client();
    await refusalOf(client.query(evil));
    const { approval_id } = await shop.opened('id = 5');
    const denied = await command(bob, 'deny', approval_id, '--comment', 'no \u001b[2J\u202e way');
    expect(denied.code).toBe(0);
    const refused = await refusalOf(client.query(evil));
    await client.end();
    expect(refused).toMatchObject({ code: 'IL002' });
    const shown = await command(bob, 'show', approval_id);
    expect(shown.stdout).toContain('is denied by bob');
    expect(shown.stdout).toContain('comment    no ‹U+001B ESCAPE›[2J‹U+202E RIGHT-TO-LEFT OVERRIDE› way');
    expect(shown.stdout).toContain('/*‹U+202E RIGHT-TO-LEFT OVERRIDE›*/');
    for (const said of [refused.message, refused.hint ?? '', shown.stdout, denied.stdout])
      expect(said.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});
