/** Judging as enforcers see it: invariants 1, 5, 6, 10; SECURITY M3–M7, E1–E4. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Decided } from '#client/decision-service';
import type { LocalDecisionService } from '#engine/decide/service';
import { effect, facts, HandFacts, moment, openService, PACK5, policyFolder, scope, statementFacts, unparsed } from '#test/support/decide';

const reader = new HandFacts();
let service: LocalDecisionService;
beforeAll(async () => {
  service = await openService(PACK5, { facts: reader });
});
afterAll(() => service.close());

async function decide(text: string, who: Parameters<typeof scope>[0] = {}, when: Parameters<typeof moment>[0] = {}): Promise<Decided> {
  const session = service.openSession(scope(who));
  return session.decide(await session.read(Buffer.from(text), moment(when).settings), moment(when));
}
const codes = ({ decision }: Decided): string[] => decision.reasons.map((reason) => reason.code);

describe('effects', () => {
  test('allowed with its obligations', async () => {
    const { decision } = await decide('READ orders');
    expect(decision).toMatchObject({ effect: 'allow', approval: null, obligations: [{ type: 'row_limit', properties: { max: 500 } }] });
    expect(decision.reasons).toMatchObject([{ policy: 'postgresql.guardrails', code: 'READ', effect: 'allow' }]);
  });

  test('nothing allows it: DEFAULT_DENY', async () => {
    expect(await decide('READ orders', { groups: [] }).then(codes)).toEqual(['DEFAULT_DENY']);
  });

  test('any deny denies, with its words', async () => {
    reader.byText.set('all', facts({ statements: [statementFacts({ kind: 'update', class: 'write' })], effects: [effect('update', 'payments')] }));
    const { decision } = await decide('all');
    expect(decision.reasons).toEqual([
      { policy: 'postgresql.guardrails', code: 'NO_WHERE', reason: 'UPDATE on public.payments has no WHERE clause', effect: 'deny' },
    ]);
  });

  test('writes in production are held, and an approval of exactly that requirement lets them through', async () => {
    const held = await decide('UPDATE payments', { env: 'production' });
    expect(held.decision).toMatchObject({
      effect: 'require_approval',
      approval: { stages: [{ id: 'owner', quorum: 1 }], grant: { of: 'statement', uses: 1 } },
    });
    const approval = { valid: true as const, id: 'apr_1', approved_by: ['bob'], requirement: held.decision.approval?.digest ?? '' };
    expect((await decide('UPDATE payments', { env: 'production' }, { approval })).decision.effect).toBe('allow');
    const other = { ...approval, requirement: `sha256:${'1'.repeat(64)}` };
    expect((await decide('UPDATE payments', { env: 'production' }, { approval: other })).decision.effect).toBe('require_approval');
  });

  test('a valid approval never beats a deny', async () => {
    const held = await decide('UPDATE payments', { env: 'production' });
    const approval = { valid: true as const, id: 'apr_1', approved_by: ['bob'], requirement: held.decision.approval?.digest ?? '' };
    expect((await decide('UPDATE payments', { env: 'production' }, { approval, transaction: 'failed' })).decision.effect).toBe('deny');
  });

  test('opening a session is judged too', () => {
    expect(service.openSession(scope()).opening.effect).toBe('allow');
    expect(service.openSession(scope({ groups: [] })).opening).toMatchObject({ effect: 'deny', reasons: [{ code: 'DEFAULT_DENY' }] });
  });
});

describe('refused whatever policy says (invariant 6, M3)', () => {
  test.each([
    ['syntax', 'syntax error', 'UNPARSED'],
    ['encoding', 'not UTF-8', 'ENCODING'],
    ['budget', 'more than 20000 nodes', 'BUDGET_PARSE'],
    ['budget', 'more than 20000 bytes of nodes', 'BUDGET_PARSE'],
  ] as const)('%s (%s) is %s', async (code, detail, expected) => {
    const name = `unparsed ${detail}`;
    reader.byText.set(name, unparsed({ code, detail }));
    await using folder = await policyFolder({ 'all.rego': 'package policies.a.all\n\nallow contains {"code": "ALL", "reason": "all"}\n' });
    const lax = await openService(folder.dir, { facts: reader });
    const session = lax.openSession(scope());
    expect(codes(await session.decide(await session.read(Buffer.from(name), {}), moment()))).toEqual([expected]);
    lax.close();
  });

  test('a relation that the catalog does not know, where masks are possible', async () => {
    reader.byText.set(
      'ghost',
      facts({ effects: [effect('read', 'ghost')], opaque: [{ code: 'unknown_object', detail: 'a relation is not known' }] }),
    );
    expect(codes(await decide('ghost'))).toEqual(['MASK_RELATION_UNKNOWN']);
  });

  test('every other opaque entry is the business of policy', async () => {
    reader.byText.set('do', facts({ effects: [effect('read', 'orders')], opaque: [{ code: 'dynamic_code', detail: 'EXECUTE of a variable' }] }));
    expect(codes(await decide('do'))).toEqual(['OPAQUE']);
  });

  test('an obligation that the enforcer does not support (invariant 10, M5)', async () => {
    expect(codes(await decide('READ orders', { supported: ['mask'] }))).toEqual(['OBLIGATION_UNSUPPORTED']);
    expect((await decide('READ orders')).decision.effect).toBe('allow'); // the other session's key is another
  });
});

describe('judgements are remembered, decisions never (M6, M7)', () => {
  test('a second statement of the same facts is judged from the cache, and bound anew', async () => {
    const first = await decide('READ one');
    reader.byText.set(
      'READ  one /* other text */',
      facts({ effects: [effect('read', 'one')], statements: [statementFacts({ span: { start: 0, end: 30 } })] }),
    );
    const second = await decide('READ  one /* other text */');
    expect(second.cached).toBe(true);
    expect(second.judgement).toBe(first.judgement);
    expect(second.decision.decision_id).not.toBe(first.decision.decision_id);
    expect(second.decision.binding.payload).not.toBe(first.decision.binding.payload);
    expect(second.decision.binding.context).toBe(first.decision.binding.context);
    expect(Date.parse(second.decision.binding.expires_at) - Date.now()).toBeLessThanOrEqual(5_000);
  });

  test('what policies read is in the key', async () => {
    expect((await decide('READ two')).decision.effect).toBe('allow');
    expect((await decide('READ two', { groups: [] })).decision.effect).toBe('deny');
    expect((await decide('READ two', {}, { transaction: 'failed' })).decision.effect).toBe('deny');
    expect((await decide('READ two', {}, { transaction: 'open' })).decision.effect).toBe('allow');
  });

  test('the binding is enumerable: JSON and spreads have it', async () => {
    const { decision } = await decide('READ three');
    expect(JSON.parse(JSON.stringify(decision))).toHaveProperty('binding.payload');
    expect({ ...decision }.binding).toEqual(decision.binding);
  });
});
