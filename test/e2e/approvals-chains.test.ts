/** Chains by name over the shipped policies: directory, calendar, Rego set, delegation and time decide who may, on a real gateway and server (A4, A6). */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ApprovalView } from '#schemas/approval';
import { alice, bob, refusalOf, type Shop, startShop } from '#test/support/approval-shop';
import type { TokenOptions } from '#test/support/gateway';

const who = (login: string, groups: string[] = []): TokenOptions => ({ login, groups, scope: 'approve' });
const [erin, dave, olga, zoe, sam] = ['erin', 'dave', 'olga', 'zoe', 'sam'].map((login) => who(login)) as TokenOptions[];

const CALENDAR = [
  'BEGIN:VCALENDAR',
  'VERSION:2.0',
  'PRODID:-//x//x//EN',
  'BEGIN:VEVENT',
  'UID:1@x',
  'DTSTART;VALUE=DATE:20200101',
  'DURATION:P1D',
  'RRULE:FREQ=DAILY',
];
const SETS = `package approvers

leads contains {"user": lead} if {
	some lead in data.teams[input.target.labels.team]
	lead != input.requester.properties.login
}
`;

/** One chain for each row, by its `id`: the pack takes the name from data, and a rule of the shop's own picks it. */
const RULE = `package policies.shop.chains

require_approval contains {"code": "CHAIN", "reason": "by its chain", "chain": name} if {
	input.stage == "request"
	some name, tables in data.chains_of
	some effect in input.sql.effects
	effect.verb == "update"
	effect.object.name in tables
}

allow contains {"code": "SHOP", "reason": "the shop's own"} if input.stage == "request"
`;

const data = (lead: string, role: string): object => ({
  guardrails: { read_write: ['support'] },
  production_writes: { environments: [] },
  chains_of: {
    three: ['payments'],
    role: ['roles'],
    late: ['late'],
    denied: ['denied'],
    nobody: ['nobody'],
    delegated: ['delegated'],
    grouped: ['grouped'],
  },
  teams: { billing: ['alice', lead] },
  approval_chains: {
    three: {
      stages: [
        { id: 'owner', any_of: [{ ref: 'directory:owner' }] },
        { id: 'duty', any_of: [{ ref: 'oncall:shop' }], reason_required: true },
        { id: 'lead', any_of: [{ ref: 'rego:leads' }] },
      ],
    },
    role: { stages: [{ id: 'role', any_of: [{ ref: 'directory:role/keepers' }] }], grant: { of: 'statement', uses: 5 }, valid_for_s: 600 },
    late: { stages: [{ id: 'late', any_of: [{ user: 'nobody-home' }], escalate: [{ after_s: 1, add: [{ user: 'sam' }] }] }] },
    denied: { stages: [{ id: 'denied', any_of: [{ group: 'owners' }], deny_after_s: 1 }] },
    nobody: { stages: [{ id: 'empty', any_of: [{ ref: 'directory:role/empty' }, { ref: 'oncall:other' }] }] },
    grouped: { stages: [{ id: 'grouped', any_of: [{ group: 'keepers' }] }], grant: { of: 'statement', uses: 5 }, valid_for_s: 600 },
    delegated: { stages: [{ id: 'boss', any_of: [{ user: 'erin' }] }] },
  },
  directory: {
    people: [{ id: 'olga', logins: ['olga', 'olga.admin'] }],
    owners: [{ target: 'shop', table: 'public.payments', approvers: [{ user: 'erin' }, { user: 'olga.admin' }] }],
    roles: { keepers: [{ user: role }], empty: [] },
  },
});

let shop: Shop;
beforeAll(async () => {
  shop = await startShop({
    policies: (dir) => {
      const policies = join(dir, 'policies');
      cpSync(join(import.meta.dirname, '..', '..', 'policies', 'postgres'), join(policies, 'postgres'), { recursive: true });
      mkdirSync(join(policies, 'shop'));
      writeFileSync(join(policies, 'shop', 'approvers.rego'), SETS);
      writeFileSync(join(policies, 'shop', 'chains.rego'), RULE);
      writeFileSync(join(dir, 'duty.ics'), [...CALENDAR, 'SUMMARY:dave', 'END:VEVENT', 'END:VCALENDAR'].join('\r\n'));
      writeFileSync(join(dir, 'chains.json'), JSON.stringify(data('olga', 'erin')));
      return { dir: policies, data: [join(dir, 'chains.json')], watch: true };
    },
    target: { labels: { team: 'billing' } },
    approvals: { sources: { oncall: { shop: { file: 'duty.ics' } } } },
  });
  for (const table of ['roles', 'late', 'denied', 'nobody', 'delegated', 'grouped']) {
    await shop.server.query(
      `CREATE TABLE ${table} (id int PRIMARY KEY, n int); INSERT INTO ${table} SELECT i, 0 FROM generate_series(1, 9) i`,
      'shop',
    );
  }
});
afterAll(() => shop?.[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly view: ApprovalView;
}
async function decide(id: string, by: TokenOptions, comment?: string, outcome = 'approve'): Promise<Answer> {
  const { status, body } = await shop.call(by, `/v1/approvals/${id}/verdict`, { outcome, ...(comment !== undefined && { comment }) });
  return { status, code: (body as { error?: { code: string } }).error?.code, view: body as ApprovalView };
}

test('three stages: an owner by the directory, whoever has the shift, a lead by a Rego set; one human in one stage', async () => {
  const client = await shop.client(alice);
  const refused = refusalOf(client.query('UPDATE payments SET n = n + 1 WHERE id = 1'));
  const { approval_id: id, progress, requirement } = await shop.opened('WHERE id = 1');
  expect(requirement.chains).toEqual(['three']);
  expect(progress.map(({ asks, state }) => [asks, state])).toEqual([
    [['directory: owner (erin, olga.admin)'], 'asked'],
    [['on call: shop (dave)'], 'waiting'],
    [['rego: leads (olga)'], 'waiting'],
  ]);
  expect((await decide(id, bob)).code).toBe('VERDICT_NOT_ELIGIBLE');
  expect((await decide(id, dave as TokenOptions, 'fine')).code).toBe('VERDICT_NOT_ELIGIBLE');
  // olga owns it by her other account; as a lead she is the same human, and counts once
  expect((await decide(id, who('olga.admin'))).status).toBe(200);
  expect((await decide(id, dave as TokenOptions)).code).toBe('VERDICT_REASON');
  expect((await decide(id, dave as TokenOptions, 'on duty, looked at it')).status).toBe(200);
  expect((await decide(id, olga as TokenOptions)).code).toBe('VERDICT_NOT_ELIGIBLE');
  expect(await shop.n(1)).toBe(0);
  expect((await decide(id, erin as TokenOptions, undefined, 'deny')).view.state).toBe('denied');
  expect((await refused).code).toBe('IL002');

  const second = client.query('UPDATE payments SET n = n + 1 WHERE id = 2');
  const again = await shop.opened('WHERE id = 2');
  for (const [by, words] of [[erin], [dave, 'again'], [olga]] as [TokenOptions, string?][]) {
    expect((await decide(again.approval_id, by, words)).status).toBe(200);
  }
  expect((await second).rowCount).toBe(1);
  await client.end();
});

test('who is no longer asked counts no more at use: the approval was given by a keeper who is none now', async () => {
  const client = await shop.client(alice);
  const statement = 'UPDATE roles SET n = n + 1 WHERE id = 1';
  const first = client.query(statement);
  const { approval_id: id } = await shop.opened('UPDATE roles');
  expect((await decide(id, erin as TokenOptions)).view.state).toBe('approved');
  await first;
  expect((await client.query(statement)).rowCount).toBe(1);
  const before = shop.gateway.ready.revision;
  writeFileSync(join(shop.dir, 'chains.json'), JSON.stringify(data('olga', 'frank')));
  await vi.waitFor(async () => expect((await shop.call(bob, '/v1/status')).body).not.toMatchObject({ revision: before }), {
    timeout: 20_000,
    interval: 50,
  });
  const refused = await refusalOf(client.query(statement));
  expect([refused.code, refused.message]).toEqual(['IL003', expect.stringContaining('its quorum is not met')]);
  expect((await shop.server.query<{ n: number }>('SELECT n FROM roles WHERE id = 1', 'shop')).rows).toEqual([{ n: 2 }]);
  await client.end();
});

test('a group that was lost since the verdict: the newest token that this engine has seen lacks it', async () => {
  const client = await shop.client(alice);
  const statement = 'UPDATE grouped SET n = n + 1 WHERE id = 1';
  const first = client.query(statement);
  const { approval_id: id } = await shop.opened('UPDATE grouped');
  const gus = who('gus', ['keepers', 'others']);
  expect((await decide(id, gus)).view.state).toBe('approved');
  await first;
  expect((await client.query(statement)).rowCount).toBe(1);
  // somebody else's loss is not theirs, and a group that was never asked does not matter
  await shop.call(who('eve', []), '/v1/approvals');
  await shop.call(who('gus', ['keepers']), '/v1/approvals');
  expect((await client.query(statement)).rowCount).toBe(1);
  await shop.call(who('gus', ['others']), '/v1/approvals');
  // the token of the verdict is older: it brings nothing back
  await shop.call(gus, '/v1/approvals');
  expect((await refusalOf(client.query(statement))).message).toContain('its quorum is not met');
  await client.end();
});

test('after a time more people are asked, and nothing less is required; after another the request is denied', async () => {
  const client = await shop.client(alice);
  const update = client.query('UPDATE late SET n = 1 WHERE id = 1');
  const { approval_id: id, progress } = await shop.opened('UPDATE late');
  expect(progress).toMatchObject([{ asks: ['nobody-home'], escalates_at: expect.any(String) }]);
  await vi.waitFor(async () => expect((await shop.show(id)).progress[0]?.asks).toEqual(['nobody-home', 'sam']), { timeout: 10_000, interval: 50 });
  expect((await decide(id, erin as TokenOptions)).code).toBe('VERDICT_NOT_ELIGIBLE');
  expect((await decide(id, sam as TokenOptions)).view.state).toBe('approved');
  await update;
  const refused = await refusalOf(client.query('UPDATE denied SET n = 1 WHERE id = 1'));
  expect([refused.code, refused.message]).toEqual(['IL002', expect.stringMatching(/stage denied was not decided within 1 s|denied/)]);
  await client.end();
  const events = await shop.events();
  expect(events).toContainEqual(expect.objectContaining({ type: 'approval.escalated', stage: 'late', added: [{ user: 'sam' }] }));
  expect(events).toContainEqual(
    expect.objectContaining({ type: 'approval.settled', outcome: 'denied', detail: 'stage denied was not decided within 1 s' }),
  );
});

test('what nobody could ever approve is refused at once, and says why', async () => {
  const client = await shop.client(alice);
  const refused = await refusalOf(client.query('UPDATE nobody SET n = 1 WHERE id = 1'));
  expect(refused.message).toContain('nobody can approve stage empty: directory:role/empty names nobody, oncall:other does not answer');
  await client.end();
});

test('a delegation opened after the request lets the delegate decide it; the verdict names it, also after a restart', async () => {
  const client = await shop.client(alice);
  const waiting = client.query('UPDATE delegated SET n = 1 WHERE id = 1').catch((error: Error) => error);
  const { approval_id: id } = await shop.opened('UPDATE delegated');
  expect((await decide(id, zoe as TokenOptions)).code).toBe('VERDICT_NOT_ELIGIBLE');
  const now = Date.now();
  const ask = { to: 'zoe', starts: new Date(now).toISOString(), ends: new Date(now + 3_600_000).toISOString(), reason: 'at the dentist' };
  const opened = await shop.call(erin as TokenOptions, '/v1/delegations', ask);
  expect(opened).toMatchObject({ body: { from: 'erin', to: 'zoe', state: expect.stringMatching(/in_force|planned/) } });
  // a token for data delegates nothing
  expect((await shop.call(alice, '/v1/delegations', ask)).status).toBeGreaterThanOrEqual(400);
  await shop.restart('SIGKILL');
  await waiting;
  expect((await decide(id, zoe as TokenOptions)).view.state).toBe('approved');
  const { delegation_id: delegation } = opened.body as { delegation_id: string };
  expect(await shop.events()).toContainEqual(expect.objectContaining({ type: 'approval.verdict', approval_id: id, delegation }));
  const after = await shop.client(alice);
  expect((await after.query('UPDATE delegated SET n = 1 WHERE id = 1')).rowCount).toBe(1);
  await after.end();
});

test('the doctor reads the calendars, says who is on call, and which calendar a chain asks for in vain', async () => {
  const { stdout } = await shop.gateway.interlock('doctor', '--json');
  const { checks } = JSON.parse(stdout) as { checks: { id: string; ok: boolean; value: string }[] };
  expect(checks.find(({ id }) => id === 'oncall.shop')).toMatchObject({
    ok: true,
    value: expect.stringMatching(/^dave now; [12] shifts? within 60 minutes$/),
  });
  expect(checks.find(({ id }) => id === 'policies')).toMatchObject({ ok: false, value: expect.stringContaining('oncall:other') });
});
