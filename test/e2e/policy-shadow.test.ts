/** E7: a package in shadow is judged and reported, and never influences the live answer, whatever it asks for and however it fails. */
import { mkdirSync, mkdtempSync, cpSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Event } from '#schemas/event';
import { startGateway, type Gateway } from '#test/support/gateway';
import { startPostgres, type PostgresServer } from '#test/support/postgres';

const root = join(import.meta.dirname, '..', '..');

let server: PostgresServer;
let gateway: Gateway;
let dir: string;
let client: pg.Client;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-shadow-'));
  cpSync(join(root, 'policies'), join(dir, 'policies'), { recursive: true });
  rollout('shadow');
  server = await startPostgres({ major: 15 });
  await server.query("CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders VALUES (1, 'first')");
  gateway = await startGateway({
    upstream: { host: server.host, port: server.port, user: server.user, password: server.password, database: 'postgres' },
    policies: { dir: join(dir, 'policies'), data: [join(dir, 'data.yaml')], watch: true },
    config: { approvals: { wait: '1s' } },
  });
  client = new pg.Client({ connectionString: await gateway.url({ login: 'alice', groups: ['support'] }) });
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await gateway?.stop();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

function rollout(state: 'shadow' | 'live'): void {
  writeFileSync(join(dir, 'data.yaml'), `guardrails: { read_write: [support] }\nrollout: { shop: { trial: ${state} } }\n`);
}

/** Puts the change to use: the next statement is judged by it. */
async function activated(change: () => void): Promise<void> {
  const times = (): number => gateway.log().split('policies activated').length;
  const before = times();
  change();
  await expect.poll(times, { timeout: 60_000 }).toBeGreaterThan(before);
}

function trial(rules: string): void {
  const folder = join(dir, 'policies', 'shop', 'trial');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'trial.rego'), `package policies.shop.trial\n\n${rules}`);
}

const STATEMENTS = [
  'SELECT id, note FROM orders ORDER BY id',
  "UPDATE orders SET note = 'first' WHERE id = 1",
  'DELETE FROM orders',
  'DROP TABLE orders',
  'SELEKT 1',
];

/** What the client sees of each. */
async function answers(): Promise<readonly unknown[]> {
  const seen: unknown[] = [];
  for (const text of STATEMENTS) {
    try {
      const { rows, rowCount } = await client.query(text);
      seen.push({ rows, rowCount });
    } catch (error) {
      const { code, message, detail, hint } = error as pg.DatabaseError;
      seen.push({ code, message, detail: detail?.replace(/dec_\w+/, ''), hint });
    }
  }
  return seen;
}

async function lastDecided(): Promise<Extract<Event, { type: 'statement.decided' }> | undefined> {
  const { stdout } = await gateway.interlock('events', '--dir', gateway.ready.journal, '--type', 'statement.decided', '--json');
  const lines = stdout.split('\n').filter(Boolean);
  return JSON.parse(lines.at(-1) ?? 'null') as Extract<Event, { type: 'statement.decided' }> | undefined;
}

const EVERYTHING = `allow contains {"code": "TRIAL_ALLOW", "reason": "x"}

deny contains {"code": "TRIAL_DENY", "reason": "x"}

mask contains {"code": "TRIAL_MASK", "reason": "x", "columns": ["public.orders.note"], "using": "redact"}

require_approval contains {"code": "TRIAL_APPROVAL", "reason": "x", "stages": [{"id": "a", "any_of": [{"group": "owners"}]}]}

obligation contains {"type": "read_only"}
`;
const CONFLICT = `one := effect.verb if some effect in input.sql.effects

deny contains {"code": one, "reason": "x"}
`;
const ENDLESS = `deny contains {"code": "SLOW", "reason": "x"} if {
	count([1 | some a in numbers.range(1, 300); some b in numbers.range(1, 300); some c in numbers.range(1, 300); a + b == c * 1000]) > 0
}
`;

test('rows, tags, refusals and hints are the same with it and without; what it would have said is recorded', { timeout: 180_000 }, async () => {
  const without = await answers();
  await activated(() => trial(EVERYTHING));
  expect(await answers()).toEqual(without);
  await client.query('SELECT 1');
  const effects = (await lastDecided())?.decision.shadow.map(({ policy, effect, code }) => `${policy} ${effect} ${code}`);
  expect(effects).toEqual([
    'shop.trial allow TRIAL_ALLOW',
    'shop.trial deny TRIAL_DENY',
    'shop.trial mask TRIAL_MASK',
    'shop.trial require_approval TRIAL_APPROVAL',
  ]);
});

test.each([
  ['two rules that contradict each other', CONFLICT],
  ['one that runs for ever', ENDLESS],
])('%s: still the same', { timeout: 180_000 }, async (_name, rules) => {
  const without = await answers();
  await activated(() => trial(rules));
  expect(await answers()).toEqual(without);
  expect(gateway.log()).toContain('a policy in shadow could not be evaluated; it has no effect');
});

test('the same package without its shadow does change them: the comparison can fail', { timeout: 180_000 }, async () => {
  const without = await answers();
  await activated(() => {
    rollout('live');
    trial(EVERYTHING);
  });
  await expect.poll(answers, { timeout: 60_000 }).not.toEqual(without);
});
