/** The evasion corpus' statements over masked columns, rewritten and run (I5, M10–M12, M19). What leaves only through a function is the policy's to refuse, by its class. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PostgresMaskRewriter } from '#engine/facts/postgres/mask/rewriter';
import { PostgresFacts } from '#engine/facts/postgres/reader';
import type { Catalog } from '#schemas/catalog';
import type { SqlFacts } from '#schemas/sql-facts';
import { ask, catalogOf, connect, root, sameMask } from '#test/support/mask';
import { POSTGRES_MAJORS, type PostgresServer, startPostgres } from '#test/support/postgres';

interface CorpusCase {
  readonly id: string;
  readonly payload: string;
  readonly expected: 'must-mask' | 'must-not-allow' | 'must-allow';
  readonly tags?: readonly string[];
  readonly leak_text?: readonly string[];
  readonly leak_hex?: readonly string[];
  readonly steps?: readonly { readonly sql?: string; readonly params?: readonly string[]; readonly target?: boolean }[];
}
type Outcome = 'masked' | 'refused' | 'untouched' | 'by function class';

const folder = join(root, 'test', 'corpus', 'public');
const masks = sameMask(['public.customers.ssn', 'public.customers.card_number', 'public.customers.email'], { using: 'redact' });
/** A policy sees these; none of them is ever allowed by the shipped packs. */
const NOT_PURE = new Set(['sql', 'user', 'file', 'network', 'admin', 'unknown', 'session']);

describe.each(POSTGRES_MAJORS)('PostgreSQL %i', (major) => {
  let server: PostgresServer;
  let one: pg.Client;
  let other: pg.Client;
  let catalog: Catalog;
  let rewriter: PostgresMaskRewriter;
  let facts: PostgresFacts;
  const cases = readFileSync(join(folder, 'mask.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as CorpusCase);

  beforeAll(async () => {
    server = await startPostgres({ major });
    await server.query('CREATE DATABASE one');
    await server.query(readFileSync(join(folder, 'schema.sql'), 'utf8'), 'one');
    await server.query('CREATE DATABASE other TEMPLATE one');
    // differs in the masked values only
    await server.query("UPDATE customers SET ssn = '9' || ssn || '0', email = upper(email), card_number = reverse(card_number); ANALYZE", 'other');
    one = await connect(server.url('one'));
    other = await connect(server.url('other'));
    catalog = await catalogOf(one);
    rewriter = await PostgresMaskRewriter.open([major]);
    facts = new PostgresFacts({ majors: [major] });
    await facts.ready();
  });
  afterAll(async () => {
    await one.end();
    await other.end();
    await facts.close();
    await server.stop();
  });

  test('no canary leaves; what only a function can read is named by its class', async () => {
    const counts: Record<string, Record<string, number>> = {};
    const problems: string[] = [];
    const leaning: string[] = [];
    for (const each of cases) {
      const { outcome, problem } = await run(each);
      if (problem !== null) problems.push(`${each.id}: ${problem}`);
      if (outcome === 'by function class') leaning.push(each.id);
      const row = (counts[each.expected] ??= {});
      row[outcome] = (row[outcome] ?? 0) + 1;
    }
    expect(problems, problems.join('\n')).toEqual([]);
    // a rewriter that refuses everything, or leaves everything to policy, must not pass
    const of = (outcome: Outcome): number => counts['must-mask']?.[outcome] ?? 0;
    const all = Object.values(counts['must-mask'] ?? {}).reduce((sum, count) => sum + count, 0);
    expect([all > 0, of('masked') / all > 0.6, of('by function class') / all < 0.15, of('untouched') / all < 0.05]).toEqual([true, true, true, true]);
    expect(counts['must-allow']?.['refused'] ?? 0).toBe(0);
    console.info(`PostgreSQL ${major}: ${JSON.stringify(counts)}; by function class: ${leaning.toSorted().join(' ')}`);
  });

  async function run(each: CorpusCase): Promise<{ outcome: Outcome; problem: string | null }> {
    const settings = { search_path: '"$user", public', role: 'postgres' };
    const context = { major, database: 'one', settings, catalog };
    const steps = each.steps ?? [{ sql: each.payload }];
    let outcome: Outcome = 'untouched';
    for (const { sql, params } of steps) {
      if (sql === undefined || sql.includes('{{')) return { outcome: 'by function class', problem: null };
      const answer = await rewriter.rewrite(Buffer.from(sql), masks, context);
      const read = await facts.read(Buffer.from(sql), context);
      if (!answer.ok) return { outcome: 'refused', problem: each.expected === 'must-allow' ? answer.reason : null };
      const text = Buffer.from(answer.rewrite.text).toString();
      const heard = await Promise.all([one, other].map(async (client) => undone(client, text, params)));
      if (answer.rewrite.masked.length > 0) outcome = 'masked';
      const problem = judge(each, sql, heard);
      if (problem === null) continue;
      return byFunction(read) ? { outcome: 'by function class', problem: null } : { outcome, problem: `${problem} in ${text}` };
    }
    return { outcome, problem: null };
  }
});

async function undone(client: pg.Client, sql: string, params: readonly string[] | undefined): Promise<Buffer> {
  await client.query('BEGIN');
  const heard = await ask(client, sql, params === undefined ? {} : { params });
  await client.query('ROLLBACK');
  return heard.bytes;
}

/** One case looks for the server's own text, which the enforcer cans (M14). */
const SERVER_WORDS = 'invalid regular expression';
const RAW = ['123-45-6789', '987-65-4321', '4111111111111111', 'alice@corp', '078-05-1120'];

function judge(each: CorpusCase, sql: string, [here, there]: readonly Buffer[]): string | null {
  if (here === undefined || there === undefined) return 'nothing heard';
  const bytes = here.toString('latin1');
  const marks = (each.leak_text ?? []).filter((mark) => mark !== SERVER_WORDS).concat(RAW);
  const leaked = marks.find((mark) => bytes.includes(mark) && !sql.includes(mark));
  if (leaked !== undefined) return `LEAK of ${leaked}`;
  const hex = (each.leak_hex ?? []).find((mark) => here.toString('hex').includes(mark) || bytes.includes(mark));
  if (hex !== undefined) return `LEAK of ${hex}`;
  return each.expected === 'must-not-allow' && !here.equals(there) ? 'the masked values can be inferred' : null;
}

function byFunction(facts: SqlFacts): boolean {
  return facts.statements.some(({ functions }) => functions.some((use) => NOT_PURE.has(use.class))) || facts.opaque.length > 0;
}
