/** DESIGN §4, the combiner: order-free, and the same as its Rego version (combine.rego), on random answers. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Judgement } from '#schemas/decision';
import { combine } from '#engine/decide/combine';
import { intersection } from '#engine/decide/intersection';
import { PolicyMachine } from '#engine/decide/machine';
import { meter } from '#engine/decide/meter';
import { OpaWorkspace } from '#engine/decide/opa';
import { type PackageAnswer, readAnswers, type StageAsked } from '#engine/decide/policy-result';
import { Wasm } from '#engine/decide/wasm-api';
import { opaProgram } from '#test/support/decide';

const CONTEXT = { revision: `sha256:${'0'.repeat(64)}`, supportedObligations: ['mask', 'row_limit', 'read_only'] };

const code = fc.constantFrom('A', 'B', 'C').map((name) => ({ code: name, reason: `because ${name}` }));
const few = <T>(item: fc.Arbitrary<T>, chance: number): fc.Arbitrary<T[]> =>
  fc.oneof({ weight: 10 - chance, arbitrary: fc.constant([] as T[]) }, { weight: chance, arbitrary: fc.array(item, { minLength: 1, maxLength: 3 }) });
const approver = fc.constantFrom({ group: 'dba' }, { group: 'sre' }, { user: 'bob' });
const approvers = fc.array(approver, { minLength: 1, maxLength: 3 });
const stage: fc.Arbitrary<StageAsked> = fc.record(
  {
    id: fc.constantFrom('owner', 'security'),
    order: fc.integer({ min: 0, max: 2 }),
    any_of: approvers,
    quorum: fc.integer({ min: 1, max: 3 }),
    deny_quorum: fc.integer({ min: 1, max: 3 }),
    escalate: fc.array(fc.record({ after_s: fc.integer({ min: 1, max: 4 }), add: approvers }), { maxLength: 3 }),
    deny_after_s: fc.integer({ min: 1, max: 9 }),
    reason_required: fc.boolean(),
    step_up: fc.record({ acr: fc.constantFrom('mfa', 'hw'), max_age_s: fc.integer({ min: 1, max: 9 }) }, { requiredKeys: ['max_age_s'] }),
  },
  { requiredKeys: ['id', 'order', 'any_of', 'quorum'] },
);
const answer: fc.Arbitrary<PackageAnswer> = fc.record({
  policy: fc.constantFrom('a.one', 'a.two', 'b.three'),
  shadow: fc.boolean(),
  allow: few(code, 6),
  deny: few(code, 1),
  require_approval: few(
    fc
      .tuple(code, fc.array(stage, { minLength: 1, maxLength: 2 }), fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }))
      .map(([item, stages, rows]) => ({ ...item, stages, ...(rows !== undefined && { rows_max: rows }) })),
    3,
  ),
  mask: few(
    fc
      .tuple(code, fc.array(fc.constantFrom('t.a', 't.b', '__proto__'), { minLength: 1, maxLength: 2 }), fc.constantFrom('null', 'redact', 'partial'))
      .map(([item, columns, using]) => ({ ...item, columns, using }) as const),
    3,
  ),
  obligation: few(
    fc.oneof(
      fc.integer({ min: 0, max: 9 }).map((max) => ({ type: 'row_limit' as const, max })),
      fc.constant({ type: 'read_only' as const }),
      fc.integer({ min: 0, max: 9 }).map((max) => ({ type: 'byte_limit' as const, max })),
    ),
    2,
  ),
});
const answers = fc.array(answer, { maxLength: 5 });

let oracle: PolicyMachine;
beforeAll(async () => {
  const files = new Map([['combine.rego', readFileSync(new URL('combine.rego', import.meta.url), 'utf8')]]);
  await using workspace = await OpaWorkspace.open(await opaProgram(), files);
  const wasm = await workspace.build('wasm', '/policy.wasm', ['combine.rego'], ['--entrypoint', 'combine/answer']);
  oracle = new PolicyMachine(new Wasm.Module(meter(wasm)), '{}', { fuelUnits: 100_000_000, memoryPages: 512 });
});

/** What both say, in one form. */
function summary(judgement: Judgement): object {
  const limits: Record<string, number> = {};
  const masks: [string, string][] = [];
  for (const { type, properties } of judgement.obligations) {
    if ('max' in properties) limits[type] = properties.max;
    if (type === 'mask') masks.push(...Object.entries(properties.columns).map(([column, mask]): [string, string] => [column, mask.using]));
  }
  const { approval } = judgement;
  const stages = (approval?.stages ?? []).map((one) => ({
    id: one.id,
    quorum: one.quorum,
    any_of: texts(one.any_of),
    escalate: Object.fromEntries((one.escalate ?? []).map(({ after_s, add }) => [String(after_s), texts(add)])),
    deny_quorum: one.deny_quorum ?? 1,
    deny_after_s: listed(one.deny_after_s),
    reason_required: one.reason_required ?? false,
    acr: listed(one.step_up?.acr),
    max_age_s: listed(one.step_up?.max_age_s),
  }));
  return {
    effect: judgement.effect,
    limits,
    masks: inOrder(masks),
    stages: inOrder(stages.map((one) => inKeyOrder(one))),
    rows_max: listed(approval?.rows_max),
  };
}

function texts(approvers: readonly object[]): string[] {
  return approvers.map((entry) => JSON.stringify(entry)).sort();
}

function inKeyOrder(value: object): object {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function listed<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

function inOrder<T>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

interface Told {
  readonly effect: Judgement['effect'];
  readonly limits: Record<string, number>;
  readonly masks: Record<string, string>;
  readonly stages: Record<string, { quorum: number; any_of: object[]; escalate: Record<string, object[]> }>;
  readonly rows_max: number[];
}
function oracleSummary(told: Told): object {
  const open = told.effect !== 'deny';
  const stages = Object.entries(told.stages).map(([id, stage]) => ({
    ...stage,
    id,
    any_of: texts(stage.any_of),
    escalate: Object.fromEntries(Object.entries(stage.escalate).map(([after, added]) => [after, texts(added)])),
  }));
  const held = told.effect === 'require_approval';
  return {
    effect: told.effect,
    limits: open ? told.limits : {},
    masks: open ? inOrder(Object.entries(told.masks)) : [],
    stages: held ? inOrder(stages.map((one) => inKeyOrder(one))) : [],
    rows_max: held ? told.rows_max : [],
  };
}

describe('the combiner', () => {
  test('says what its Rego version says', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(answers, (given) => {
        const evaluation = oracle.evaluate(0, JSON.stringify({ answers: given, supported: CONTEXT.supportedObligations }));
        if (!evaluation.ok) throw new Error(evaluation.detail);
        const [{ result: told } = { result: null }] = JSON.parse(evaluation.text) as { result: Told | null }[];
        const { judgement } = combine(given, CONTEXT);
        seen.add(judgement.effect);
        expect(summary(judgement)).toEqual(oracleSummary(told as Told));
      }),
      { numRuns: 4_000 },
    );
    expect([...seen].sort()).toEqual(['allow', 'deny', 'mask', 'require_approval']);
  });

  test('an agent and its human together may never do more than either (issue 6, identity)', () => {
    const rank = { deny: 0, require_approval: 1, mask: 2, allow: 3 } as const;
    const seen = new Set<string>();
    fc.assert(
      fc.property(answers, answers, (first, second) => {
        const [own, human] = [combine(first, CONTEXT), combine(second, CONTEXT)];
        for (const both of [intersection(own, human, CONTEXT), intersection(human, own, CONTEXT)]) {
          seen.add(`${own.judgement.effect} ${human.judgement.effect} ${both.judgement.effect}`);
          for (const one of [own, human]) {
            expect(rank[both.judgement.effect]).toBeLessThanOrEqual(rank[one.judgement.effect]);
            const held = one.judgement.effect === 'require_approval' && both.judgement.effect !== 'deny';
            if (held) expect(both.judgement.approval?.digest).toBeDefined();
            if (both.judgement.effect === 'deny') continue;
            for (const { id, type, properties } of one.judgement.obligations) {
              const kept = both.judgement.obligations.find((obligation) => obligation.id === id);
              expect(kept).toBeDefined();
              if (kept && 'max' in kept.properties && 'max' in properties) expect(kept.properties.max).toBeLessThanOrEqual(properties.max);
              if (type === 'mask' && kept?.type === 'mask')
                expect(Object.keys(kept.properties.columns)).toEqual(expect.arrayContaining(Object.keys(properties.columns)));
            }
            for (const stage of one.judgement.approval?.stages ?? []) {
              const kept = both.judgement.approval?.stages.find(({ id }) => id === stage.id);
              expect(kept?.quorum).toBeGreaterThanOrEqual(stage.quorum);
            }
          }
        }
        expect(summary(intersection(own, own, CONTEXT).judgement)).toEqual(summary(own.judgement));
      }),
      { numRuns: 3_000 },
    );
    expect([...seen]).toEqual(
      expect.arrayContaining([
        'allow allow allow',
        'allow deny deny',
        'deny allow deny',
        'require_approval allow require_approval',
        'mask allow mask',
      ]),
    );
  });

  test('does not depend on the order of packages, nor of items', () => {
    fc.assert(
      fc.property(answers, fc.infiniteStream(fc.nat({ max: 1_000 })), (given, random) => {
        const shuffled = <T>(items: readonly T[]): T[] =>
          items
            .map((item) => ({ item, at: random.next().value }))
            .sort((a, b) => a.at - b.at)
            .map(({ item }) => item);
        const merged = [...new Map(given.map((entry) => [entry.policy, entry])).values()];
        const other = shuffled(merged).map((entry) => ({
          ...entry,
          allow: shuffled(entry.allow),
          deny: shuffled(entry.deny),
          mask: shuffled(entry.mask),
          obligation: shuffled(entry.obligation),
          require_approval: shuffled(entry.require_approval).map((item) => ({ ...item, stages: shuffled(item.stages ?? []) })),
        }));
        expect(combine(other, CONTEXT)).toMatchObject({ judgement: combine(merged, CONTEXT).judgement, approved: combine(merged, CONTEXT).approved });
      }),
      { numRuns: 1_000 },
    );
  });

  test('a package in shadow is reported, and has no effect (E7)', () => {
    fc.assert(
      fc.property(answers, (given) => {
        const live = given.filter((entry) => !entry.shadow);
        const without = combine(live, CONTEXT).judgement;
        const { shadow, ...judged } = combine(given, CONTEXT).judgement;
        expect({ ...judged, shadow: [] }).toEqual(without);
        expect(shadow.length > 0).toBe(
          given.some((entry) => entry.shadow && entry.allow.length + entry.deny.length + entry.mask.length + entry.require_approval.length > 0),
        );
      }),
    );
  });

  test('reasons are never empty, and a requirement has the same digest for the same demands', () => {
    fc.assert(
      fc.property(answers, (given) => {
        const { judgement } = combine(given, CONTEXT);
        expect(judgement.reasons.length).toBeGreaterThan(0);
        expect(judgement.approval !== null).toBe(judgement.effect === 'require_approval');
        expect(combine(given, CONTEXT).judgement.approval?.digest).toBe(judgement.approval?.digest);
      }),
    );
  });

  test('stages stand in the order (order, package, id); a grant for a shape binds the session', () => {
    const ask = (policy: string, stages: StageAsked[], grant?: { of: 'statement' | 'shape'; uses: number | null }): PackageAnswer => ({
      policy,
      shadow: false,
      allow: [],
      deny: [],
      mask: [],
      obligation: [],
      require_approval: [{ code: 'X', reason: 'x', stages, ...(grant ? { grant } : {}) }],
    });
    const any_of = [{ group: 'g' }];
    const { judgement } = combine(
      [
        ask('b.b', [{ id: 'z', any_of, order: 1 }], { of: 'shape', uses: null }),
        ask(
          'a.a',
          [
            { id: 'y', any_of, order: 2 },
            { id: 'x', any_of, order: 1 },
          ],
          { of: 'shape', uses: 5 },
        ),
      ],
      CONTEXT,
    );
    expect(judgement.approval).toMatchObject({
      stages: [{ id: 'x' }, { id: 'z' }, { id: 'y' }],
      grant: { of: 'shape', uses: 5 },
      bind_session: true,
    });
  });
});

describe('the form of what policies answer is closed (M4)', () => {
  const slots = [{ policy: 'a.b', set: 'deny' as const }];
  test.each([
    ['undefined', undefined],
    ['not a list', {}],
    ['a set too few', []],
    ['a set too many', [[], []]],
    ['no reason', [[{ code: 'X' }]]],
    ['an unknown field', [[{ code: 'X', reason: 'x', effect: 'allow' }]]],
    ['an empty code', [[{ code: '', reason: 'x' }]]],
    ['a string', [['X']]],
  ])('%s', (_name, value) => {
    expect(typeof readAnswers(value, slots, false)).toBe('string');
  });
  test('what fits', () => {
    expect(readAnswers([[{ code: 'X', reason: 'x', hint: 'y' }]], slots, false)).toMatchObject([{ policy: 'a.b', deny: [{ code: 'X' }] }]);
    expect(typeof readAnswers([[{ code: 'X', reason: 'x', using: 'redact' }]], [{ policy: 'a.b', set: 'mask' }], false)).toBe('string');
    expect(typeof readAnswers([[{ type: 'row_limit' }]], [{ policy: 'a.b', set: 'obligation' }], false)).toBe('string');
    const partial = [[{ code: 'X', reason: 'x', using: { using: 'partial', keep: 4 }, columns: ['t.c'] }]];
    expect(readAnswers(partial, [{ policy: 'a.b', set: 'mask' }], false)).toMatchObject([{ mask: [{ using: { keep: 4 } }] }]);
  });
});
