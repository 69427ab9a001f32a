/** Issue 6, "Identity for agents" and "skill": from `skill add` to a first approved statement, and out again within a second. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import type { AgentClaims, AgentView } from '#schemas/agent';
import type { ApprovalView } from '#schemas/approval';
import type { Decision } from '#schemas/decision';
import { systemClock } from '#client/clock';
import { loadConfig } from '#engine/config/load';
import { openTheLocalIssuer } from '#engine/judging';
import { type AgentKeys, byKey, keys } from '#test/support/agents';
import { type Gateway, startGateway, type TokenOptions } from '#test/support/gateway';
import { shapeAsked } from '#test/support/shapes';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { stopwatch } from '#test/support/stopwatch';

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

/** By the built-in issuer, in this process: each token of the command would be a process. */
async function tokenFor({ login, groups = [], scope = 'connect' }: TokenOptions): Promise<string> {
  issuer ??= openTheLocalIssuer(await loadConfig(gateway.configFile), systemClock);
  return (await (await issuer).mint({ login, groups, scope, type: 'user', ttlMs: 600_000 })).token;
}
let issuer: ReturnType<typeof openTheLocalIssuer> | undefined;

async function tokenFile(who: TokenOptions): Promise<string> {
  return await file(await tokenFor(who));
}

/** What the command says, as JSON. */
async function interlock<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await gateway.interlock(...args, '--json');
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

/** An agent as a client of its own would have it: what the folder is for, `refunds` tests. */
interface Skill {
  readonly agent: AgentView;
  readonly pair: AgentKeys;
}

async function add(name: string, who: TokenOptions, more: object = {}): Promise<Skill> {
  const pair = keys();
  return { agent: await api<AgentView>('POST', '/v1/agents', who, { name, targets: ['shop'], key: pair.open, ...more }), pair };
}

async function api<T>(method: string, path: string, who: TokenOptions, body?: object): Promise<T> {
  const headers = { authorization: `Bearer ${await tokenFor(who)}`, ...(body && { 'content-type': 'application/json' }) };
  const answer = await fetch(gateway.ready.api + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  const document = (await answer.json()) as T & { readonly error?: { readonly code: string } };
  if (!answer.ok) throw new Error(document.error?.code ?? String(answer.status));
  return document;
}

/** The error of OAuth, where there is none. */
async function tokenOf({ agent, pair }: Skill): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  const claims = { iss: agent.name, sub: agent.name, aud: gateway.ready.api, iat: nowS, exp: nowS + 60, jti: randomUUID() };
  const answer = await fetch(`${gateway.ready.api}/oauth/token`, { method: 'POST', body: byKey(pair.assert(claims)) });
  const document = (await answer.json()) as { readonly access_token?: string; readonly error?: string; readonly error_description?: string };
  if (document.access_token === undefined) throw new Error(`${document.error}: ${document.error_description}`);
  return document.access_token;
}

async function connect(skill: Skill): Promise<pg.Client> {
  return await connectAs(skill.agent.name, await tokenOf(skill));
}

async function connectAs(user: string, password: string): Promise<pg.Client> {
  const client = new pg.Client({ host: gateway.host, port: gateway.port, user, password, database: 'postgres' });
  client.on('error', () => {}); // it is cut: that is what is tested
  await client.connect();
  return client;
}

/** By the command, with its folder: shared by those that change nothing of it. */
let shared: Promise<{ readonly agent: AgentView; readonly folder: string }> | null = null;
function refunds(): Promise<{ readonly agent: AgentView; readonly folder: string }> {
  shared ??= tokenFile(ALICE).then((file) =>
    interlock('skill', 'add', 'refunds', '--target', 'shop', '--out', join(dir, 'refunds'), '--token-file', file),
  );
  return shared;
}

async function script(folder: string, ...args: string[]): Promise<string> {
  return (await run(process.execPath, [join(folder, 'scripts', 'token'), ...args])).stdout.trim();
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

test.skipIf(shapeAsked() !== 'up')('every claim of the file is what `interlock decide` answers', async () => {
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
  const { agent, folder } = await refunds();
  const client = await connectAs(agent.name, await script(folder, 'shop'));
  expect((await client.query('SELECT state FROM refunds WHERE id = 1')).rows).toEqual([{ state: 'asked' }]);
  const { rows } = await client.query<{ email: string }>('SELECT email FROM customers ORDER BY id');
  expect(rows).toHaveLength(2);
  expect(JSON.stringify(rows)).not.toContain('example.com');
  await expect(client.query('DELETE FROM refunds')).rejects.toMatchObject({
    code: '42501',
    detail: expect.stringContaining('WRITE_WITHOUT_KEY') as string,
  });
  const held = client.query("UPDATE refunds SET state = 'paid' WHERE id = 1");
  const open = await vi.waitFor(async () => {
    const { items } = await api<{ items: { approval_id: string; subject: { properties: object } }[] }>('GET', '/v1/inbox', BOB);
    expect(items).toHaveLength(1);
    return items[0];
  }, 20_000);
  const { approval_id: id = '' } = open ?? {};
  // the human behind it is the requester: not theirs to decide
  const own = await tokenFile({ login: 'alice', groups: ['support', 'staff', 'owners'], scope: 'approve' });
  expect((await gateway.interlock('approvals', 'approve', id, '--token-file', own)).code).toBe(5);
  const view = await interlock<ApprovalView>('approvals', 'approve', id, '--token-file', await tokenFile(BOB));
  expect(view.subject).toMatchObject({ type: 'agent', properties: { login: 'refunds', on_behalf_of: { login: 'alice' } } });
  expect((await held).rowCount).toBe(1);
  expect((await server.query('SELECT state FROM refunds ORDER BY id')).rows).toEqual([{ state: 'paid' }, { state: 'asked' }]);
  await client.end();
});

test('what is removed is out within a second, and stays out', async () => {
  const skill = await add('leaving', ALICE);
  const [client, token] = [await connect(skill), await tokenOf(skill)];
  const gone = new Promise<void>((resolve) => client.once('end', resolve));
  await api('DELETE', '/v1/agents/leaving', ALICE);
  using answered = stopwatch();
  await gone;
  expect(answered.ms()).toBeLessThan(1_000);
  await expect(tokenOf(skill)).rejects.toThrow('invalid_client');
  await expect(connectAs('leaving', token)).rejects.toMatchObject({ code: '28000' });
  await expect(api('GET', '/v1/agents/leaving', ALICE)).rejects.toThrow('AGENT_NOT_FOUND');
});

test('list, show, rotate, remove: a rotated key is another agent’s, and what the old one let in ends', async () => {
  const out = join(dir, 'turning');
  const alice = await tokenFile(ALICE);
  await interlock('skill', 'add', 'turning', '--target', 'shop', '--out', out, '--token-file', alice);
  const old = readFileSync(join(out, 'key.jwk'), 'utf8');
  const client = await connectAs('turning', await script(out));
  const gone = cut(client);
  await interlock('skill', 'rotate', 'turning', '--out', out, '--token-file', alice);
  await gone;
  const again = await connectAs('turning', await script(out));
  expect((await again.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  expect(await interlock<AgentView[]>('skill', 'list', '--token-file', alice)).toEqual(
    expect.arrayContaining([expect.objectContaining({ name: 'turning', sessions: 1 }), expect.objectContaining({ name: 'refunds' })]),
  );
  expect(await interlock('skill', 'show', 'turning', '--token-file', alice)).toMatchObject({ name: 'turning', claims: expect.any(Array) as object });
  const ended = cut(again);
  writeFileSync(join(out, 'key.jwk'), old, { mode: 0o600 });
  await expect(script(out, '--fresh')).rejects.toMatchObject({ stderr: expect.stringContaining('invalid_client') as string });
  expect(await interlock('skill', 'remove', 'turning', '--token-file', alice)).toMatchObject({ name: 'turning', state: 'removed' });
  await ended;
});

test('its human loses a group: so does the agent, at once', async () => {
  const carol: TokenOptions = { login: 'carol', groups: ['support'] };
  const skill = await add('carols', carol);
  const client = await connect(skill);
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  const gone = cut(client);
  await vi.waitFor(async () => {
    // a newer token of hers, without the group, is seen: a token of the same second says nothing new
    await api('GET', '/v1/agents', { ...carol, groups: [] });
    expect((await api<AgentView>('GET', '/v1/agents/carols', ROOT)).owner.groups).toEqual([]);
  }, 20_000);
  await gone;
  await expect(connect(skill)).rejects.toMatchObject({ detail: expect.stringContaining('NOT_A_MEMBER') as string });
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
});

test('ceilings of its own hold beside everything else; a token for one target opens nothing else', async () => {
  const skill = await add('reader', ALICE, { ceilings: { read_only: true, statements_per_minute: 3 } });
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
  await expect(add('other', ALICE, { owner: 'bob' })).rejects.toThrow('AGENT_REFUSED');
  await expect(add('my-claude', ALICE)).rejects.toThrow('USAGE');
  await expect(add('nowhere', ALICE, { targets: ['elsewhere'] })).rejects.toThrow('USAGE');
  const skill = await add('for-alice', ROOT, { owner: 'alice' });
  expect(skill.agent.owner).toMatchObject({ login: 'alice', groups: expect.arrayContaining(['support']) as object });
  await expect(add('for-alice', ALICE)).rejects.toThrow('AGENT_EXISTS');
  // an agent adds nobody
  const token = await file(await tokenOf(skill));
  expect((await gateway.interlock('skill', 'add', 'child', '--target', 'shop', '--token-file', token, '--out', join(dir, 'never'))).code).toBe(5);
  const unseen = await add('later', ROOT, { owner: 'dora', groups: ['support'] });
  expect(unseen.agent).toMatchObject({ state: 'silent', owner: { id: null, groups: null } });
  await expect(tokenOf(unseen)).rejects.toThrow('never seen');
});

let written = 0;
function file(token: string): Promise<string> {
  const path = join(dir, `more-${written++}.token`);
  writeFileSync(path, token, { mode: 0o600 });
  return Promise.resolve(path);
}
