/** Held and resumed with ordinary clients as they come: each waits where it would wait for the server, and runs exactly once (issue 3, "Approvals"). */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { psycopgPython } from '../conformance/clients.ts';
import { installed, type Shop, startShop } from '#test/support/approval-shop';

const run = promisify(execFile);
let shop: Shop;
beforeAll(async () => {
  shop = await startShop();
});
afterAll(() => shop?.[Symbol.asyncDispose]());

/** Nothing of the statement is at the server before the verdict, unless it may be prepared beforehand. */
async function approve(text: string, prepared = false): Promise<string> {
  const request = await shop.opened(text);
  expect(shop.relay.ran(text)).toBe(prepared);
  await shop.verdict(request.approval_id, 'approve', 'as agreed');
  return request.approval_id;
}

/** The statement was recorded as held, consumed and cleared, in this order, once. */
async function ranOnce(approvalId: string): Promise<void> {
  const events = (await shop.events()).filter(
    (event) =>
      ('approval_id' in event && event.approval_id === approvalId) ||
      (event.type === 'statement.cleared' && event.approval?.approval_id === approvalId),
  );
  expect(events.map((event) => event.type).filter((type) => type !== 'approval.viewed')).toEqual([
    'approval.requested',
    'statement.held',
    'approval.verdict',
    'approval.settled',
    'approval.consumed',
    'statement.cleared',
  ]);
  expect((await shop.show(approvalId)).state).toBe('consumed');
}

test.skipIf(!installed('psql'))('psql, simple protocol', async () => {
  const running = run('psql', ['-X', '-c', 'UPDATE payments SET n = n + 1 WHERE id = 1'], { env: await shop.environment() });
  const id = await approve('id = 1');
  const { stdout, stderr } = await running;
  expect(stdout).toBe('UPDATE 1\n');
  expect(stderr).toContain(`NOTICE:  held for approval ${id}`);
  expect(await shop.n(1)).toBe(1);
  await ranOnce(id);
});

test('node-postgres: a query with parameters, and one behind BEGIN', async () => {
  const client = await shop.client();
  const alone = client.query('UPDATE payments SET n = n + $1 WHERE id = 2 /* alone */', [1]);
  const first = await approve('/* alone */');
  expect((await alone).rowCount).toBe(1);
  await ranOnce(first);
  await client.query('BEGIN');
  const behind = client.query('UPDATE payments SET n = n + $1 WHERE id = 2 /* behind BEGIN */', [10]);
  const second = await approve('/* behind BEGIN */');
  expect((await shop.show(second)).binding.transaction).toBe('fresh');
  await behind;
  expect(await shop.n(2)).toBe(1);
  await client.query('COMMIT');
  expect(await shop.n(2)).toBe(11);
  await ranOnce(second);
  await client.end();
});

const PSYCOPG = `
import psycopg
with psycopg.connect() as connection:
    cursor = connection.execute("UPDATE payments SET n = n + %s WHERE id = 3", (1,))
    print(cursor.rowcount)
`;

test.skipIf(!installed('python3'))('psycopg with its defaults sends BEGIN first', async () => {
  const python = await psycopgPython();
  const running = run(python, ['-c', PSYCOPG], { env: await shop.environment() });
  const id = await approve('id = 3');
  const view = await shop.show(id);
  expect(view.binding.transaction).toBe('fresh');
  expect(view.params).toEqual(['1']);
  expect((await running).stdout).toBe('1\n');
  expect(await shop.n(3)).toBe(1);
  await ranOnce(id);
});

test.skipIf(!installed('pgbench')).each(['simple', 'extended', 'prepared'])('pgbench -M %s with a script that writes', async (mode) => {
  const row = { simple: 4, extended: 5, prepared: 6 }[mode] ?? 0;
  const script = join(shop.dir, `${mode}.sql`);
  writeFileSync(script, `\\set id ${row}\nUPDATE payments SET n = n + 1 WHERE id = :id /* ${mode} */;\n`);
  const running = run('pgbench', ['-n', '-c', '1', '-t', '2', '-M', mode, '-f', script], { env: await shop.environment() });
  const first = await approve(`/* ${mode} */`, mode === 'prepared');
  // the same statement once more is another use: it asks anew
  await expect.poll(() => shop.n(row)).toBe(1);
  const second = await shop.opened(`/* ${mode} */`);
  expect(second.approval_id).not.toBe(first);
  await shop.verdict(second.approval_id, 'approve');
  expect((await running).stdout).toContain('number of transactions actually processed: 2/2');
  expect(await shop.n(row)).toBe(2);
  await ranOnce(first);
  await ranOnce(second.approval_id);
});
