/** Masks: what policies ask for, what the rewriter makes of it, and the rewritten text judged again (invariants 1, 5, 10; M5). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Mask } from '#schemas/decision';
import type { Decided } from '#client/decision-service';
import type { MaskRewriter, RewriteAnswer } from '#engine/decide/ports';
import type { LocalDecisionService } from '#engine/decide/service';
import { effect, facts, HandFacts, moment, openService, PACK5, scope, statementFacts } from '#test/support/decide';

/** Rewrites by table: what a test sets; everything else reads no masked column. */
class HandMasks implements MaskRewriter {
  readonly answers = new Map<string, RewriteAnswer | Promise<RewriteAnswer>>();
  readonly asked: ReadonlyMap<string, Mask>[] = [];
  rewrite(text: Uint8Array, masks: ReadonlyMap<string, Mask>): RewriteAnswer | Promise<RewriteAnswer> {
    this.asked.push(masks);
    return this.answers.get(Buffer.from(text).toString('utf8')) ?? substituted(Buffer.from(text).toString('utf8'), []);
  }
}
function substituted(text: string, masked: readonly string[]): RewriteAnswer {
  return { ok: true, rewrite: { text: Buffer.from(text), masked, toOriginal: (offset) => offset } };
}

const reader = new HandFacts();
const masks = new HandMasks();
let service: LocalDecisionService;
beforeAll(async () => {
  service = await openService(PACK5, { facts: reader, masks });
});
afterAll(() => service.close());

async function decide(text: string, who: Parameters<typeof scope>[0] = {}, when: Parameters<typeof moment>[0] = {}): Promise<Decided> {
  const session = service.openSession(scope(who));
  return session.decide(await session.read(Buffer.from(text), moment(when).settings), moment(when));
}

describe('a statement that reads masked columns', () => {
  test('is allowed in its rewritten form, which is bound and named', async () => {
    masks.answers.set('READ customers', substituted('READ customers masked', ['public.customers.ssn', 'public.customers.email']));
    reader.byText.set('READ customers masked', facts({ effects: [effect('read', 'customers')] }));
    const { decision, rewrite } = await decide('READ customers');
    expect(decision).toMatchObject({
      effect: 'mask',
      rewrite: { masked: ['public.customers.ssn', 'public.customers.email'], payload: expect.stringMatching(/^sha256:/) },
    });
    expect(decision.obligations.find((entry) => entry.type === 'mask')).toMatchObject({
      properties: { columns: { 'public.customers.ssn': { using: 'redact' }, 'public.customers.email': { using: 'null' } } },
    });
    expect(decision.rewrite?.payload).not.toBe(decision.binding.payload);
    expect(Buffer.from(rewrite?.text ?? []).toString('utf8')).toBe('READ customers masked');
    expect([...(masks.asked.at(-1)?.keys() ?? [])].sort()).toEqual(['public.customers.email', 'public.customers.ssn']);
  });

  test('is remembered: the second one asks the rewriter no more', async () => {
    await decide('READ customers');
    const before = masks.asked.length;
    expect(await decide('READ customers')).toMatchObject({ cached: true, decision: { effect: 'mask' } });
    expect(masks.asked).toHaveLength(before);
  });

  test('whoever is exempt reads the values', async () => {
    expect((await decide('READ customers', { groups: ['app', 'dpo'] })).decision.effect).toBe('allow');
  });

  test('reads none of those columns: nothing is masked, and it is simply allowed', async () => {
    const other = facts({ effects: [effect('read', 'customers')] });
    reader.byText.set('SELECT id FROM customers', other);
    const { decision, rewrite } = await decide('SELECT id FROM customers');
    expect(decision).toMatchObject({ effect: 'allow', obligations: [{ type: 'row_limit' }] });
    expect(decision.reasons.map((reason) => reason.effect)).toEqual(['allow']);
    expect(rewrite).toBeNull();
  });

  test('reads one of them: the decision names that one', async () => {
    reader.byText.set('one', facts({ effects: [effect('read', 'customers')] }));
    masks.answers.set('one', substituted('one masked', ['public.customers.ssn']));
    reader.byText.set('one masked', facts({ effects: [effect('read', 'customers')] }));
    const { decision } = await decide('one');
    expect(decision.obligations.find((entry) => entry.type === 'mask')).toMatchObject({
      properties: { columns: { 'public.customers.ssn': { using: 'redact' } } },
    });
  });

  test.each(['MASK_IMPOSSIBLE', 'MASK_RELATION_UNKNOWN'] as const)('cannot be rewritten: denied by %s, with reason and hint', async (code) => {
    const text = `copy ${code}`;
    reader.byText.set(text, facts({ effects: [effect('read', 'customers')] }));
    masks.answers.set(text, { ok: false, code, reason: 'COPY reads a masked column', hint: 'write COPY (SELECT …) TO STDOUT' });
    expect((await decide(text)).decision).toMatchObject({
      effect: 'deny',
      reasons: [{ policy: 'interlock', code, reason: 'COPY reads a masked column', hint: 'write COPY (SELECT …) TO STDOUT' }],
    });
  });

  test('an enforcer that cannot mask refuses it (invariant 10, M5)', async () => {
    const { decision } = await decide('READ customers', { supported: ['row_limit'] });
    expect(decision).toMatchObject({ effect: 'deny', reasons: [{ code: 'OBLIGATION_UNSUPPORTED' }] });
  });

  test('a rewriter that fails refuses its statement', async () => {
    reader.byText.set('fault', facts({ effects: [effect('read', 'customers')] }));
    masks.answers.set('fault', Promise.reject(new Error('the worker died')));
    expect((await decide('fault')).decision).toMatchObject({ effect: 'deny', reasons: [{ code: 'MASK_IMPOSSIBLE' }] });
    masks.answers.set('fault', substituted('fault', []));
    expect((await decide('fault')).decision.effect).toBe('allow');
  });

  test('a rewriter that works elsewhere is awaited', async () => {
    reader.byText.set('later', facts({ effects: [effect('read', 'customers')] }));
    masks.answers.set('later', Promise.resolve(substituted('READ customers masked', ['public.customers.ssn'])));
    expect((await decide('later')).decision.effect).toBe('mask');
    expect((await decide('later')).cached).toBe(true);
  });
});

describe('the rewritten text is judged again (invariant 1)', () => {
  test('what policy denies in it is denied', async () => {
    reader.byText.set('sly', facts({ effects: [effect('read', 'customers')] }));
    masks.answers.set('sly', substituted('sly masked', ['public.customers.ssn']));
    reader.byText.set('sly masked', facts({ effects: [effect('read', 'customers')], statements: [statementFacts({ kind: 'drop', class: 'ddl' })] }));
    expect((await decide('sly')).decision).toMatchObject({ effect: 'deny', reasons: [{ code: 'DDL' }] });
  });

  test('what cannot be read any more is refused', async () => {
    reader.byText.set('broken', facts({ effects: [effect('read', 'customers')] }));
    masks.answers.set('broken', substituted('nonsense', ['public.customers.ssn']));
    const { decision, rewrite } = await decide('broken');
    expect(decision).toMatchObject({ effect: 'deny', reasons: [{ code: 'MASK_IMPOSSIBLE' }] });
    expect(rewrite).toBeNull();
  });

  test('what would be held, where the original is not, is refused', async () => {
    reader.byText.set('grows', facts({ effects: [effect('read', 'customers')] }));
    masks.answers.set('grows', substituted('grows masked', ['public.customers.ssn']));
    reader.byText.set('grows masked', facts({ effects: [effect('read', 'customers'), effect('update', 'customers')] }));
    expect((await decide('grows', { env: 'production' })).decision).toMatchObject({ effect: 'deny', reasons: [{ code: 'MASK_IMPOSSIBLE' }] });
  });

  test('a request that would still be denied if approved is denied at once', async () => {
    reader.byText.set('write', facts({ effects: [effect('read', 'customers'), effect('update', 'orders')] }));
    masks.answers.set('write', { ok: false, code: 'MASK_IMPOSSIBLE', reason: 'DML reads a masked column', hint: 'do not' });
    expect((await decide('write', { env: 'production' })).decision).toMatchObject({ effect: 'deny', reasons: [{ code: 'MASK_IMPOSSIBLE' }] });
    masks.answers.set('write', substituted('write masked', ['public.customers.ssn']));
  });
});
