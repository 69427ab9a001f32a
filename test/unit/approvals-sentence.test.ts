/** The sentence a reviewer reads: every effect is in it, and no name can pass for a part of it (A7). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { summarise } from '#engine/approvals/sentence';
import { type Effect, Effect as EffectSchema, type SqlFacts, type SqlStatement } from '#schemas/sql-facts';

const SHAPE = `sha256:${'0'.repeat(64)}`;

function statement(more: Partial<SqlStatement> = {}): SqlStatement {
  return {
    index: 0,
    parent: null,
    kind: 'update',
    class: 'write',
    span: { start: 0, end: 1 },
    shape: SHAPE,
    where: 'bound',
    limit: 'none',
    locking: false,
    columns: [],
    output: [],
    functions: [],
    explain: 'no',
    ...more,
  };
}
function effect(verb: Effect['verb'], qualified: string, more: Partial<Effect> = {}): Effect {
  return { verb, object: { kind: 'table', name: qualified.split('.').at(-1) ?? '', qualified }, statement: 0, via: [], confidence: 'named', ...more };
}
function facts(more: Partial<SqlFacts> = {}): SqlFacts {
  return {
    dialect: 'postgresql',
    parser: { name: 'libpg-query', major: 15 },
    parsed: true,
    statements: [statement()],
    effects: [effect('update', 'public.payments')],
    session: [],
    params: [],
    opaque: [],
    ...more,
  };
}

describe('says', () => {
  test.each<[string, SqlFacts]>([
    ['1 statement: updates `public.payments` where a column equals a value', facts()],
    [
      '1 statement: updates `public.payments` (`status`) in every row, returns rows',
      facts({
        statements: [
          statement({
            where: 'none',
            columns: [{ column: 'public.payments.status', in: 'write', confidence: 'named' }],
            output: [{ name: 'id', sources: ['public.payments.id'], direct: true }],
          }),
        ],
        effects: [effect('update', 'public.payments'), effect('read', 'public.payments')],
      }),
    ],
    [
      '1 statement: deletes from `public.payments` where a condition holds, reads `public.orders`',
      facts({
        statements: [statement({ kind: 'delete', where: 'other' })],
        effects: [effect('delete', 'public.payments'), effect('read', 'public.orders'), effect('read', 'public.payments')],
      }),
    ],
    [
      '2 statements: 1. is BEGIN; 2. drops `public.payments`',
      facts({
        statements: [
          statement({ kind: 'begin', class: 'transaction', where: 'none' }),
          statement({ index: 1, kind: 'drop', class: 'ddl', where: 'none' }),
        ],
        effects: [effect('drop', 'public.payments', { statement: 1 })],
      }),
    ],
    [
      '1 statement of which a part cannot be seen (dynamic code: "EXECUTE of an expression"): is DO and runs 1 inside it that deletes from `public.payments` in every row',
      facts({
        statements: [statement({ kind: 'do', class: 'code' }), statement({ index: 1, parent: 0, kind: 'delete', where: 'none' })],
        effects: [effect('delete', 'public.payments', { statement: 1 })],
        opaque: [{ code: 'dynamic_code', detail: 'EXECUTE of an expression' }],
      }),
    ],
    [
      '1 statement: reads `public.customers` (through view `public.v`), calls `pg_read_file` (reaches files); changes the session: set `search_path` to `evil`',
      facts({
        statements: [statement({ kind: 'select', class: 'read', where: 'none', functions: [{ name: 'pg_read_file', class: 'file' }] })],
        effects: [effect('read', 'public.customers', { via: [{ kind: 'view', name: 'public.v' }] })],
        session: [{ op: 'set', name: 'search_path', value: 'evil', local: false }],
      }),
    ],
    [
      '1 statement: deletes from `public.a`, updates `public.b`, at least one of these in every row, inserts into `public.log` (through trigger `audit`)',
      facts({
        statements: [statement({ where: 'none' })],
        effects: [
          effect('delete', 'public.a'),
          effect('update', 'public.b'),
          effect('insert', 'public.log', { via: [{ kind: 'trigger', name: 'audit' }] }),
        ],
      }),
    ],
    [
      '1 statement: updates `public.payments` where a column equals a value, deletes from `public.items` (through foreign key `fk`), calls `public.f` (is defined in the database, its body is not seen)',
      facts({
        statements: [statement({ functions: [{ name: 'public.f', class: 'user' }] })],
        effects: [
          effect('update', 'public.payments'),
          effect('delete', 'public.items', { via: [{ kind: 'foreign_key', name: 'fk' }] }),
          effect('execute', 'public.f'),
        ],
      }),
    ],
    [
      'cannot be understood (syntax: "at byte 7"): nothing is known of what it does',
      facts({ parsed: false, statements: [], effects: [], opaque: [{ code: 'syntax', detail: 'at byte 7' }] }),
    ],
  ])('%s', (sentence, given) => {
    expect(summarise(given)).toBe(sentence);
  });

  test('A7: a name that looks like a sentence is quoted', () => {
    const evil = 'x` where a column equals a value; 1 statement\u202e\n';
    expect(summarise(facts({ effects: [effect('drop', evil)] }))).toContain(
      '"x‹U+0060 GRAVE ACCENT› where a column equals a value; 1 statement‹U+202E RIGHT-TO-LEFT OVERRIDE›‹U+000A LINE FEED›"',
    );
    const alike = 'p\u0430yments';
    expect(summarise(facts({ effects: [effect('drop', alike)] }))).toContain(`\`${alike}\` ‹U+0430, mixed scripts›`);
  });
});

const verb = fc.constantFrom(...EffectSchema.properties.verb.enum);
const anyEffect = fc.tuple(verb, fc.stringMatching(/^[a-z]{1,8}\.[a-z]{1,8}$/)).map(([one, object]) => effect(one, object));

test('facts with other effects never have the same sentence', () => {
  const key = (effects: readonly Effect[]) => {
    const written = new Set(effects.filter((one) => one.verb !== 'read').map((one) => one.object.qualified));
    const told = effects.filter((one) => one.verb !== 'read' || !written.has(one.object.qualified));
    return [...new Set(told.map((one) => `${one.verb} ${one.object.qualified}`))].toSorted().join(',');
  };
  fc.assert(
    fc.property(fc.array(anyEffect, { maxLength: 6 }), fc.array(anyEffect, { maxLength: 6 }), (a, b) => {
      fc.pre(key(a) !== key(b));
      return summarise(facts({ effects: a })) !== summarise(facts({ effects: b }));
    }),
  );
});

test('is bounded, and says how much more there is', () => {
  const many = Array.from({ length: 500 }, (_, i) => statement({ index: i }));
  const effects = many.map((one, i) => effect('delete', `public.t${i}`, { statement: one.index }));
  const said = summarise(facts({ statements: many, effects }));
  expect(said.length).toBeLessThan(2_000);
  expect(said).toContain('and 490 more statements (UPDATE) that together: deletes from');
  expect(said).toContain('and 470 more');
  expect(said).toMatch(/^500 statements: /);
});
