/** Traps already found (MASKING.md §2, §3, §6), each sprung on real servers. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogChanged } from '#enforcers/postgres/catalog';
import { PostgresMaskRewriter, type RewriteAnswer } from '#engine/facts/postgres/mask/rewriter';
import type { Catalog } from '#schemas/catalog';
import type { Mask } from '#schemas/decision';
import { ask, catalogOf, connect, maskSchema } from '#test/support/mask';
import { POSTGRES_MAJORS, type PostgresServer, startPostgres } from '#test/support/postgres';

const redact: Mask = { using: 'redact' };

describe.each(POSTGRES_MAJORS)('PostgreSQL %i', (major) => {
  let server: PostgresServer;
  let client: pg.Client;
  let rewriter: PostgresMaskRewriter;
  beforeAll(async () => {
    server = await startPostgres({ major });
    await server.query(maskSchema());
    client = await connect(server.url());
    rewriter = await PostgresMaskRewriter.open([major]);
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  async function rewrite(
    sql: string,
    masks: Readonly<Record<string, Mask>>,
    catalog: Catalog,
    path = 'public',
    by = rewriter,
  ): Promise<RewriteAnswer> {
    const settings = { search_path: path, role: 'postgres' };
    return by.rewrite(Buffer.from(sql), new Map(Object.entries(masks)), { major, database: 'postgres', settings, catalog });
  }

  async function masked(sql: string, masks: Readonly<Record<string, Mask>>, path?: string): Promise<string> {
    const answer = await rewrite(sql, masks, await catalogOf(client), path);
    if (!answer.ok) throw new Error(answer.reason);
    return Buffer.from(answer.rewrite.text).toString();
  }

  test("§3 somebody's own functions, operators and types do not win over the built-in ones", async () => {
    await client.query(`CREATE SCHEMA trap; SET search_path = trap, public;
      CREATE TABLE trap.cards (id int, number varchar(40), holder text, code text COLLATE public.other);
      INSERT INTO trap.cards VALUES (1, 'canary-card-0001', 'canary-holder-0001', 'canary-code-0001');
      CREATE FUNCTION trap.right(varchar, int) RETURNS text LANGUAGE sql AS $$ SELECT 'stolen ' || $1 $$;
      CREATE FUNCTION trap.right(pg_catalog.text, int) RETURNS text LANGUAGE sql AS $$ SELECT 'stolen ' || $1 $$;
      CREATE FUNCTION trap.length(varchar) RETURNS int LANGUAGE sql AS $$ SELECT 1000 $$;
      CREATE FUNCTION trap.length(pg_catalog.text) RETURNS int LANGUAGE sql AS $$ SELECT 1000 $$;
      CREATE FUNCTION trap.glue(pg_catalog.text, pg_catalog.text) RETURNS text LANGUAGE sql AS $$ SELECT 'stolen ' || $2 $$;
      CREATE OPERATOR trap.|| (LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text, FUNCTION = trap.glue);
      CREATE FUNCTION trap.more(int, int) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
      CREATE OPERATOR trap.>= (LEFTARG = int, RIGHTARG = int, FUNCTION = trap.more);
      CREATE DOMAIN trap.text AS pg_catalog.varchar(2); CREATE DOMAIN trap.varchar AS pg_catalog.varchar(2)`);
    const names = ['number', 'holder', 'code'].map((column) => `trap.cards.${column}`);
    for (const path of ['trap, pg_catalog, public', 'pg_catalog, trap, public', 'trap, public']) {
      await client.query(`SET search_path = ${path}`);
      for (const using of ['partial', 'redact', 'null'] as const) {
        const text = await masked('SELECT number, holder, code FROM cards', Object.fromEntries(names.map((name) => [name, { using }])), path);
        const { rows } = await client.query({ text, rowMode: 'array' });
        const expected = { partial: ['***0001', '***0001', '***0001'], redact: ['***', '***', '***'], null: [null, null, null] }[using];
        expect([path, using, rows]).toEqual([path, using, [expected]]);
      }
    }
    await client.query('RESET search_path; DROP SCHEMA trap CASCADE');
  });

  test('§6.1, M13 a column swap by ALTER RENAME: the old text would leak, the catalog read again refuses', async () => {
    const masks = { 'public.orders.note': redact };
    const fresh = await PostgresMaskRewriter.open([major]);
    const before = await catalogOf(client);
    const old = await rewrite('SELECT item FROM orders WHERE id = 1', masks, before, 'public', fresh);
    await client.query(`UPDATE orders SET note = 'canary-note' WHERE id = 1;
      ALTER TABLE orders RENAME note TO tmp; ALTER TABLE orders RENAME item TO note; ALTER TABLE orders RENAME tmp TO item`);
    const query = async (sql: string): Promise<(string | null)[][]> => (await client.query<(string | null)[]>({ text: sql, rowMode: 'array' })).rows;
    expect(await catalogChanged(query, before)).toBe(true);
    const again = await rewrite('SELECT item FROM orders WHERE id = 1', masks, await catalogOf(client), 'public', fresh);
    const leak = old.ok ? (await client.query(Buffer.from(old.rewrite.text).toString())).rows : [];
    await client.query('ALTER TABLE orders RENAME note TO tmp; ALTER TABLE orders RENAME item TO note; ALTER TABLE orders RENAME tmp TO item');
    const back = await rewrite('SELECT item FROM orders WHERE id = 1', masks, await catalogOf(client), 'public', fresh);
    expect(leak).toEqual([{ item: 'canary-note' }]);
    expect(again).toMatchObject({ ok: false, reason: /no longer where masks were bound/ });
    expect(back.ok).toBe(true);
  });

  test('§2 row types stored elsewhere, views, rules, partitions, generated columns: refused from what the server says', async () => {
    const catalog = await catalogOf(client);
    const masks = { 'public.customers.ssn': redact, 'public.people.secret': redact, 'public.staff.pay': redact };
    const relations = [
      'nested',
      'nested_deeper',
      'customer_contact',
      'v_contact_again',
      'mv_customers',
      'v_atomic',
      'v_code',
      'v_operator',
      'v_xml',
      'v_stats',
      'ruled',
      'customers_vip',
      'people_eu',
      'people_us',
      'staff',
    ]; // prettier-ignore
    for (const name of relations)
      expect([name, await rewrite(`SELECT * FROM ${name}`, masks, catalog)]).toMatchObject([name, { ok: false, code: 'MASK_IMPOSSIBLE' }]);
    for (const name of ['orders', 'v_orders', 'v_pure', 'archive', 'animals', 'pets']) {
      expect([name, await rewrite(`SELECT * FROM ${name}`, masks, catalog)]).toMatchObject([name, { ok: true, rewrite: { masked: [] } }]);
    }
  });

  test('a foreign table is refused, and so is the partitioned table over it', async () => {
    await client.query(`CREATE EXTENSION postgres_fdw; CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw;
      CREATE TABLE spread (id int, v text) PARTITION BY LIST (id); CREATE FOREIGN TABLE spread_1 PARTITION OF spread FOR VALUES IN (1) SERVER here`);
    const catalog = await catalogOf(client);
    for (const name of ['spread', 'spread_1']) {
      expect(await rewrite(`SELECT * FROM ${name}`, { 'public.customers.ssn': redact }, catalog)).toMatchObject({
        ok: false,
        reason: /foreign|cannot be masked/,
      });
    }
    await client.query('DROP TABLE spread; DROP EXTENSION postgres_fdw CASCADE');
  });

  test('§6.4 error positions map back to where the client wrote', async () => {
    const sql = "SELECT 'äß', c.name FROM customers c WHERE nosuch = 1";
    const catalog = await catalogOf(client);
    const answer = await rewrite(sql, { 'public.customers.ssn': redact }, catalog);
    if (!answer.ok) throw new Error(answer.reason);
    const text = Buffer.from(answer.rewrite.text);
    const error = await client.query(text.toString()).then(
      () => null,
      (found: unknown) => found as { position: string },
    );
    // the server counts characters from one
    const bytes = Buffer.byteLength(
      Array.from(text.toString())
        .slice(0, Number(error?.position) - 1)
        .join(''),
    );
    expect(answer.rewrite.toOriginal(bytes)).toBe(Buffer.from(sql).indexOf('nosuch'));
  });

  test('§4 an operator that looks at statistics while planning sees none of the raw values', async () => {
    await client.query(`CREATE TABLE seen (v text); CREATE TABLE many (id int, secret text);
      INSERT INTO many SELECT n, 'canary-' || n % 3 FROM generate_series(1, 300) n; ANALYZE many;
      CREATE FUNCTION peek(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'saw %', $1; RETURN false; END $$;
      CREATE OPERATOR <~> (LEFTARG = text, RIGHTARG = text, FUNCTION = peek, RESTRICT = eqsel)`);
    const sql = "EXPLAIN (COSTS OFF) SELECT id FROM many WHERE secret <~> 'x'";
    const raw = await ask(client, sql);
    const shown = await ask(client, await masked(sql, { 'public.many.secret': redact }));
    await client.query('DROP OPERATOR <~> (text, text); DROP FUNCTION peek; DROP TABLE many, seen');
    expect(raw.bytes.toString()).toContain('canary');
    expect(shown.bytes.toString()).not.toContain('canary');
  });

  test('§3 an unqualified column would be taken from an outer query once it is dropped: the text fails instead', async () => {
    await client.query('CREATE TABLE gone (id int, extra text, secret text); CREATE TABLE outside (extra text)');
    const text = await masked('SELECT (SELECT min(secret) FROM gone) FROM outside', { 'public.gone.secret': redact });
    await client.query('ALTER TABLE gone DROP COLUMN extra');
    const { errors } = await ask(client, text);
    await client.query('DROP TABLE gone, outside');
    expect(errors).toEqual(['42703']);
  });
});
