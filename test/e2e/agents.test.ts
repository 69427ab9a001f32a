/** Issue 6, "Identity for agents" and "skill": from `skill add` to a first approved statement, and out again within a second. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import type { AgentClaims, AgentView } from '#schemas/agent';
import type { ApprovalView } from '#schemas/approval';
import type { Decision } from '#schemas/decision';
import type { Event } from '#schemas/event';
import { type Gateway, startGateway, type TokenOptions } from '#test/support/gateway';
import { startPostgres, type PostgresServer } from '#test/support/postgres';

const run = promisify(execFile);

vi.setConfig({ testTimeout: 120_000 });

let server: PostgresServer;
let gateway: Gateway;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-agents-'));
  server = await startPostgres({ major: 15 });
  await server.query(
    "CREATE TABLE customers (id int PRIMARY KEY, email text, note text); INSERT INTO customers VALUES (1, 'ann@example.com', 'a'), (2, 'ben@example.com', 'b')",
  );
  await server.query("CREATE TABLE refunds (id int PRIMARY KEY, state text); INSERT INTO refunds VALUES (1, 'asked'), (2, 'asked')");
  const data = join(dir, 'data.yaml');
  const documents = {
    guardrails: { read_write: ['support'] },
    catalog: { columns: { 'public.customers.email': { tags: ['pii'] } } },
    agents: { defaults: { writes: 'approve', approvers: [{ group: 'owners' }] } },
  };
  writeFileSync(data, JSON.stringify(documents));
  gateway = await startGateway({
    upstream: { host: server.host, port: server.port, user: server.user, password: server.password, database: 'postgres' },
    policies: { dir: join(import.meta.dirname, '..', '..', 'policies'), data: [data] },
    config: {
      approvals: { wait: '1m' },
      api: { listen: '127.0.0.1:0', admins: ['platform'] },
      agents: { cool_down: { denials: 4, within: '1m', for: '1h' } },
    },
  });
}, 180_000);
afterAll(async () => {
  await gateway?.stop();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const ALICE: TokenOptions = { login: 'alice', groups: ['support', 'staff'] };
const BOB: TokenOptions = { login: 'bob', groups: ['owners'], scope: 'approve' };
const ROOT: TokenOptions = { login: 'root', groups: ['platform'], scope: 'approve' };

const files = new Map<string, Promise<string>>();
function tokenFile(who: TokenOptions): Promise<string> {
  const file = join(dir, `${who.login}.token`);
  const made = files.get(file) ?? gateway.token(who).then((token) => (writeFileSync(file, token, { mode: 0o600 }), file));
  files.set(file, made);
  return made;
}

/** What the command says, as JSON. */
async function interlock<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await gateway.interlock(...args, '--json');
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

interface Skill {
  readonly agent: AgentView;
  readonly folder: string;
}

async function add(name: string, who: TokenOptions, ...more: string[]): Promise<Skill> {
  return await interlock('skill', 'add', name, '--target', 'shop', '--out', join(dir, name), '--token-file', await tokenFile(who), ...more);
}

/** Shared by those that change nothing of it. */
let shared: Promise<Skill> | null = null;
function refunds(): Promise<Skill> {
  return (shared ??= add('refunds', ALICE));
}

async function tokenOf({ folder }: Skill, ...args: string[]): Promise<string> {
  return (await run(process.execPath, [join(folder, 'scripts', 'token'), ...args])).stdout.trim();
}

async function connect(skill: Skill, ...args: string[]): Promise<pg.Client> {
  const client = new pg.Client({
    host: gateway.host,
    port: gateway.port,
    user: skill.agent.name,
    password: await tokenOf(skill, ...args),
    database: 'postgres',
  });
  client.on('error', () => {}); // it is cut: that is what is tested
  await client.connect();
  return client;
}

function cut(client: pg.Client): Promise<void> {
  return new Promise((resolve) => client.once('end', () => resolve()));
}

test('skill add writes a folder as Agent Skills need it, with a key that only its owner reads', async () => {
  const { folder, agent } = await refunds();
  expect(statSync(join(folder, 'key.jwk')).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, 'scripts', 'token')).mode & 0o100).toBe(0o100);
  const [, front = '', body = ''] = readFileSync(join(folder, 'SKILL.md'), 'utf8').split(/^---$/m);
  const { name, description, ...rest } = parse(front) as Record<string, string>;
  expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  expect(description?.length).toBeLessThanOrEqual(1024);
  expect(description).not.toMatch(/[<>]/);
  expect(rest).toEqual({});
  expect(body).toContain('scripts/token shop');
  expect(body).toContain('apr_');
  // the private half stays where it is: nobody else was told
  const { d } = JSON.parse(readFileSync(join(folder, 'key.jwk'), 'utf8')) as { d: string };
  expect(JSON.stringify(agent)).not.toContain(d);
  for (const file of ['SKILL.md', 'claims.json', 'agent.json']) expect(readFileSync(join(folder, file), 'utf8')).not.toContain(d);
  expect(gateway.log()).not.toContain(d);
  expect(agent).toMatchObject({
    state: 'active',
    owner: { login: 'alice', groups: ['support', 'staff'] },
    groups: ['staff', 'support'],
    targets: ['shop'],
  });
});

test('every claim of the file is what `interlock decide` answers', async () => {
  const { folder } = await refunds();
  const { claims, subject } = JSON.parse(readFileSync(join(folder, 'claims.json'), 'utf8')) as AgentClaims;
  expect(new Set(claims.map(({ effect }) => effect))).toEqual(new Set(['allow', 'mask', 'require_approval', 'deny']));
  const cases = join(dir, 'claims.jsonl');
  writeFileSync(cases, claims.map(({ id, target, statement }) => JSON.stringify({ id, subject, resource: target, statement })).join('\n'));
  const { stdout } = await gateway.interlock('decide', '--cases', cases, '--json');
  const decided = new Map(
    stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { id: string; decision: Decision })
      .map((one) => [one.id, one.decision]),
  );
  for (const { id, effect, codes, what } of claims) {
    const decision = decided.get(id);
    expect({ what, effect: decision?.effect }).toEqual({ what, effect });
    expect(decision?.reasons.map(({ code }) => code)).toEqual(expect.arrayContaining(codes));
  }
});

test('psql’s way: allowed, masked, denied, held and run once when approved; the record names the human', async () => {
  const skill = await refunds();
  const client = await connect(skill, 'shop');
  expect((await client.query('SELECT state FROM refunds WHERE id = 1')).rows).toEqual([{ state: 'asked' }]);
  const { rows } = await client.query<{ email: string }>('SELECT email FROM customers ORDER BY id');
  expect(JSON.stringify(rows)).not.toContain('example.com');
  await expect(client.query('DELETE FROM refunds')).rejects.toMatchObject({
    code: '42501',
    detail: expect.stringContaining('WRITE_WITHOUT_KEY') as string,
  });
  const held = client.query("UPDATE refunds SET state = 'paid' WHERE id = 1");
  const open = await vi.waitFor(async () => {
    const found = await interlock<ApprovalView[]>('approvals', 'list', '--token-file', await tokenFile(BOB));
    const mine = found.find(({ subject }) => subject.properties.login === 'refunds');
    expect(mine).toBeDefined();
    return mine as ApprovalView;
  }, 20_000);
  expect(open.subject.properties.on_behalf_of).toMatchObject({ login: 'alice' });
  // the human behind it is the requester: not theirs to decide
  const own = await gateway.interlock(
    'approvals',
    'approve',
    open.approval_id,
    '--token-file',
    await file(await gateway.token({ ...ALICE, groups: [...(ALICE.groups ?? []), 'owners'], scope: 'approve' })),
  );
  expect(own.code).toBe(5);
  await interlock('approvals', 'approve', open.approval_id, '--token-file', await tokenFile(BOB));
  expect((await held).rowCount).toBe(1);
  expect(await server.query('SELECT state FROM refunds ORDER BY id')).toEqual([['paid'], ['asked']]);
  await client.end();
  const { stdout } = await gateway.interlock('events', '--type', 'session.opened', '--token-file', await tokenFile(ROOT), '--json');
  const sessions = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event & { type: 'session.opened' });
  expect(sessions.at(-1)?.subject_detail.properties).toMatchObject({ login: 'refunds', on_behalf_of: { login: 'alice' } });
});

test('what is removed is out within a second, and stays out', async () => {
  const skill = await add('leaving', ALICE);
  const client = await connect(skill);
  const token = await tokenOf(skill);
  const gone = new Promise<number>((resolve) => client.once('end', () => resolve(performance.now())));
  const authorization = `Bearer ${readFileSync(await tokenFile(ALICE), 'utf8')}`;
  const answer = await fetch(`${gateway.ready.api}/v1/agents/leaving`, { method: 'DELETE', headers: { authorization } });
  expect(answer.status).toBe(200);
  const answeredMs = performance.now();
  expect((await gone) - answeredMs).toBeLessThan(1_000);
  await expect(tokenOf(skill, '--fresh')).rejects.toMatchObject({ stderr: expect.stringContaining('invalid_client') as string });
  const late = new pg.Client({ host: gateway.host, port: gateway.port, user: 'leaving', password: token, database: 'postgres' });
  await expect(late.connect()).rejects.toMatchObject({ code: '28000' });
  expect((await gateway.interlock('skill', 'show', 'leaving', '--token-file', await tokenFile(ALICE))).code).toBe(1);
});

test('a rotated key is another agent’s: the old one gets no token, its sessions end', async () => {
  const skill = await add('turning', ALICE);
  const old = readFileSync(join(skill.folder, 'key.jwk'), 'utf8');
  const client = await connect(skill);
  const gone = cut(client);
  await interlock('skill', 'rotate', 'turning', '--out', skill.folder, '--token-file', await tokenFile(ALICE));
  await gone;
  const again = await connect(skill);
  expect((await again.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await again.end();
  writeFileSync(join(skill.folder, 'key.jwk'), old, { mode: 0o600 });
  await expect(tokenOf(skill, '--fresh')).rejects.toMatchObject({ stderr: expect.stringContaining('invalid_client') as string });
});

test('its human loses a group: so does the agent, at once', async () => {
  const carol: TokenOptions = { login: 'carol', groups: ['support'] };
  const skill = await add('carols', carol);
  const client = await connect(skill);
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  const gone = cut(client);
  await vi.waitFor(async () => {
    // a newer token of hers, without the group, is seen: a token of the same second says nothing new
    const token = await gateway.token({ ...carol, groups: [] });
    await fetch(`${gateway.ready.api}/v1/agents`, { headers: { authorization: `Bearer ${token}` } });
    const shown = await interlock<AgentView>('skill', 'show', 'carols', '--token-file', await tokenFile(ROOT));
    expect(shown.owner.groups).toEqual([]);
  }, 20_000);
  await gone;
  await expect(connect(skill, '--fresh')).rejects.toMatchObject({
    message: expect.stringMatching(/not for the human behind it|denied|access/i) as string,
  });
});

test('an agent that keeps being denied is told until when it is refused everything (A2, §1.14)', async () => {
  const skill = await add('prober', ALICE);
  const client = await connect(skill);
  for (let attempt = 0; attempt < 4; attempt++)
    await expect(client.query(`DELETE FROM refunds /* ${attempt} */`)).rejects.toMatchObject({ code: '42501' });
  await expect(client.query('SELECT 1')).rejects.toMatchObject({ message: expect.stringMatching(/until \d\d:\d\d:\d\d UTC/) as string });
  const other = await connect(skill);
  await expect(other.query('SELECT 1')).rejects.toMatchObject({ detail: expect.stringContaining('AGENT_COOL_DOWN') as string });
  await Promise.all([client.end(), other.end()]);
  const { stdout } = await gateway.interlock('events', '--type', 'agent.cooled', '--token-file', await tokenFile(ROOT), '--json');
  expect(JSON.parse(stdout.split('\n')[0] ?? '{}')).toMatchObject({ type: 'agent.cooled', denials: 4 });
});

test('ceilings of its own hold beside everything else', async () => {
  const skill = await add('reader', ALICE, '--read-only', '--statements-per-minute', '3');
  const client = await connect(skill);
  await expect(client.query("UPDATE refunds SET state = 'paid' WHERE id = 2")).rejects.toMatchObject({
    detail: expect.stringContaining('AGENT_READ_ONLY') as string,
  });
  await client.query('SELECT 1');
  await client.query('SELECT 2');
  await expect(client.query('SELECT 3')).rejects.toMatchObject({ detail: expect.stringContaining('AGENT_STATEMENTS') as string });
  await client.end();
});

test('who may add what for whom', async () => {
  const alice = await tokenFile(ALICE);
  const ask = (...args: string[]): Promise<{ code: number; stderr: string }> =>
    gateway.interlock('skill', 'add', ...args, '--out', join(dir, 'never'));
  expect((await ask('other', '--target', 'shop', '--owner', 'bob', '--token-file', alice)).code).toBe(5);
  expect((await ask('my-claude', '--target', 'shop', '--token-file', alice)).code).toBe(2);
  expect((await ask('nowhere', '--target', 'elsewhere', '--token-file', alice)).code).toBe(2);
  const skill = await add('for-alice', ROOT, '--owner', 'alice');
  expect(skill.agent.owner).toMatchObject({ login: 'alice', groups: ['support', 'staff'] });
  expect((await ask('for-alice', '--target', 'shop', '--token-file', alice)).code).toBe(1);
  // an agent adds nobody, and sees nobody but itself
  const token = await file(await tokenOf(skill));
  expect((await ask('child', '--target', 'shop', '--token-file', token)).code).toBe(5);
  expect(await interlock('skill', 'list', '--token-file', token)).toEqual([]);
  const unseen = await add('later', ROOT, '--owner', 'dora', '--group', 'support');
  expect(unseen.agent).toMatchObject({ state: 'silent', owner: { id: null, groups: null } });
  await expect(tokenOf(unseen)).rejects.toMatchObject({ stderr: expect.stringContaining('never seen') as string });
});

let written = 0;
function file(token: string): Promise<string> {
  const path = join(dir, `more-${written++}.token`);
  writeFileSync(path, token, { mode: 0o600 });
  return Promise.resolve(path);
}
