/** Policies that change while the gateway runs: issue 3, "what a user can do" 5; max_age; shadow (E7); bounds that end one statement only. */
import { describe, expect, test, vi } from 'vitest';
import type { Clock } from '#client/clock';
import type { Decided } from '#client/decision-service';
import { buildPolicies } from '#engine/decide/bundle';
import { Judge } from '#engine/decide/judge';
import type { MaskRewriter } from '#engine/decide/ports';
import { ReadNode } from '#engine/decide/read-trie';
import type { DecisionServiceOptions, LocalDecisionService } from '#engine/decide/service';
import { effect, facts, HandFacts, moment, opaProgram, openService, policyFolder, scope, statementFacts } from '#test/support/decide';

const rule = (set: string, code: string, body = 'true'): string =>
  `package policies.a.main\n\n${set} contains {"code": "${code}", "reason": "x"} if ${body}\n`;

async function codesOf(service: LocalDecisionService, text = 'READ orders', who: Parameters<typeof scope>[0] = {}): Promise<string[]> {
  const decided = await decide(service, text, who);
  return decided.decision.reasons.map((reason) => reason.code);
}
async function decide(service: LocalDecisionService, text: string, who: Parameters<typeof scope>[0] = {}): Promise<Decided> {
  const session = service.openSession(scope(who));
  return session.decide(await session.read(Buffer.from(text), {}), moment());
}
const watching = (dir: string, over: Partial<DecisionServiceOptions> = {}): Promise<LocalDecisionService> =>
  openService(dir, { policies: { dir, data: [], watch: true, maxAgeMs: 60_000 }, ...over });

describe('a rule is edited while the gateway runs', () => {
  test('the next statement is judged by it, in sessions that are open too', async () => {
    await using folder = await policyFolder({ 'main.rego': rule('allow', 'OLD') });
    const recorded: object[] = [];
    const service = await watching(folder.dir, { record: (event) => recorded.push(event) });
    const session = service.openSession(scope());
    const statement = await session.read(Buffer.from('READ orders'), {});
    const first = service.revision;
    expect((await session.decide(statement, moment())).decision.reasons).toMatchObject([{ code: 'OLD' }]);
    await folder.write('main.rego', rule('deny', 'NEW'));
    await vi.waitFor(() => expect(service.revision).not.toBe(first), { timeout: 20_000 });
    expect((await session.decide(statement, moment())).decision).toMatchObject({
      effect: 'deny',
      revision: service.revision,
      reasons: [{ code: 'NEW' }],
    });
    expect(recorded).toMatchObject([
      { type: 'policy.activated', previous: null, revision: first },
      { type: 'policy.activated', previous: first, revision: service.revision },
    ]);
    service.close();
  });

  test('what does not compile leaves the last good revision in force, and says so', async () => {
    await using folder = await policyFolder({ 'main.rego': rule('allow', 'GOOD') });
    const recorded: object[] = [];
    const errors: object[] = [];
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: (fields: object, message: string) => errors.push({ ...fields, message }) };
    const service = await watching(folder.dir, { record: (event) => recorded.push(event), log });
    const good = service.revision;
    await folder.write('main.rego', 'package policies.a.main\n\ndeny contains {\n');
    await vi.waitFor(() => expect(service.status().error).not.toBeNull(), { timeout: 20_000 });
    expect(service.status()).toMatchObject({ revision: good, error: expect.stringMatching(/^main\.rego:\d+: /) });
    expect(await codesOf(service)).toEqual(['GOOD']);
    expect(recorded.at(-1)).toMatchObject({ type: 'policy.rejected', code: 'POLICY_BUILD', at: expect.stringMatching(/main\.rego:\d+/) });
    expect(errors).toHaveLength(1);
    await folder.write('main.rego', rule('allow', 'BETTER'));
    await vi.waitFor(() => expect(service.status().error).toBeNull(), { timeout: 20_000 });
    expect(await codesOf(service)).toEqual(['BETTER']);
    service.close();
  });

  test('what fails its self-test is rejected; nothing is half applied', async () => {
    await using folder = await policyFolder({ 'main.rego': rule('deny', 'CANARY') });
    const selfTest: DecisionServiceOptions['selfTest'] = async ({ judge }) => {
      const { resource, subject } = scope();
      const { decision } = await judge({ subject, resource, action: 'sql.execute', statement: 'READ canary' });
      if (decision.effect !== 'deny') throw new Error('the canary was not refused');
    };
    const service = await openService(folder.dir, { selfTest });
    const good = service.revision;
    await folder.write('main.rego', rule('allow', 'OPEN'));
    await expect(service.reload()).rejects.toThrow('the canary was not refused');
    expect(service.status()).toMatchObject({ revision: good, error: 'the canary was not refused' });
    expect(await codesOf(service)).toEqual(['CANARY']);
    service.close();
    await expect(openService(folder.dir, { selfTest })).rejects.toThrow('the canary was not refused');
  });

  test('a statement is judged wholly by one revision, whatever comes into force while its masks are applied', async () => {
    const mask = (code: string): string => `mask contains {"code": "${code}", "reason": "x", "columns": ["public.orders.a"], "using": "redact"}\n`;
    await using folder = await policyFolder({ 'main.rego': `${rule('allow', 'OLD')}\n${mask('OLD_MASK')}` });
    const masks: MaskRewriter = {
      rewrite: async () => {
        await folder.write('main.rego', `${rule('deny', 'NEW')}\n${mask('NEW_MASK')}`);
        await service.reload();
        return { ok: true, rewrite: { text: Buffer.from('READ orders2'), masked: ['public.orders.a'], toOriginal: (offset) => offset } };
      },
    };
    const service = await openService(folder.dir, { masks });
    const old = service.revision;
    const session = service.openSession(scope());
    const first = await session.decide(await session.read(Buffer.from('READ orders'), {}), moment());
    expect(service.revision).not.toBe(old);
    expect(first.decision).toMatchObject({ effect: 'mask', revision: old, reasons: [{ code: 'OLD_MASK' }, { code: 'OLD' }] });
    const second = await session.decide(await session.read(Buffer.from('READ orders'), {}), moment());
    expect(second.decision).toMatchObject({ effect: 'deny', revision: service.revision, reasons: [{ code: 'NEW' }] });
    service.close();
  });

  test('policies that cannot be built do not start', async () => {
    await using folder = await policyFolder({ 'main.rego': 'package policies.a.main\n\nallow := true\n' });
    await expect(openService(folder.dir)).rejects.toMatchObject({ code: 'POLICY_BUILD' });
  });
});

describe('age', () => {
  test('a revision that was not seen to be current for max_age judges no more: POLICY_UNAVAILABLE', async () => {
    await using folder = await policyFolder({ 'main.rego': rule('allow', 'GOOD') });
    const clock = { wall: 1_800_000_000_000_000, mono: 0 };
    const moved: Clock = { wallUs: () => clock.wall, monotonicUs: () => clock.mono };
    const service = await openService(folder.dir, { clock: moved, policies: { dir: folder.dir, data: [], watch: false, maxAgeMs: 10_000 } });
    expect(await codesOf(service)).toEqual(['GOOD']);
    clock.mono += 11_000_000;
    expect(await codesOf(service)).toEqual(['POLICY_UNAVAILABLE']);
    expect(service.openSession(scope()).opening).toMatchObject({ effect: 'deny', reasons: [{ code: 'POLICY_UNAVAILABLE' }] });
    clock.mono = 0;
    clock.wall += 11_000_000; // either clock is enough
    clock.mono += 300_000;
    expect(await codesOf(service)).toEqual(['POLICY_UNAVAILABLE']);
    await service.reload();
    expect(await codesOf(service)).toEqual(['GOOD']);
    service.close();
  });
});

describe('without watch', () => {
  test('a changed source is not taken over, and the revision in force ages', async () => {
    await using folder = await policyFolder({ 'main.rego': rule('allow', 'GOOD') });
    const service = await openService(folder.dir, { policies: { dir: folder.dir, data: [], watch: false, maxAgeMs: 3_000 } });
    await folder.write('main.rego', rule('allow', 'NEWER'));
    await vi.waitFor(async () => expect(await codesOf(service)).toEqual(['POLICY_UNAVAILABLE']), { timeout: 20_000, interval: 200 });
    await service.reload();
    expect(await codesOf(service)).toEqual(['NEWER']);
    service.close();
  });

  test('an unchanged one is confirmed as long as it can be seen', async () => {
    await using folder = await policyFolder({ 'main.rego': rule('allow', 'GOOD') });
    const clock = { us: 1_800_000_000_000_000 };
    const moved: Clock = { wallUs: () => clock.us, monotonicUs: () => clock.us };
    const service = await openService(folder.dir, { clock: moved, policies: { dir: folder.dir, data: [], watch: false, maxAgeMs: 10_000 } });
    clock.us += 11_000_000;
    expect(await codesOf(service)).toEqual(['POLICY_UNAVAILABLE']);
    await vi.waitFor(async () => expect(await codesOf(service)).toEqual(['GOOD']), { timeout: 20_000 });
    service.close();
  });
});

describe('the second line', () => {
  test('a judgement that differs on the whole request is refused, and logged', async () => {
    await using folder = await policyFolder({ 'main.rego': rule('allow', 'READS', 'input.sql.effects[0].verb == "read"') });
    const compiled = await buildPolicies(folder.dir, { data: [], opa: opaProgram });
    const stage = compiled.stages.request;
    const forgotten = { ...compiled, stages: { ...compiled.stages, request: { ...stage, reads: new ReadNode() } } };
    const errors: string[] = [];
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: (_fields: object, message: string) => errors.push(message) };
    const judge = await Judge.load(forgotten, { log, checkedOneIn: 1 });
    const service = await openService(folder.dir);
    const { subject, resource } = scope();
    const { request } = await service.dryRun({ subject, resource, action: 'sql.execute', statement: 'READ orders' });
    const judged = judge.judge('request', null, () => request, []);
    expect(judged).toMatchObject({ lasting: false, combined: { judgement: { effect: 'deny', reasons: [{ code: 'POLICY_UNAVAILABLE' }] } } });
    expect(errors).toEqual(['a judgement differs on the whole request: the analysis of reads missed something']);
    service.close();
  });
});

describe('shadow (E7)', () => {
  test('evaluated and reported, without effect, whatever happens in it', async () => {
    const shadow = 'package policies.a.trial\n\ndeny contains {"code": "TRIAL", "reason": effect.object.name} if some effect in input.sql.effects\n';
    const data = 'rollout: { a: { trial: shadow } }\n';
    await using folder = await policyFolder({ 'main.rego': rule('allow', 'GOOD'), 'trial.rego': shadow, 'data.yaml': data });
    const service = await openService(folder.dir);
    expect((await decide(service, 'READ orders')).decision).toMatchObject({
      effect: 'allow',
      shadow: [{ policy: 'a.trial', effect: 'deny', code: 'TRIAL' }],
    });
    await folder.write(
      'trial.rego',
      'package policies.a.trial\n\none := e.verb if some e in input.sql.effects\n\ndeny contains {"code": one, "reason": "x"}\n',
    );
    await service.reload();
    const reader = facts({ effects: [effect('read', 'a'), effect('update', 'a')] });
    const hand = new HandFacts();
    hand.byText.set('two', reader);
    const other = await openService(folder.dir, { facts: hand });
    expect((await decide(other, 'two')).decision).toMatchObject({ effect: 'allow', shadow: [] });
    service.close();
    other.close();
  });

  test('without shadow the same package is in force', async () => {
    await using folder = await policyFolder({ 'main.rego': rule('allow', 'GOOD'), 'trial.rego': rule('deny', 'TRIAL').replace('main', 'trial') });
    const service = await openService(folder.dir);
    expect(await codesOf(service)).toEqual(['TRIAL']);
    service.close();
  });
});

describe('a policy in trouble refuses its own statement only', () => {
  const pack = `package policies.a.trouble

one := e.object.name if some e in input.sql.effects

allow contains {"code": "OK", "reason": one}

deny contains {"code": "SLOW", "reason": "x"} if {
	input.sql.effects[0].object.name == "slow"
	count([1 | some a in numbers.range(1, 300); some b in numbers.range(1, 300); some c in numbers.range(1, 300); a + b == c * 1000]) > 0
}

deny contains {"code": "LARGE", "reason": "x"} if {
	input.sql.effects[0].object.name == "large"
	count(concat("", [sprintf("%01000d", [n]) | some n in numbers.range(1, 100000)])) > 1
}

deny contains {"code": "", "reason": 5} if input.sql.effects[0].object.name == "malformed"
`;

  test('fuel, memory, conflicts and malformed answers, each by its code; the next statement is judged right', async () => {
    await using folder = await policyFolder({ 'x.rego': pack });
    const hand = new HandFacts();
    hand.byText.set('conflict', facts({ effects: [effect('read', 'a'), effect('read', 'b')] }));
    const service = await openService(folder.dir, { facts: hand });
    const expected = { slow: 'BUDGET_POLICY', malformed: 'POLICY_RESULT' };
    for (const [table, code] of Object.entries(expected)) {
      expect(await codesOf(service, `READ ${table}`)).toEqual([code]);
      expect(await codesOf(service)).toEqual(['OK']);
    }
    expect(await codesOf(service, 'conflict')).toEqual(['POLICY_CONFLICT']);
    expect(await codesOf(service)).toEqual(['OK']);
    service.close();
    const roomy = await openService(folder.dir, { facts: hand, limits: { machine: { fuelUnits: 2_000_000_000, memoryPages: 32 } } });
    expect(await codesOf(roomy, 'READ large')).toEqual(['BUDGET_POLICY_MEMORY']);
    expect(await codesOf(roomy)).toEqual(['OK']);
    roomy.close();
  });

  test('10,000 provoked conflicts, and then still right', async () => {
    await using folder = await policyFolder({ 'x.rego': pack });
    const hand = new HandFacts();
    const service = await openService(folder.dir, { facts: hand });
    const session = service.openSession(scope());
    for (let round = 0; round < 10_000; round++) {
      hand.byText.set(`c${round}`, facts({ effects: [effect('read', `a${round}`), effect('read', 'b')] }));
      const decided = await session.decide(await session.read(Buffer.from(`c${round}`), {}), moment());
      if (round % 1_000 === 0) expect(decided.decision.reasons).toMatchObject([{ code: 'POLICY_CONFLICT' }]);
    }
    expect(await codesOf(service)).toEqual(['OK']);
    service.close();
  });

  test('a request that is not of the contract’s form is refused: a missing field must not silence a deny', async () => {
    await using folder = await policyFolder({ 'main.rego': rule('allow', 'GOOD') });
    const hand = new HandFacts();
    const broken = { ...facts(), statements: [{ ...statementFacts(), kind: undefined }] };
    hand.byText.set('broken', broken as unknown as ReturnType<typeof facts>);
    const service = await openService(folder.dir, { facts: hand });
    expect(await codesOf(service, 'broken')).toEqual(['REQUEST_INVALID']);
    hand.byText.set('ill-formed', facts({ effects: [effect('read', '\ud800')] }));
    await using names = await policyFolder({ 'main.rego': rule('allow', 'GOOD', 'input.sql.effects[0].object.name') });
    const reading = await openService(names.dir, { facts: hand });
    expect(await codesOf(reading, 'ill-formed')).toEqual(['REQUEST_INVALID']);
    service.close();
    reading.close();
  });
});

describe('bounds of the cache', () => {
  test('full, it starts anew, and answers stay right', async () => {
    await using folder = await policyFolder({ 'main.rego': rule('deny', 'EVEN', 'endswith(input.sql.effects[0].object.name, "0")') });
    const service = await openService(folder.dir, { limits: { cacheBytes: 20_000 } });
    const session = service.openSession(scope());
    for (let round = 0; round < 1_000; round++) {
      const { decision } = await session.decide(await session.read(Buffer.from(`READ t${round}`), {}), moment());
      expect(decision.reasons).toMatchObject([{ code: round % 10 === 0 ? 'EVEN' : 'DEFAULT_DENY' }]);
    }
    service.close();
  });

  test('parameters are read only where policies read them', async () => {
    await using folder = await policyFolder({ 'main.rego': rule('allow', 'ONE', 'input.sql.params[0].value == "1"') });
    const service = await openService(folder.dir, { opa: opaProgram });
    const session = service.openSession(scope());
    const statement = await session.read(Buffer.from('READ orders'), {});
    expect(statement.readsParams).toBe(true);
    const params = (value: string) => () => [{ index: 1, type: 'int4', value, encoding: 'text' as const, flows_to_code: false }];
    const codes = (value: string): string => (session.decide(statement, moment({ params: params(value) })) as Decided).decision.effect;
    expect([codes('1'), codes('2'), codes('1')]).toEqual(['allow', 'deny', 'allow']);
    service.close();
  });
});
