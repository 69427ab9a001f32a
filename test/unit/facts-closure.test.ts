import { afterAll, describe, expect, it } from 'vitest';
import { catalogOf } from '../support/facts-catalog.ts';
import { brief, openFacts, type Brief } from '../support/facts.ts';

const facts = openFacts();
afterAll(() => facts.close());

const catalog = catalogOf(
  { name: 'customers', columns: ['id', 'name', 'ssn', 'shout'], generated: { shout: ['name', 'ssn'] } },
  { name: 'customers_vip', columns: ['id', 'name', 'ssn', 'shout'], parents: ['customers'] },
  { name: 'customers_gold', columns: ['id', 'name', 'ssn', 'shout'], parents: ['customers_vip'] },
  { name: 'orders', columns: ['id', 'item', 'customer_id'] },
  { name: 'other.orders', columns: ['id'] },
  { name: 'contact', kind: 'view', columns: ['id', 'tax'], reads: ['customers'] },
  { name: 'summary', kind: 'materialized_view', columns: ['id'], reads: ['customers', 'orders'] },
  { name: 'snapshots', columns: ['at', 'c'], storesRowsOf: ['customers'] },
  { name: 'ruled', columns: ['id'], hasRules: true },
  { name: 'counted', kind: 'view', columns: ['n'], reads: [], callsCode: true },
  { name: 'far', kind: 'foreign_table', columns: ['id'] },
);
const read = async (sql: string, settings?: Readonly<Record<string, string>>): Promise<Brief> =>
  brief(await facts.read(sql, { catalog, ...(settings === undefined ? {} : { settings }) }));

describe('closure over the catalog (ADR 0002, MASKING §2)', () => {
  it('a child is read with its ancestors and its own children', async () => {
    expect((await read('SELECT id FROM customers_vip')).effects).toEqual([
      'read public.customers_vip',
      'read public.customers_gold via inherits:public.customers_vip',
      'read public.customers via inherits:public.customers_vip',
    ]);
  });

  it('a parent is read, and written, with its children', async () => {
    expect((await read('DELETE FROM customers')).effects).toEqual([
      'delete public.customers',
      'delete public.customers_vip via inherits:public.customers',
      'delete public.customers_gold via inherits:public.customers',
    ]);
  });

  it('dropping a child does not drop its parent', async () => {
    expect((await read('DROP TABLE customers_vip')).effects).toEqual([
      'drop public.customers_vip',
      'drop public.customers_gold via inherits:public.customers_vip',
    ]);
  });

  it('a view reads what it is made of, and what that inherits to', async () => {
    expect((await read('SELECT tax FROM contact')).effects).toEqual([
      'read public.contact',
      'read public.customers via view:public.contact',
      'read public.customers_vip via view:public.contact via inherits:public.customers',
      'read public.customers_gold via view:public.contact via inherits:public.customers',
    ]);
  });

  it('a write to a view is one to its table', async () => {
    expect((await read("UPDATE contact SET tax = 'x'")).effects).toContain('update public.customers via view:public.contact');
  });

  it('a materialised view reads the copy of both', async () => {
    expect((await read('TABLE summary')).effects).toEqual(
      expect.arrayContaining(['read public.customers via view:public.summary', 'read public.orders via view:public.summary']),
    );
  });

  it('a table that stores rows of another reads them', async () => {
    expect((await read('SELECT c FROM snapshots')).effects).toContain('read public.customers via inherits:public.snapshots');
  });

  it('rules and code behind a view are foreign code', async () => {
    expect((await read('INSERT INTO ruled VALUES (1)')).opaque).toEqual(['foreign_code: public.ruled has rules']);
    expect((await read('SELECT id FROM ruled')).opaque).toEqual([]);
    expect((await read('SELECT * FROM counted')).opaque).toEqual(['foreign_code: public.counted reads through functions whose bodies are not read']);
  });

  it('a foreign table connects out', async () => {
    expect((await read('SELECT * FROM far')).effects).toEqual(['read public.far', 'connect_out other public.far']);
  });

  it('a relation that the reading did not see is told, one of the server is not', async () => {
    expect((await read('SELECT * FROM nowhere, pg_class, information_schema.tables, pg_catalog.pg_tables')).opaque).toContain(
      'unknown_object: public.nowhere',
    );
    expect((await read('SELECT * FROM pg_catalog.nowhere')).opaque).toEqual(['unknown_object: pg_catalog.nowhere']);
    expect((await read('SELECT * FROM shop.public.orders')).opaque).toEqual([]);
    expect((await read('SELECT * FROM elsewhere.public.orders')).opaque).toEqual(['unknown_object: public.orders']);
    expect((await read('CREATE TABLE nowhere (id int)')).opaque).toEqual([]);
  });

  it('a bare name is found along search_path', async () => {
    expect((await read('SELECT * FROM orders', { search_path: 'none, other, public' })).effects).toEqual(['read other.orders']);
    expect((await read('SELECT * FROM customers', { search_path: 'other' })).opaque).toEqual(['unknown_object: other.customers']);
  });

  it('columns are told one by one, and whose they are', async () => {
    const { columns, output } = await read('SELECT *, ssn, item FROM customers, orders WHERE customer_id = customers.id');
    expect(columns).toContain('public.customers.ssn output');
    expect(columns).toContain('public.orders.item output');
    expect(columns).toContain('public.orders.customer_id predicate');
    expect(columns).not.toContain('public.orders.ssn output ?');
    expect(output).toContain('customer_id = public.orders.customer_id');
  });

  it('a correlated name is the inner table’s if it has it, else the outer’s', async () => {
    const { columns } = await read('SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM customers WHERE ssn = item AND name = $1)');
    expect(columns).toEqual([
      'public.orders.id output',
      'public.customers.ssn predicate',
      'public.orders.item predicate',
      'public.customers.name predicate',
    ]);
  });

  it('a generated column is a use of what it is computed from', async () => {
    expect((await read('SELECT shout FROM customers')).columns).toEqual([
      'public.customers.shout output',
      'public.customers.name output',
      'public.customers.ssn output',
    ]);
  });

  it('c.f is a call where the table has no such column', async () => {
    expect((await read('SELECT c.leak, (c).leak2 FROM customers c')).functions).toEqual(['public.leak user', 'public.leak2 user']);
    expect((await read('SELECT c.ssn, c.ctid, (c).name FROM customers c')).functions).toEqual([]);
  });

  it('a cast to the row type of a table runs no code', async () => {
    expect((await read('SELECT NULL::customers, NULL::other.orders, NULL::mood')).functions).toEqual(['cast public.mood user']);
  });
});
