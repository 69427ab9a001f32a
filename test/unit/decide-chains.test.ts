/** DESIGN §4, chains by name: what a policy names, narrows and misspells, through the real build and the compiled WASM. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Decision, Requirement } from '#schemas/decision';
import { buildPolicies } from '#engine/decide/bundle';
import { combine } from '#engine/decide/combine';
import { chainsOf } from '#engine/decide/chains';
import { openDecisionService } from '#engine/decide/service';
import type { ApprovalAsked, PackageAnswer } from '#engine/decide/policy-result';
import { systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { HandFacts, moment, noMasks, opaProgram, openService, policyFolder, scope } from '#test/support/decide';

const CHAINS = {
  payments: {
    description: 'two stages',
    stages: [
      { id: 'owner', any_of: [{ ref: 'directory:owner' }] },
      { id: 'dba', any_of: [{ group: 'dba' }, { user: 'erin' }], quorum: 2, escalate: [{ after_s: 600, add: [{ group: 'sre' }] }] },
    ],
    grant: { of: 'shape', uses: 5 },
    valid_for_s: 3600,
    rows_max: 1000,
    schedules: [{ time_zone: 'Europe/Zurich', windows: [{ days: ['mon'], from: '08:00', to: '17:00' }] }],
  },
  // its stages would be sorted by name if their place did not count
  short: {
    stages: [
      { id: 'z', any_of: [{ group: 'a' }] },
      { id: 'a', any_of: [{ group: 'b' }] },
    ],
  },
};

function asking(item: object): string {
  return `package policies.shop.changes\n\nrequire_approval contains ${JSON.stringify({ code: 'CHANGE', reason: 'a change', ...item })} if input.stage == "request"\n`;
}

async function decided(files: Record<string, string>, data: Record<string, unknown> | null = null): Promise<Decision> {
  await using folder = await policyFolder(files);
  const service = await openService(folder.dir);
  try {
    if (data !== null) {
      const { subject, resource } = scope();
      return (await service.dryRun({ subject, resource, action: 'sql.execute', statement: 'UPDATE payments', data })).decision;
    }
    const session = service.openSession(scope());
    const read = await session.read(Buffer.from('UPDATE payments'), {});
    return (await session.decide(read, moment())).decision;
  } finally {
    service.close();
  }
}

const withChains = (item: object, chains: object = CHAINS): Record<string, string> => ({
  'changes.rego': asking(item),
  'data.json': JSON.stringify({ approval_chains: chains }),
});

describe('a chain by name', () => {
  test('is what the statement needs, whole', async () => {
    const { effect, approval } = await decided(withChains({ chain: 'payments' }));
    expect(effect).toBe('require_approval');
    expect(approval).toMatchObject({
      stages: [
        { id: 'owner', order: 1, any_of: [{ ref: 'directory:owner' }], quorum: 1 },
        { id: 'dba', order: 2, any_of: [{ group: 'dba' }, { user: 'erin' }], quorum: 2, escalate: [{ after_s: 600, add: [{ group: 'sre' }] }] },
      ],
      grant: { of: 'shape', uses: 5 },
      bind_session: true,
      valid_for_s: 3600,
      expires_in_s: 86_400,
      rows_max: 1000,
      schedules: CHAINS.payments.schedules,
      chains: ['payments'],
    });
  });

  test('keeps the order of its list', async () => {
    const { approval } = await decided(withChains({ chain: 'short' }));
    expect(approval?.stages.map(({ id }) => id)).toEqual(['z', 'a']);
  });

  test('is looked up when the rule takes the name from data', async () => {
    const files = {
      'changes.rego':
        'package policies.shop.changes\n\nrequire_approval contains {"code": "CHANGE", "reason": "x", "chain": data.shop.chain} if input.stage == "request"\n',
    };
    const documents = { 'data.json': JSON.stringify({ approval_chains: CHAINS, shop: { chain: 'short' } }) };
    const known = await decided({ ...files, ...documents });
    expect(known.approval?.chains).toEqual(['short']);
    // what only a dry run brings in was not seen by the build
    const unknown = await decided({ ...files, ...documents }, { approval_chains: CHAINS, shop: { chain: 'shorter' } });
    expect(unknown).toMatchObject({
      effect: 'deny',
      reasons: [
        {
          policy: 'interlock',
          code: 'APPROVAL_CHAIN',
          reason: 'shop.changes asks for the approval chain "shorter", which is not in data.approval_chains',
        },
      ],
    });
  });
});

function requirement(items: readonly Omit<ApprovalAsked, 'code' | 'reason'>[]): Requirement {
  const answer: PackageAnswer = {
    policy: 'a.b',
    shadow: false,
    allow: [],
    deny: [],
    mask: [],
    obligation: [],
    require_approval: items.map((item) => ({ code: 'X', reason: 'x', ...item })),
  };
  const { judgement } = combine([answer], { revision: '', supportedObligations: [], chains: chainsOf(CHAINS) });
  if (!judgement.approval) throw new Error(JSON.stringify(judgement.reasons));
  return judgement.approval;
}

describe('what stands beside the name narrows, and never widens', () => {
  test.each<[string, Omit<ApprovalAsked, 'code' | 'reason'>, object]>([
    ['a shorter time', { valid_for_s: 60 }, { valid_for_s: 60 }],
    ['a longer time does not count', { valid_for_s: 7200, expires_in_s: 999_999 }, { valid_for_s: 3600, expires_in_s: 86_400 }],
    ['fewer uses', { grant: { of: 'statement', uses: 1 } }, { grant: { of: 'statement', uses: 1 } }],
    ['more uses do not count', { grant: { of: 'shape', uses: null } }, { grant: { of: 'shape', uses: 5 } }],
    ['a lower ceiling', { rows_max: 10 }, { rows_max: 10 }],
    ['a higher ceiling does not count', { rows_max: 10_000 }, { rows_max: 1000 }],
    [
      'fewer approvers',
      { stages: [{ id: 'dba', any_of: [{ user: 'erin' }, { user: 'mallory' }] }] },
      { stages: [{ id: 'owner' }, { id: 'dba', any_of: [{ user: 'erin' }], quorum: 2 }] },
    ],
    [
      'one stage more',
      { stages: [{ id: 'boss', any_of: [{ user: 'bo' }] }] },
      { stages: [{ id: 'owner' }, { id: 'dba' }, { id: 'boss', any_of: [{ user: 'bo' }] }] },
    ],
  ])('%s', (_name, beside, expected) => {
    const whole = requirement([{ chain: 'payments' }]);
    const narrowed = requirement([{ chain: 'payments', ...beside }]);
    expect(narrowed).toMatchObject(expected);
    const same = JSON.stringify({ ...narrowed, digest: '' }) === JSON.stringify({ ...whole, digest: '' });
    expect(narrowed.digest === whole.digest).toBe(same);
  });

  test('the session is bound where the chain does not bind it', () => {
    expect(requirement([{ chain: 'short' }]).bind_session).toBe(false);
    expect(requirement([{ chain: 'short', bind_session: true }]).bind_session).toBe(true);
  });

  test('another schedule holds as well, not instead', () => {
    const night = { time_zone: 'UTC', windows: [{ days: ['sun' as const], from: '00:00', to: '24:00' }] };
    expect(requirement([{ chain: 'payments', schedules: [night] }]).schedules).toHaveLength(2);
  });

  test('nobody is added by escalation whom the chain does not name at that time', () => {
    const mallory = [{ user: 'mallory' }];
    const beside = { stages: [{ id: 'dba', any_of: [{ group: 'dba' }], escalate: [{ after_s: 1, add: [{ group: 'sre' }, ...mallory] }] }] };
    const [, dba] = requirement([{ chain: 'payments', ...beside }]).stages;
    expect(dba).toMatchObject({ any_of: [{ group: 'dba' }], escalate: [{ after_s: 600, add: [{ group: 'sre' }] }] });
  });

  test('two packages that ask for different acr ask for what nobody has', () => {
    const step_up = (acr: string): Omit<ApprovalAsked, 'code' | 'reason'> => ({
      stages: [{ id: 's', any_of: [{ group: 'g' }], step_up: { acr, max_age_s: 60 } }],
    });
    expect(requirement([step_up('mfa')]).stages[0]).toMatchObject({ step_up: { acr: 'mfa', max_age_s: 60 } });
    expect(() => requirement([step_up('mfa'), step_up('hw')])).toThrow(/POLICY_RESULT.*two different `acr`/);
  });
});

describe('what the build finds, with file and key', () => {
  const build = async (files: Record<string, string>): Promise<string> => {
    await using folder = await policyFolder(files);
    return await buildPolicies(folder.dir, { data: [], opa: opaProgram }).then(
      () => 'built',
      (error: Error) => error.message,
    );
  };
  const stage = { id: 's', any_of: [{ group: 'g' }] };

  test.each([
    [
      'a name that is in no document',
      { chain: 'paymnets' },
      CHAINS,
      'changes.rego:3: the approval chain "paymnets" is not in data.approval_chains: there are payments, short',
    ],
    ['no stages', { chain: 'a' }, { a: { stages: [] } }, 'data.json: data.approval_chains.a.stages must not have fewer than 1 items'],
    [
      'a quorum of none',
      { chain: 'a' },
      { a: { stages: [{ ...stage, quorum: 0 }] } },
      'data.json: data.approval_chains.a.stages.0.quorum must be >= 1',
    ],
    [
      'a misspelt key',
      { chain: 'a' },
      { a: { stages: [{ ...stage, quorom: 2 }] } },
      'data.json: data.approval_chains.a.stages.0.quorom is not known there',
    ],
    [
      'one id for two stages',
      { chain: 'a' },
      { a: { stages: [stage, stage] } },
      'data.json: data.approval_chains.a.stages has two stages with the id "s"',
    ],
    [
      'no such time zone',
      { chain: 'a' },
      { a: { stages: [stage], schedules: [{ time_zone: 'Mars/Base', windows: CHAINS.payments.schedules[0]?.windows }] } },
      'data.json: data.approval_chains.a.schedules names "Mars/Base", which is no time zone (IANA: Europe/Zurich)',
    ],
    [
      'a source that is none',
      { chain: 'a' },
      { a: { stages: [{ ...stage, escalate: [{ after_s: 1, add: [{ ref: 'directory:chief' }] }] }] } },
      'data.json: data.approval_chains.a asks for "directory:chief", which is not there: directory:manager, directory:owner, oncall:NAME',
    ],
    [
      'a role that nobody has',
      { chain: 'a' },
      { a: { stages: [{ ...stage, any_of: [{ ref: 'directory:role/lead' }] }] } },
      'data.json: data.approval_chains.a asks for "directory:role/lead", which is not there: directory:manager, directory:owner, oncall:NAME',
    ],
    [
      'a set that no rule has',
      { chain: 'a' },
      { a: { stages: [{ ...stage, any_of: [{ ref: 'rego:people' }] }] } },
      'data.json: data.approval_chains.a asks for "rego:people", which is not there: directory:manager, directory:owner, oncall:NAME',
    ],
    ['no object', { chain: 'a' }, [], 'data.json: data.approval_chains must be an object: names with their chains'],
    ['a good one', { chain: 'short' }, CHAINS, 'built'],
  ])('%s', async (_name, item, chains, message) => {
    expect(await build(withChains(item, chains))).toBe(message);
  });

  const computed =
    'package policies.shop.changes\n\nrequire_approval contains {"code": "C", "reason": "x", "chain": chain} if input.stage == "request"\n\nchain := data.shop[input.resource.id].chain\n';
  const direct = computed.replace('"chain": chain}', '"chain": data.shop.approval}').replace(/\nchain := .*\n/, '');
  const there = 'which is not in data.approval_chains: there are payments, short';

  test.each<readonly [what: string, rules: string, data: object, message: string]>([
    ['by a path that is known', direct, { shop: { approval: 'shrot' } }, `data.json: data.shop.approval names the approval chain "shrot", ${there}`],
    ['that is no text', direct, { shop: { approval: ['short'] } }, `data.json: data.shop.approval names the approval chain ["short"], ${there}`],
    [
      'by a path that shows later',
      computed,
      { shop: { a: { chain: 'short' }, b: { chain: 'shrot' } } },
      `data.json: data.shop.b.chain names the approval chain "shrot", ${there}`,
    ],
    ['in a list', computed, { shop: [{ chain: 'shrot' }] }, `data.json: data.shop.0.chain names the approval chain "shrot", ${there}`],
    ['that is there', computed, { shop: { a: { chain: 'short' } } }, 'built'],
    ['nowhere', direct, { shop: {} }, 'built'],
    ['that says nothing', direct, { shop: { approval: null } }, 'built'],
    ['in a document that the package does not read', computed, { shop: {}, hotels: { chain: 'Hilltop' } }, 'built'],
    ['for something that is called so', computed, { shop: { tools: { chain: {} } } }, 'built'],
    ['beside a path that is known', direct, { shop: { approval: 'short', chain: 'Hilltop' } }, 'built'],
    ['in a package without effect', computed, { shop: { a: { chain: 'shrot' } }, rollout: { shop: { changes: 'shadow' } } }, 'built'],
  ])('a name in the data %s', async (_what, rules, data, message) => {
    expect(await build({ 'changes.rego': rules, 'data.json': JSON.stringify({ approval_chains: CHAINS, ...data }) })).toBe(message);
  });

  test('a name in the data where there are no chains', async () => {
    const files = { 'changes.rego': direct, 'data.json': '{"shop": {"approval": "short"}}' };
    expect(await build(files)).toBe(
      'data.json: data.shop.approval names the approval chain "short", which is not in data.approval_chains, where there is none',
    );
  });

  test.each([
    ['production_writes', { chain: 'shrot' }, 'production_writes.chain'],
    ['agents', { by_group: { bots: { chain: 'shrot' } } }, 'agents.by_group.bots.chain'],
    ['mcp_tools', { t: { groups: [], tools: { pay: { chain: 'shrot' } } } }, 'mcp_tools.t.tools.pay.chain'],
  ])('of the shipped packs %s is looked at', async (key, document, place) => {
    await using folder = await policyFolder({});
    const file = join(folder.dir, 'data.yaml');
    await writeFile(file, JSON.stringify({ approval_chains: CHAINS, [key]: document }));
    const shipped = join(import.meta.dirname, '..', '..', 'policies');
    await expect(buildPolicies(shipped, { data: [file], opa: opaProgram })).rejects.toMatchObject({
      code: 'POLICY_BUILD',
      message: `${file}: data.${place} names the approval chain "shrot", ${there}`,
    });
  });

  test.each([
    ['a directory with a misspelt key', { manager: {} }, 'data.json: data.directory.manager is not known there'],
    ['an owner without approvers', { owners: [{ target: 'shop' }] }, 'data.json: data.directory.owners.0 must have required properties approvers'],
  ])('%s', async (_name, directory, message) => {
    const files = { 'changes.rego': asking({ stages: [stage] }), 'data.json': JSON.stringify({ directory }) };
    expect(await build(files)).toBe(message);
  });

  test('a chain that only a dry run brings in is judged by the same rules', async () => {
    const name = {
      'changes.rego':
        'package policies.shop.changes\n\nrequire_approval contains {"code": "C", "reason": "x", "chain": data.name} if input.stage == "request"\n',
    };
    await using folder = await policyFolder({ ...name, 'data.json': '{}' });
    const service = await openService(folder.dir);
    const { subject, resource } = scope();
    const run = (chains: object): Promise<Decision> =>
      service
        .dryRun({ subject, resource, action: 'sql.execute', statement: 'UPDATE payments', data: { name: 'a', approval_chains: chains } })
        .then(({ decision }) => decision);
    expect((await run({ a: { stages: [stage] } })).effect).toBe('require_approval');
    expect((await run({ a: { stages: [] } })).reasons[0]).toMatchObject({
      code: 'APPROVAL_CHAIN',
      reason: expect.stringContaining('malformed: data.approval_chains.a.stages'),
    });
    service.close();
  });
});

const SETS = `package approvers

people contains {"user": login} if {
	some login in data.people[input.target.labels.team]
	login != input.requester.properties.login
}

odd contains "alice"

timed contains {"user": "dawn"} if input.time < "2026-06-01"

long contains {"user": sprintf("%v", [count(numbers.range(1, 100000000))])}
`;

describe('rego:NAME', () => {
  const input = {
    requester: scope().subject,
    target: { id: 'shop', env: 'test', labels: { team: 'billing' } },
    objects: ['update public.payments'],
    time: '2026-01-01T00:00:00.000000Z',
  };

  test('is evaluated in the policies in force; what fails, is unknown or has another form names nobody', async () => {
    const ok = asking({ stages: [{ id: 's', any_of: [{ group: 'g' }] }] });
    await using folder = await policyFolder({ 'changes.rego': ok, 'people.rego': SETS, 'data.json': '{"people": {"billing": ["alice", "bob"]}}' });
    const logged: string[] = [];
    const log = { ...silentLog, error: (_fields: object, message: string) => void logged.push(message) };
    const service = await openDecisionService({
      policies: { dir: folder.dir, data: [], watch: false, maxAgeMs: 60_000 },
      facts: new HandFacts(),
      masks: noMasks,
      clock: systemClock,
      ids: new Ids(systemClock),
      log,
      record: () => {},
      opa: opaProgram,
    }).catch((error: Error) => error.message);
    // a set that never ends is found before it is in force
    expect(service).toMatch(/approvers\.long does not answer: more than 500000 units of fuel/);
    await folder.write('people.rego', SETS.replace(/\nlong[^\n]*/, ''));
    const running = await openService(folder.dir, { log });
    expect(running.approvers('people', input)).toEqual([{ user: 'bob' }]);
    expect(running.approvers('timed', input)).toEqual([{ user: 'dawn' }]);
    expect(['people', 'timed', 'none'].map((name) => running.approversReadTime(name))).toEqual([false, true, true]);
    expect(running.approvers('odd', input)).toBe(null);
    expect(running.approvers('nobody', input)).toBe(null);
    expect(running.approvers('__proto__', input)).toBe(null);
    expect(running.approvers('people', { ...input, target: { ...input.target, labels: {} } })).toEqual([]);
    expect(logged).toEqual(['a set of approvers did not answer: it names nobody']);
    running.close();
  });

  test.each<[string, string, RegExp, object?]>([
    ['a package below', 'package approvers.shop\n\nx contains {"user": "a"}\n', /package approvers\.shop is never asked/],
    ['a name that no reference has', 'package approvers\n\nShop contains {"user": "a"}\n', /`Shop`: a set of approvers has a name such as/],
    ['data of that name', 'package approvers\n\nx contains {"user": "a"}\n', /data must not have the key "approvers"/, { approvers: {} }],
  ])('%s is refused', async (_name, text, message, data: object = {}) => {
    const ok = asking({ stages: [{ id: 's', any_of: [{ group: 'g' }] }] });
    await using folder = await policyFolder({ 'changes.rego': ok, 'a.rego': text, 'data.json': JSON.stringify(data) });
    await expect(buildPolicies(folder.dir, { data: [], opa: opaProgram })).rejects.toThrow(message);
  });
});
