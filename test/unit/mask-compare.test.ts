/** The comparison is what masking rests on: whatever a wrong splice changes must be seen (MASKING.md §5). Each of these is a text that parses. */
import { beforeAll, describe, expect, test } from 'vitest';
import { compareTrees } from '#engine/facts/postgres/mask/compare';
import { MaskBindings } from '#engine/facts/postgres/mask/binding';
import { tokenize } from '#engine/facts/postgres/mask/lexer';
import { MaskPlan } from '#engine/facts/postgres/mask/plan';
import { type Edit, editFor, Places, splice } from '#engine/facts/postgres/mask/splice';
import { sitesOf } from '#engine/facts/postgres/mask/statement';
import type { Site } from '#engine/facts/postgres/mask/walk';
import { type Fields, Parser, PARSER_MAJORS } from '#engine/facts/postgres/parser';
import { maskCatalog } from '#test/support/mask-catalog';

const plan = new MaskPlan(new Map([['public.customers.ssn', { using: 'redact' }]]), maskCatalog(), new MaskBindings());
const names = { database: 'app', path: ['public'], role: null };

describe.each(PARSER_MAJORS)('grammar of %i', (major) => {
  let parser: Parser;
  beforeAll(async () => {
    parser = await Parser.open(major);
  });

  interface Wrong {
    /** What is made of the true edits before they are spliced. */
    readonly edits?: (edits: readonly Edit[], text: Buffer) => readonly Edit[];
    /** What is made of the true result. */
    readonly result?: (text: string) => string;
    readonly sites?: (sites: readonly Site[]) => readonly Site[];
  }

  function compare(sql: string, wrong: Wrong = {}): void {
    const text = Buffer.from(sql);
    const tree = parser.parse(text);
    const sites = tree.stmts.flatMap(({ stmt }) => sitesOf(stmt, plan, names));
    const tokens = tokenize(text);
    const places = new Map(sites.map((site) => [site.range.location, site]));
    const right = [...places.values()].map((site) =>
      editFor(text, tokens, site.range, site.star !== null, plan.template(site.masked, site.range.inh !== true)),
    );
    const edits = (wrong.edits ?? ((same) => same))(right, text);
    const spliced = (wrong.result ?? ((same) => same))(Buffer.from(splice(text, edits)).toString());
    const template = (site: Site): Fields => parser.parse(plan.template(site.masked, site.range.inh !== true)).stmts[0]?.stmt as Fields;
    compareTrees(tree, parser.parse(spliced), (wrong.sites ?? ((same) => same))(sites), new Places(edits), template);
  }

  const at = (edit: Edit | undefined, start: number, end: number): readonly Edit[] => (edit === undefined ? [] : [{ ...edit, start, end }]);

  test.each([
    'SELECT ssn FROM customers',
    "SELECT 'ä', ssn FROM customers c; TABLE ONLY customers; SELECT 1 FROM customers *, customers b",
    'UPDATE orders SET (item, note) = (SELECT name, notes FROM customers)',
  ])('the true splice passes: %s', (sql) => {
    expect(() => compare(sql)).not.toThrow();
  });

  test('a splice in a later string, as a character offset in place of a byte offset makes it, is seen by its literal alone', () => {
    // 'ä' counts one character and two bytes
    const sql = `SELECT 'customers' AS "customers", ssn FROM customers`;
    expect(() =>
      compare(sql, {
        edits: ([edit], text) => {
          const start = text.indexOf('customers');
          return at(edit === undefined ? undefined : { ...edit, text: Buffer.from(edit.text.toString().replaceAll("'", "''")) }, start, start + 9);
        },
      }),
    ).toThrow(/does not compare/);
    expect(() => compare("SELECT ssn, 'customers' FROM customers", { result: (text) => text.replace("'customers'", "'customerz'") })).toThrow(/sval/);
    expect(() => compare('SELECT ssn, 7 FROM customers', { result: (text) => text.replace(', 7', ', 8') })).toThrow(/ival/);
  });

  test.each<[string, string, Wrong]>([
    ['a site that was not replaced', 'SELECT ssn FROM customers', { edits: () => [] }],
    ['one of two sites', 'SELECT 1 FROM customers a, customers b', { edits: (edits) => edits.slice(1) }],
    ["the user's own sub-select", 'SELECT ssn FROM (SELECT * FROM customers) c', { edits: () => [] }],
    ['another alias', 'SELECT ssn FROM customers c', { result: (text) => text.replace(' c', ' d') }],
    ['an alias too many', 'SELECT ssn FROM customers', { result: (text) => text.replace('AS "customers"', 'AS "customers"(ssn)') }],
    ['a lost list of column names', 'SELECT a FROM customers c(a)', { result: (text) => text.replace('(a)', '   ') }],
    ['a lateral sub-select', 'SELECT ssn FROM customers', { result: (text) => text.replace('FROM (', 'FROM LATERAL (') }],
    [
      'an unmasked column in the sub-select',
      'SELECT ssn FROM customers',
      { result: (text) => text.replace(/CAST\('\*\*\*' AS pg_catalog.text\)/, '_m.ssn') },
    ],
    ['another constant in the sub-select', 'SELECT ssn FROM customers', { result: (text) => text.replace("'***'", "'*'") }],
    [
      'another relation in the sub-select',
      'SELECT ssn FROM customers',
      { result: (text) => text.replace('"public"."customers"', '"public"."customerz"') },
    ],
    ['ONLY that was lost', 'SELECT ssn FROM ONLY customers', { result: (text) => text.replace('FROM ONLY ', 'FROM ') }],
    ['ONLY that came', 'SELECT ssn FROM customers, orders', { result: (text) => text.replace(', orders', ', only orders') }],
    ['ONLY where blanks were', 'SELECT ssn FROM customers,      orders', { result: (text) => text.replace(',      orders', ', ONLY orders') }],
    ['blanks where ONLY was', 'SELECT ssn FROM customers, ONLY orders', { result: (text) => text.replace(', ONLY orders', ',      orders') }],
    ['a predicate that was lost', 'SELECT ssn FROM customers WHERE id = 1', { result: (text) => text.replace('WHERE id = 1', '') }],
    ['a statement that came', 'SELECT ssn FROM customers', { result: (text) => `${text}; SELECT 1` }],
    ['a statement that was lost', 'SELECT 1; SELECT ssn FROM customers', { result: (text) => text.replace('SELECT 1; ', '') }],
    ['a place that was not counted', 'SELECT 1 FROM customers a, customers b', { sites: (sites) => sites.slice(1) }],
    ['a place counted twice', 'SELECT 1 FROM customers', { sites: (sites) => [...sites, { ...(sites[0] as Site), node: {} }] }],
    ['text that moved', 'SELECT ssn FROM customers WHERE id = 1', { result: (text) => text.replace('WHERE', '  WHERE') }],
    ['columns for the star of TABLE', 'TABLE customers', { result: (text) => text.replace('SELECT *', 'SELECT ssn') }],
  ])('%s is seen', (_what, sql, wrong) => {
    expect(() => compare(sql, wrong)).toThrow(/does not compare/);
  });
});
