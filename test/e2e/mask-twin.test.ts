/** Masking is right when nobody can tell a masked database from one that holds the masked values (MASKING.md §1; M10, M11). */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PostgresMaskRewriter } from '#engine/facts/postgres/mask/rewriter';
import { Parser } from '#engine/facts/postgres/parser';
import type { Catalog } from '#schemas/catalog';
import type { Mask } from '#schemas/decision';
import { ask, catalogOf, connect, type Heard, maskCases, maskSchema } from '#test/support/mask';
import { POSTGRES_MAJORS, type PostgresServer, startPostgres } from '#test/support/postgres';

interface Construct {
  readonly construct: string;
  readonly cases: readonly (string | Case)[];
}
interface Case {
  readonly sql: string;
  readonly params?: readonly string[];
  readonly record?: boolean;
  readonly copy?: boolean;
  readonly explain?: boolean;
}

/** Column of `wide` → what stands there under `redact`; `null` and, for strings, `partial` follow below. */
const REDACTED: Readonly<Record<string, string>> = {
  c_text: `'***'`,
  c_varchar: `'***'`,
  c_char: `'***'`,
  c_collated: `'***'`,
  c_domain: `'***'`,
  c_name: `'***'`,
  c_int: '0',
  c_big: '0',
  c_num: '0',
  c_float: '0',
  c_bool: 'false',
  c_date: `'1970-01-01'`,
  c_ts: `'1970-01-01 00:00:00'`,
  c_tstz: `'1970-01-01 00:00:00+00'`,
  c_time: `'00:00:00'`,
  c_interval: 'NULL',
  c_uuid: `'00000000-0000-0000-0000-000000000000'`,
  c_json: `'null'`,
  c_jsonb: `'null'`,
  c_bytea: `''`,
  c_inet: 'NULL',
  c_mood: 'NULL',
  c_texts: `'{}'`,
  c_nums: `'{}'`,
  c_range: 'NULL',
  c_bits: 'NULL',
  c_xml: 'NULL',
  c_point: 'NULL',
};
const PARTIAL: Readonly<Record<string, string>> = {
  c_text: `'***text'`,
  c_varchar: `'***char'`,
  c_char: `'***char'`,
  c_collated: `'***ated'`,
  c_domain: `'***-dom'`,
  c_name: `'***name'`,
};
const STRINGS = [
  'public.customers.ssn',
  'public.customers.email',
  'public.customers.card_number',
  'public.people.secret',
  'public.pets.chip',
  'public.Odd "Näme.Ssn ß',
];
const MARKS = ['canary', '9071', '1907', '07:19', '90.71', '10110111'];
const LAST4 = (column: string): string => `${column} = CASE WHEN length(${column}) >= 8 THEN '***' || right(${column}, 4) ELSE '***' END`;

interface Method {
  readonly using: 'redact' | 'null' | 'partial';
  /** What the twin holds in the string columns. */
  readonly text: (column: string) => string;
  readonly wide: (column: string) => string;
}
const METHODS: readonly Method[] = [
  { using: 'redact', text: (column) => `${column} = '***'`, wide: (column) => REDACTED[column] as string },
  { using: 'null', text: (column) => `${column} = NULL`, wide: () => 'NULL' },
  { using: 'partial', text: LAST4, wide: (column) => PARTIAL[column] ?? (REDACTED[column] as string) },
];

function masksOf({ using }: Method): ReadonlyMap<string, Mask> {
  const masks = new Map<string, Mask>(STRINGS.map((name) => [name, { using }]));
  for (const column of Object.keys(REDACTED)) {
    masks.set(`public.wide.${column}`, { using: using === 'partial' && PARTIAL[column] === undefined ? 'redact' : using });
  }
  return masks.set('hr.orders.secret', { using: 'redact' });
}

async function makeTwin(server: PostgresServer, method: Method): Promise<string> {
  const name = `twin_${method.using}`;
  await server.query(`CREATE DATABASE ${name} TEMPLATE real`);
  const texts = ['ssn', 'email', 'card_number'].map(method.text).join(', ');
  const wide = Object.keys(REDACTED).map((column) => `${column} = ${method.wide(column)}`);
  await server.query(
    `ALTER TABLE wide ALTER c_domain TYPE varchar(10);
     UPDATE customers SET ${texts}; UPDATE people SET ${method.text('secret')};
     UPDATE "Odd ""Näme" SET ${method.text('"Ssn ß"')}; UPDATE wide SET ${wide.join(', ')}; ANALYZE`,
    name,
  );
  return name;
}

describe.each(POSTGRES_MAJORS)('PostgreSQL %i', (major) => {
  let server: PostgresServer;
  let catalog: Catalog;
  let rewriter: PostgresMaskRewriter;
  beforeAll(async () => {
    server = await startPostgres({ major });
    await server.query('CREATE DATABASE real');
    await server.query(maskSchema(), 'real');
    rewriter = new PostgresMaskRewriter([await Parser.open(major)]);
    const client = await connect(server.url('real'));
    catalog = await catalogOf(client);
    await client.end();
  });
  afterAll(async () => {
    await server.stop();
  });

  describe.each(METHODS)('$using', (method) => {
    let real: pg.Client;
    let twin: pg.Client;
    beforeAll(async () => {
      const name = await makeTwin(server, method);
      real = await connect(server.url('real'));
      twin = await connect(server.url(name));
    });
    afterAll(async () => {
      await real.end();
      await twin.end();
    });

    for (const { construct, cases } of maskCases<readonly Construct[]>('twin.yaml')) {
      test(`M10 ${construct}`, async () => {
        const found: string[] = [];
        for (const each of cases) {
          const one = typeof each === 'string' ? { sql: each } : each;
          const problem = await differs(one, method);
          if (problem !== null) found.push(`${one.sql}\n    ${problem}`);
        }
        expect(found, found.join('\n')).toEqual([]);
      });
    }

    async function differs(one: Case, method: Method): Promise<string | null> {
      const settings = { search_path: '"$user", public', role: 'postgres' };
      const answer = await rewriter.rewrite(Buffer.from(one.sql), masksOf(method), { major, database: 'real', settings, catalog });
      if (!answer.ok) return `refused: ${answer.reason}`;
      const text = Buffer.from(answer.rewrite.text).toString();
      const several = one.sql.includes(';');
      const modes = one.params !== undefined ? [{ params: one.params }] : several || one.copy === true ? [{}] : [{}, { extended: true }];
      for (const mode of modes) {
        const [masked, held] = [await undone(real, text, mode), await undone(twin, one.sql, mode)];
        const problem = leaks(masked, one, method) ?? (one.explain === true ? null : differ(masked, held, one, catalog));
        if (problem !== null) return `${JSON.stringify(mode)} ${problem}\n    ${text}`;
      }
      return one.params === undefined ? null : parameterTypes(text, one.sql);
    }

    /** `$n` are inferred from what they meet: the mask must have the column's own type. */
    async function parameterTypes(text: string, sql: string): Promise<string | null> {
      const types = async (client: pg.Client, statement: string): Promise<string> => {
        await client.query(`PREPARE asked AS ${statement}`);
        const found = await client.query<{ types: string }>(`SELECT parameter_types::text AS types FROM pg_prepared_statements WHERE name = 'asked'`);
        await client.query('DEALLOCATE asked');
        return found.rows[0]?.types ?? '';
      };
      const [masked, held] = [await types(real, text), await types(twin, sql)];
      return masked === held ? null : `parameter types ${masked}, twin ${held}`;
    }
  });
});

/** Whatever a case writes is rolled back. */
async function undone(client: pg.Client, sql: string, mode: { readonly params?: readonly string[]; readonly extended?: boolean }): Promise<Heard> {
  const own = sql.startsWith('BEGIN');
  if (!own) await client.query('BEGIN');
  const heard = await ask(client, sql, mode);
  if (!own) await client.query('ROLLBACK');
  return heard;
}

function leaks(heard: Heard, one: Case, { using }: Method): string | null {
  const asked = `${one.sql} ${JSON.stringify(one.params ?? [])}`;
  const bytes = heard.bytes.toString('latin1');
  const hex = Buffer.from('canary').toString('hex');
  // `partial` shows the last four characters, as it is asked to
  const marks = using === 'partial' ? ['canary', hex] : [...MARKS, hex];
  const leaked = marks.find((mark) => bytes.includes(mark) && !asked.includes(mark));
  return leaked === undefined ? null : `LEAK of ${leaked}`;
}

function differ(masked: Heard, held: Heard, one: Case, catalog: Catalog): string | null {
  const sorted = (rows: readonly string[]): string => JSON.stringify(rows.toSorted());
  if (masked.errors.join() !== held.errors.join()) return `error ${masked.errors.join()}, twin ${held.errors.join()}`;
  if (masked.tags.join() !== held.tags.join()) return `tag ${masked.tags.join()}, twin ${held.tags.join()}`;
  if (sorted(masked.rows) !== sorted(held.rows)) return `rows ${sorted(masked.rows)}, twin ${sorted(held.rows)}`;
  // a constant that cannot be cast fails when the plan is made, before RowDescription
  if (masked.errors.length > 0) return null;
  if (masked.fields.length !== held.fields.length) return 'another number of results';
  for (const [index, fields] of masked.fields.entries()) {
    const others = held.fields[index] ?? [];
    if (fields.length !== others.length) return 'another number of columns';
    for (const [at, field] of fields.entries()) {
      const other = others[at] as typeof field;
      const { name, type, length, typmod } = other;
      if (one.record === true && (field.type === 2249 || field.type === 2287) && field.name === name) continue;
      if (field.name !== name || field.type !== type || field.length !== length || field.typmod !== typmod)
        return `${JSON.stringify(field)}, twin ${JSON.stringify(other)}`;
      const relation = catalog.relations.find(({ oid }) => oid === String(other.table));
      // an unmasked column keeps its origin through the sub-select; a masked one has none
      if (field.table !== 0 && (field.table !== other.table || field.attnum !== other.attnum)) return `origin of ${name}`;
      if (field.table === 0 && relation?.name === 'orders') return `origin of ${name} lost`;
    }
  }
  return null;
}
