/** What the gateway reads of a target's catalog (MASKING.md §2), on real servers. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogChanged, type CatalogQuery, readCatalog } from '#enforcers/postgres/catalog';
import type { Catalog, CatalogRelation } from '#schemas/catalog';
import { connect, maskSchema } from '#test/support/mask';
import { POSTGRES_MAJORS, type PostgresServer, startPostgres } from '#test/support/postgres';

describe.each(POSTGRES_MAJORS)('PostgreSQL %i', (major) => {
  let server: PostgresServer;
  let client: pg.Client;
  let catalog: Catalog;
  const query: CatalogQuery = async (sql) =>
    (await client.query<(string | null)[]>({ text: sql, rowMode: 'array', types: { getTypeParser: () => String } })).rows;
  beforeAll(async () => {
    server = await startPostgres({ major });
    await server.query(maskSchema());
    client = await connect(server.url());
    catalog = await readCatalog(query);
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  const relation = (name: string, schema = 'public', of = catalog): CatalogRelation =>
    of.relations.find((each) => each.name === name && each.schema === schema) as CatalogRelation;
  const names = (oids: readonly string[]): readonly string[] =>
    oids.map((oid) => catalog.relations.find((each) => each.oid === oid)?.name ?? oid).toSorted();

  test('says whose catalog it is', () => {
    expect(catalog).toMatchObject({ database: 'postgres', serverMajor: major, cluster: expect.stringMatching(/^\d+\/\d+$/) });
    expect(catalog.systemRelations).toEqual(expect.arrayContaining(['pg_class', 'pg_stat_activity', 'pg_stats', 'pg_type']));
    expect(catalog.relations.some(({ schema }) => schema.startsWith('pg_') || schema === 'information_schema')).toBe(false);
  });

  test('kinds and columns, in the order of their numbers, dropped ones left out', async () => {
    expect(relation('customers')).toMatchObject({ kind: 'table', hasRules: false, callsCode: false });
    expect(relation('people').kind).toBe('partitioned_table');
    expect(relation('mv_customers').kind).toBe('materialized_view');
    expect(relation('wrapped').kind).toBe('composite');
    expect(relation('customers_pkey').kind).toBe('index');
    await client.query('BEGIN; ALTER TABLE customers DROP COLUMN email CASCADE');
    const columns = relation('customers', 'public', await readCatalog(query)).columns.map(({ attnum, name }) => `${attnum} ${name}`);
    await client.query('ROLLBACK');
    expect(columns).toEqual(['1 id', '2 name', '4 ssn', '5 card_number', '6 notes']);
  });

  test('§3 a cast to castType has the type and typmod of every column', async () => {
    const { columns } = relation('wide');
    const list = columns.flatMap(({ name, castType }, index) => [`CAST(NULL AS ${castType}) AS a${index}`, `wide.${name} AS b${index}`]);
    const { fields } = await client.query(`SELECT ${list.join(', ')} FROM wide LIMIT 0`);
    for (let at = 0; at < fields.length; at += 2) {
      const [cast, column] = [fields[at] as pg.FieldDef, fields[at + 1] as pg.FieldDef];
      expect([cast.dataTypeID, cast.dataTypeModifier], columns[at / 2]?.castType).toEqual([column.dataTypeID, column.dataTypeModifier]);
    }
    const found = Object.fromEntries(columns.map((column) => [column.name, column]));
    expect(found['c_domain']).toMatchObject({ castType: 'pg_catalog."varchar"(10)', category: 'S', typeName: 'varchar' });
    expect(found['c_collated']?.collation).toBe('public.other');
    expect(found['c_text']?.collation).toBeNull();
    expect(found['c_mood']?.castType).toBe('public.mood');
    expect(found['c_nums']?.castType).toBe('pg_catalog."numeric"(5,1)[]');
    expect(found['c_interval']?.castType).toBe('interval day to second(2)');
  });

  test('inheritance both ways', () => {
    expect(names(relation('customers').children)).toEqual(['customers_vip']);
    expect(names(relation('customers_vip').parents)).toEqual(['customers']);
    expect(names(relation('people').children)).toEqual(['people_eu', 'people_us']);
  });

  test('M11 what views and rules read, through other views, functions with a parsed body and operators', () => {
    expect(names(relation('customer_contact').reads)).toEqual(['customers']);
    expect(names(relation('v_contact_again').reads)).toEqual(['customer_contact', 'customers']);
    expect(names(relation('v_atomic').reads)).toEqual(['customers']);
    expect(names(relation('ruled').reads)).toEqual(['archive', 'customers']);
    expect(relation('ruled').hasRules).toBe(true);
    expect(relation('v_orders')).toMatchObject({ hasRules: false, callsCode: false });
    expect(names(relation('v_pure').reads)).toEqual(['orders']);
    expect(relation('v_pure').callsCode).toBe(false);
    for (const view of ['v_code', 'v_operator', 'v_xml', 'v_stats']) expect([view, relation(view).callsCode]).toEqual([view, true]);
  });

  test('row types stored elsewhere, through domains, arrays and composites', () => {
    expect(names(relation('nested').storesRowsOf)).toEqual(['customers']);
    expect(names(relation('nested_deeper').storesRowsOf)).toEqual(['customers', 'wrapped']);
    expect(names(relation('wrapped').storesRowsOf)).toEqual(['customers']);
    expect(relation('orders').storesRowsOf).toEqual([]);
  });

  test('generated columns and what they are computed from', () => {
    expect(relation('staff').columns.map(({ generated, generatedFrom }) => ({ generated, generatedFrom }))).toEqual([
      { generated: false, generatedFrom: undefined },
      { generated: false, generatedFrom: undefined },
      { generated: true, generatedFrom: [2] },
    ]);
  });

  test('§3 nothing on the search_path changes what is read', async () => {
    await client.query(`CREATE SCHEMA evil; CREATE FUNCTION evil.always(oid, oid) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
      CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.always); CREATE DOMAIN evil.text AS pg_catalog.int4;
      CREATE TABLE evil.pg_class (oid int)`);
    const plain = await readCatalog(query);
    await client.query('SET search_path = evil, pg_catalog');
    const found = await readCatalog(query);
    const changed = await catalogChanged(query, plain);
    await client.query('RESET search_path; DROP SCHEMA evil CASCADE');
    expect(found).toEqual(plain);
    expect(changed).toBe(false);
  });

  test('§6.1 the fingerprint changes with every DDL that matters, and comes back with ROLLBACK', async () => {
    const before = await readCatalog(query);
    expect(await catalogChanged(query, before)).toBe(false);
    const changes = [
      'ALTER TABLE customers RENAME ssn TO tmp',
      'ALTER TABLE customers RENAME TO plain',
      'ALTER TABLE customers SET SCHEMA hr',
      'ALTER SCHEMA hr RENAME TO people_office',
      'ALTER TABLE payments ALTER status TYPE varchar(20)',
      'ALTER TABLE customers ADD COLUMN x int',
      'ALTER TABLE customers DROP COLUMN notes CASCADE',
      'CREATE TABLE fresh (id int)',
      'DROP VIEW v_orders',
      'CREATE OR REPLACE VIEW v_orders AS SELECT id, note AS item, qty FROM orders',
      'CREATE TABLE kin () INHERITS (orders)',
      'ALTER TABLE people DETACH PARTITION people_us',
      'CREATE RULE r AS ON UPDATE TO orders DO ALSO NOTHING',
      'ALTER TYPE mood RENAME TO temper',
      'ALTER COLLATION other RENAME TO another',
      'CREATE OR REPLACE FUNCTION peeks() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT email FROM customers LIMIT 1; END',
    ];
    for (const change of changes) {
      await client.query(`BEGIN; ${change}`);
      expect([change, await catalogChanged(query, before)]).toEqual([change, true]);
      await client.query('ROLLBACK');
    }
    expect(await catalogChanged(query, before)).toBe(false);
    await client.query('INSERT INTO orders VALUES (77)');
    await client.query('DELETE FROM orders WHERE id = 77');
    await client.query('CREATE TEMP TABLE t (id int)');
    await client.query('ANALYZE orders');
    await client.query('VACUUM payments');
    expect(await catalogChanged(query, before)).toBe(false);
  });

  test('it changes nothing of the connection', async () => {
    await client.query(`SET search_path = hr; BEGIN`);
    await readCatalog(query);
    expect((await client.query('SHOW search_path')).rows).toEqual([{ search_path: 'hr' }]);
    await client.query('ROLLBACK; RESET search_path');
  });
});
