/** I1, G1: the intent on record is what goes to the target: the rewritten text, not the one that was asked for. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startGateway } from '#test/support/gateway';
import { startPostgres } from '#test/support/postgres';
import { startRelay } from '#test/support/relay';

const DATA = 'guardrails: { read_write: [app] }\ncatalog: { columns: { public.customers.ssn: { tags: [pii] } } }\n';

test('I1 G1 M10: a masked read is recorded as it was sent, and sent as it is recorded', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'interlock-record-'));
  writeFileSync(join(dir, 'data.yaml'), DATA);
  await using server = await startPostgres();
  await server.query('CREATE DATABASE shop');
  await server.query("CREATE TABLE customers (id int PRIMARY KEY, ssn text); INSERT INTO customers VALUES (1, '123-45-6789')", 'shop');
  await using relay = await startRelay(server);
  const upstream = { host: relay.host, port: relay.port, user: server.user, password: server.password, database: 'shop' };
  await using gateway = await startGateway({
    upstream,
    policies: { dir: join(import.meta.dirname, '..', '..', 'policies'), data: [join(dir, 'data.yaml')] },
  });
  const client = new pg.Client({ connectionString: await gateway.url({ login: 'alice', groups: ['app'] }) });
  await client.connect();
  expect((await client.query('SELECT ssn FROM customers WHERE id = $1', [1])).rows).toEqual([{ ssn: '***' }]);
  await client.end();

  const { stdout } = await gateway.interlock('audit', 'export', '--dir', gateway.ready.journal);
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; payload?: { digest: string }; payloads?: Record<string, { text?: string }> });
  const texts = (type: string): (string | undefined)[] =>
    events.filter((event) => event.type === type).map(({ payload, payloads }) => payloads?.[payload?.digest ?? '']?.text);
  expect(texts('statement.received')).toContain('SELECT ssn FROM customers WHERE id = $1');
  const sent = texts('statement.cleared').at(-1) ?? '';
  expect(sent).toContain("CAST('***' AS");
  expect(relay.reached(sent)).toBe(true);
  expect(relay.reached('SELECT ssn FROM customers WHERE')).toBe(false);
  rmSync(dir, { recursive: true, force: true });
});
