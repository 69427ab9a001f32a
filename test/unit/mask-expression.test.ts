/** What stands for a masked column, by type and method (MASKING.md §3). */
import { describe, expect, test } from 'vitest';
import { maskExpression, quoteIdentifier } from '#engine/facts/postgres/mask/expression';
import type { CatalogColumn } from '#schemas/catalog';
import type { Mask } from '#schemas/decision';

function column(castType: string, category: string, typeName: string, collation: string | null = null): CatalogColumn {
  return { attnum: 1, name: 'a"b', castType, category, typeName, collation, generated: false };
}
function expression(of: CatalogColumn, mask: Mask): string {
  return maskExpression(of, mask, '_m', 's.t.a');
}
const text = column('pg_catalog.text', 'S', 'text');

describe('redact: a constant of the type, or NULL', () => {
  test.each([
    ['pg_catalog.text', 'S', 'text', `'***'`],
    ['pg_catalog."varchar"(2)', 'S', 'varchar', `'***'`],
    ['public.citext', 'S', 'citext', `'***'`],
    ['pg_catalog.int8', 'N', 'int8', `'0'`],
    ['pg_catalog."numeric"(3,2)', 'N', 'numeric', `'0'`],
    ['pg_catalog.money', 'N', 'money', `'0'`],
    ['pg_catalog.date', 'D', 'date', `'1970-01-01'`],
    ['pg_catalog.timestamptz(3)', 'D', 'timestamptz', `'1970-01-01 00:00:00+00'`],
    ['pg_catalog.uuid', 'U', 'uuid', `'00000000-0000-0000-0000-000000000000'`],
    ['pg_catalog.jsonb', 'U', 'jsonb', `'null'`],
    ['pg_catalog.bytea', 'U', 'bytea', `''`],
    ['pg_catalog.bool', 'B', 'bool', `'false'`],
    ['public.mood[]', 'A', '_mood', `'{}'`],
    ['public.mood', 'E', 'mood', 'NULL'],
    ['pg_catalog.inet', 'I', 'inet', 'NULL'],
    ['interval(3)', 'T', 'interval', 'NULL'],
    ['pg_catalog.xml', 'U', 'xml', 'NULL'],
    ['pg_catalog.int4range', 'R', 'int4range', 'NULL'],
    ['public.uuid', 'U', 'uuid', 'NULL'],
    ['public.price', 'N', 'price', 'NULL'],
  ])('%s', (castType, category, typeName, constant) => {
    expect(expression(column(castType, category, typeName), { using: 'redact' })).toBe(`CAST(${constant} AS ${castType})`);
  });
});

test('null is cast to the type; a collation of its own stays', () => {
  expect(expression(text, { using: 'null' })).toBe('CAST(NULL AS pg_catalog.text)');
  const collated = column('pg_catalog.text', 'S', 'text', 'public.de');
  for (const using of ['null', 'redact', 'partial'] as const)
    expect(expression(collated, { using })).toMatch(/ AS pg_catalog\.text\) COLLATE public\.de$/);
});

test('partial keeps at most half of a value, and everything in it is qualified', () => {
  const raw = 'CAST(_m."a""b" AS pg_catalog.text)';
  expect(expression(text, { using: 'partial', keep: 2 })).toBe(
    `CAST(CASE WHEN pg_catalog.length(${raw}) OPERATOR(pg_catalog.>=) 4 THEN CAST('***' AS pg_catalog.text) OPERATOR(pg_catalog.||) pg_catalog.right(${raw}, 2) ` +
      `ELSE CAST('***' AS pg_catalog.text) END AS pg_catalog.text)`,
  );
  expect(expression(text, { using: 'partial' })).toContain(', 4)');
  expect(expression(text, { using: 'partial', keep: 0 })).toContain('>=) 1 ');
});

test.each<[string, CatalogColumn, Mask]>([
  ['partial of a number', column('pg_catalog.int4', 'N', 'int4'), { using: 'partial' }],
  ["partial of somebody's own string type, whose cast to text may be their function", column('public.secret', 'S', 'text'), { using: 'partial' }],
  ['partial that keeps too much', text, { using: 'partial', keep: 33 }],
  ['partial that keeps less than nothing', text, { using: 'partial', keep: -1 }],
  ['partial that keeps half a character', text, { using: 'partial', keep: 1.5 }],
  ['hash', text, { using: 'hash' }],
  ['tokenize', text, { using: 'tokenize' }],
  ['bucket', text, { using: 'bucket' }],
])('%s is refused', (_what, of, mask) => {
  expect(() => expression(of, mask)).toThrow(/cannot be fulfilled for s\.t\.a/);
});

test('identifiers are always quoted', () => {
  expect(quoteIdentifier('Ä "x" ; --')).toBe('"Ä ""x"" ; --"');
});
