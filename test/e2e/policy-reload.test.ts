/** Issue 3, "What a user can do" 5 and "Shipped policies": rules are edited under a running gateway; what fails its self-test stays out, at start too. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gatewayConfig, startGateway, type Gateway } from '#test/support/gateway';
import { startPostgres, type PostgresServer } from '#test/support/postgres';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const cli = join(root, 'engine', 'cli', 'main.ts');

let server: PostgresServer;
let gateway: Gateway;
let dir: string;
let policies: string;
let client: pg.Client;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-reload-'));
  policies = join(dir, 'policies');
  cpSync(join(root, 'policies'), policies, { recursive: true });
  writeFileSync(join(dir, 'data.yaml'), 'guardrails: { read_write: [support] }\n');
  server = await startPostgres({ major: 15 });
  await server.query('CREATE TABLE orders (id int PRIMARY KEY, note text)');
  gateway = await startGateway({ ...options(), policies: { dir: policies, data: [join(dir, 'data.yaml')], watch: true } });
  client = new pg.Client({ connectionString: await gateway.url({ login: 'alice', groups: ['support'] }) });
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await gateway?.stop();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

function options(): { upstream: Parameters<typeof startGateway>[0]['upstream'] } {
  return { upstream: { host: server.host, port: server.port, user: server.user, password: server.password, database: 'postgres' } };
}

interface Shown {
  readonly ok: boolean;
  readonly revision: string;
  readonly policy_error: string | null;
}
async function status(): Promise<Shown> {
  const file = join(dir, 'alice.token');
  writeFileSync(file, await gateway.token({ login: 'alice', groups: ['support'] }), { mode: 0o600 });
  return JSON.parse((await gateway.interlock('status', '--token-file', file, '--json')).stdout) as Shown;
}
async function becomes(expected: (shown: Shown) => boolean): Promise<Shown> {
  let shown = await status();
  await expect.poll(async () => expected((shown = await status())), { timeout: 60_000, interval: 300 }).toBe(true);
  return shown;
}
interface PolicyEvent {
  readonly type: string;
  readonly code?: string;
  readonly at?: string;
  readonly revision?: string;
}
/** Of whoever builds them, or of whoever judges by them. */
async function policyEvents(of: 'engine' | 'enforcer' = 'engine'): Promise<readonly PolicyEvent[]> {
  const { journal } = of === 'engine' ? (gateway.engine?.running.ready ?? gateway.ready) : gateway.ready;
  const { stdout } = await gateway.interlock('events', '--dir', journal, '--json');
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { type: string })
    .filter(({ type }) => type.startsWith('policy.'));
}
/** Apart, what the engine has in force is on its way to whoever judges beside the target. */
async function judgesBy(revision: string): Promise<void> {
  if (gateway.shape !== 'apart-local') return;
  await expect
    .poll(async () => (await policyEvents('enforcer')).at(-1), { timeout: 60_000, interval: 300 })
    .toMatchObject({ type: 'policy.activated', revision });
}

/** No denial of the guardrails ever holds. */
function emptyDenials(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.rego') || name.endsWith('_test.rego')) continue;
    const text = readFileSync(join(folder, name), 'utf8');
    writeFileSync(join(folder, name), text.replace(/^(deny contains [^]*?\bif \{)$/gm, '$1\n\tinput.stage == "never"'));
  }
}

const DROP = 'DROP TABLE orders';

test('guardrails whose denials are empty: no start, one readable message, exit 3', async () => {
  const gutted = join(dir, 'gutted');
  cpSync(join(root, 'policies'), gutted, { recursive: true });
  emptyDenials(join(gutted, 'postgres', 'guardrails'));
  const place = join(dir, 'second');
  mkdirSync(place);
  const config = join(place, 'interlock.yaml');
  writeFileSync(config, JSON.stringify(gatewayConfig({ ...options(), policies: { dir: gutted } }, place)));
  const ended = (await run(process.execPath, [cli, 'up', '-c', config]).catch((error: unknown) => error)) as {
    code: number;
    stdout: string;
    stderr: string;
  };
  expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 3, stdout: '' });
  const told = ended.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{') && !/^\[?\d/.test(line));
  expect(told[0]).toMatch(
    /^interlock: postgres\/guardrails\/canary_cases\.yaml: canary "nobody's groups have access": expected deny NOT_A_MEMBER; found deny: DEFAULT_DENY \(.*\) \(POLICY_SELF_TEST\)$/,
  );
});

test('the same under a running gateway: the last good revision stays, and says so; mended, it is activated', { timeout: 180_000 }, async () => {
  const good = await status();
  expect(good).toMatchObject({ ok: true, policy_error: null, revision: gateway.ready.revision });
  const guardrails = join(policies, 'postgres', 'guardrails');
  emptyDenials(guardrails);
  const rejected = await becomes(({ policy_error }) => policy_error !== null);
  expect(rejected).toMatchObject({ ok: false, revision: good.revision });
  expect(rejected.policy_error).toContain('postgres/guardrails/canary_cases.yaml: canary "');
  expect(gateway.log()).toContain('the new policies were rejected; the last good revision stays in force');
  await expect(client.query(DROP)).rejects.toMatchObject({ code: '42501', detail: expect.stringContaining('code=DDL_NOT_ALLOWED') as string });
  expect((await policyEvents()).at(-1)).toMatchObject({
    type: 'policy.rejected',
    code: 'POLICY_SELF_TEST',
    at: expect.stringContaining('canary') as string,
  });

  cpSync(join(root, 'policies', 'postgres', 'guardrails'), guardrails, { recursive: true });
  writeFileSync(join(guardrails, 'data.rego'), `${readFileSync(join(guardrails, 'data.rego'), 'utf8')}\n# mended\n`);
  const mended = await becomes(({ policy_error, revision }) => policy_error === null && revision !== good.revision);
  expect(mended.ok).toBe(true);
  expect((await policyEvents()).at(-1)).toMatchObject({ type: 'policy.activated', revision: mended.revision, previous: good.revision });
});

test('a rule that is edited judges the next statement of a session that is open; a mistake in it leaves the last good one', {
  timeout: 180_000,
}, async () => {
  expect((await client.query('SELECT note FROM orders')).rows).toEqual([]);
  const before = await status();
  const folder = join(policies, 'shop', 'orders');
  const rule = (code: string): string =>
    `package policies.shop.orders\n\ndeny contains {"code": "${code}", "reason": "Orders are closed."} if {\n\tsome effect in input.sql.effects\n\teffect.object.qualified == "public.orders"\n}\n`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'orders.rego'), rule('CLOSED'));
  await judgesBy((await becomes(({ revision }) => revision !== before.revision)).revision);
  await expect(client.query('SELECT note FROM orders')).rejects.toMatchObject({ detail: expect.stringContaining('code=CLOSED') as string });

  writeFileSync(join(folder, 'orders.rego'), rule('BROKEN').replace('some effect in', 'some effect inn'));
  const broken = await becomes(({ policy_error }) => policy_error !== null);
  expect(broken.policy_error).toMatch(/shop\/orders\/orders\.rego:\d+/);
  await expect(client.query('SELECT note FROM orders')).rejects.toMatchObject({ detail: expect.stringContaining('code=CLOSED') as string });

  rmSync(join(policies, 'shop'), { recursive: true });
  await becomes(({ policy_error, revision }) => policy_error === null && revision === before.revision);
  await judgesBy(before.revision);
  expect((await client.query('SELECT note FROM orders')).rows).toEqual([]);
});
