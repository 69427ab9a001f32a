/** Statement → facts, as data: test/cases/facts/*.yaml. A key that a case leaves out is expected to be empty. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { Value } from 'typebox/value';
import { afterAll, describe, expect, it } from 'vitest';
import { SqlFacts } from '#schemas/sql-facts';
import { brief, openFacts, type Brief, type Reading } from '../support/facts.ts';

const GROUPS = ['reads', 'writes', 'functions', 'session', 'definitions', 'refused'] as const;
type Case = Partial<Brief> & Reading & { readonly sql: string };

const facts = openFacts();
afterAll(() => facts.close());

describe.each(GROUPS)('facts: %s', (group) => {
  const cases = parse(readFileSync(new URL(`../cases/facts/${group}.yaml`, import.meta.url), 'utf8')) as readonly Case[];

  it.each(cases.map((each) => [each.sql.slice(0, 100), each] as const))('%s', async (_, { sql, major, settings, ...expected }) => {
    const told = await facts.read(sql, { ...(major === undefined ? {} : { major }), ...(settings === undefined ? {} : { settings }) });
    const empty = { effects: [], columns: [], output: [], functions: [], session: [], opaque: [] };
    expect(brief(told)).toEqual({ ...empty, ...expected });
    expect(Value.Check(SqlFacts, told)).toBe(true);
  });
});
