/** The commands against a running gateway: tokens, clients, approvals, sessions, events, status, audit (SURFACE.md; issue 3, "What a user can do" 4 and 5). */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ApprovalView } from '#schemas/approval';
import type { Event } from '#schemas/event';
import { startGateway, type Gateway, type TokenOptions } from '#test/support/gateway';
import type { PostgresServer } from '#test/support/postgres';
import { production, startPayments } from '#test/support/production';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const cli = join(root, 'engine', 'cli', 'main.ts');

vi.setConfig({ testTimeout: 180_000 }); // many commands, each a process of its own

let server: PostgresServer;
let gateway: Gateway;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-cli-'));
  server = await startPayments();
  const policies = join(dir, 'policies');
  cpSync(join(root, 'policies'), policies, { recursive: true });
  gateway = await startGateway(production(server, dir, { policies: { dir: policies, watch: true }, config: { approvals: { wait: '1m' } } }));
});
afterAll(async () => {
  await gateway?.stop();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** One for each person and scope: every token is a process of its own. */
const tokens = new Map<string, Promise<string>>();
function tokenFile(options: TokenOptions): Promise<string> {
  const file = join(dir, `${options.login}-${options.scope ?? 'connect'}.token`);
  const made = tokens.get(file) ?? gateway.token(options).then((token) => (writeFileSync(file, `${token}\n`, { mode: 0o600 }), file));
  tokens.set(file, made);
  return made;
}
const alice: TokenOptions = { login: 'alice', groups: ['support'] };
const bob: TokenOptions = { login: 'bob', groups: ['owners'], scope: 'approve' };

/** JSON of a command that must succeed. */
async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await gateway.interlock(...args, '--json');
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}
async function ndjson<T>(...args: string[]): Promise<readonly T[]> {
  const { code, stdout, stderr } = await gateway.interlock(...args, '--json');
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}
async function ask(sql: string, who: TokenOptions = alice): Promise<pg.QueryResult> {
  const password = readFileSync(await tokenFile(who), 'utf8').trim();
  const client = new pg.Client({ host: gateway.host, port: gateway.port, user: who.login, password, database: 'postgres' });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

/** A statement that is held, and the request that it opened. */
async function held(sql: string, bobs: string): Promise<{ readonly running: Promise<pg.QueryResult | Error>; readonly id: string }> {
  const running = ask(sql).catch((error: unknown) => error as Error);
  let found: ApprovalView | undefined;
  await expect
    .poll(
      async () =>
        (found = (await json<readonly ApprovalView[]>('approvals', 'list', '--token-file', bobs)).find(
          ({ state, payload_text }) => state === 'open' && payload_text === sql,
        )),
      { timeout: 30_000 },
    )
    .toBeDefined();
  return { running, id: found?.approval_id ?? '' };
}

describe('token', () => {
  test('prints the token alone; --json says for whom and until when', async () => {
    const { stdout } = await gateway.interlock('token', '--login', 'alice', '--group', 'a', '--group', 'b', '--ttl', '90s');
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(JSON.parse(Buffer.from(stdout.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
      preferred_username: 'alice',
      groups: ['a', 'b'],
      scope: 'connect',
    });
    const minted = await json<Record<string, string>>('token', '--login', 'bot', '--type', 'agent', '--for', 'alice');
    expect(Object.keys(minted).sort()).toEqual(['expires_at', 'subject', 'token']);
  });
  test('the tokens that tests make without the command say what its own say', async () => {
    const said = (token: string): unknown => {
      const [header, claims] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString());
      const { jti, iat, exp, ...rest } = JSON.parse(claims ?? '') as Record<string, unknown>;
      return { header, ...rest, once: typeof jti, lasts: Number(exp) - Number(iat) };
    };
    const { stdout } = await gateway.interlock('token', '--login', 'bot', '--group', 'a', '--type', 'agent', '--for', 'alice', '--ttl', '90s');
    expect(said(await gateway.token({ login: 'bot', groups: ['a'], type: 'agent', for: 'alice', ttl: '90s' }))).toEqual(said(stdout));
  });
  test('what a token may not say is a mistake of usage', async () => {
    expect((await gateway.interlock('token', '--login', 'x', '--ttl', '1 hour')).code).toBe(2);
    expect((await gateway.interlock('token', '--login', 'x', '--scope', 'admin')).code).toBe(2);
    expect((await gateway.interlock('token', '--login', 'x', '--type', 'agent', '--scope', 'approve')).code).toBe(2);
  });
});

describe('connect', () => {
  test('prints how to reach the target, without the token', async () => {
    const file = await tokenFile(alice);
    const where = await json<Record<string, unknown>>('connect', 'shop', '--token-file', file);
    const url = `postgresql://alice@127.0.0.1:${gateway.port}/postgres?sslmode=disable`;
    expect(where).toEqual({
      url,
      psql: `PGPASSWORD="$(cat ${file})" psql '${url}'`,
      jdbc: `jdbc:postgresql://127.0.0.1:${gateway.port}/postgres?user=alice&sslmode=disable`,
      host: '127.0.0.1',
      port: gateway.port,
      sslrootcert: null,
    });
    expect(JSON.stringify(where)).not.toContain(readFileSync(file, 'utf8').trim());
  });

  test('starts a client with libpq’s variables; the token is in no argv, and inherited variables do not send it elsewhere', async () => {
    const file = await tokenFile(alice);
    const script = join(dir, 'client.mjs');
    const module = createRequire(import.meta.url).resolve('pg');
    writeFileSync(
      script,
      `import pg from ${JSON.stringify(module)}; import { readFileSync } from 'node:fs';
       const client = new pg.Client(); await client.connect();
       const parent = readFileSync('/proc/' + process.ppid + '/cmdline', 'utf8');
       console.log(JSON.stringify({ rows: (await client.query('SELECT id FROM payments ORDER BY id')).rows.length, argv: process.argv.join(' ') + parent, elsewhere: process.env.PGHOSTADDR ?? null }));
       await client.end(); process.exit(7);`,
    );
    const args = [cli, 'connect', 'shop', '-c', gateway.configFile, '--token-file', file, '--', process.execPath, script, '-c', 'x'];
    const failed = await run(process.execPath, args, { env: { ...process.env, PGHOSTADDR: '192.0.2.1', PGSERVICE: 'other' } }).catch(
      (error: unknown) => error as { code: number; stdout: string },
    );
    expect(failed).toMatchObject({ code: 7 });
    const seen = JSON.parse(failed.stdout) as { rows: number; argv: string; elsewhere: unknown };
    expect(seen).toMatchObject({ rows: 3, elsewhere: null });
    expect(seen.argv).not.toContain(readFileSync(file, 'utf8').trim());
  });

  test('a client that is not there, a target that is not there, a file that holds no token', async () => {
    const file = await tokenFile(alice);
    const missing = await run(process.execPath, [
      cli,
      'connect',
      'shop',
      '-c',
      gateway.configFile,
      '--token-file',
      file,
      '--',
      'no-such-client',
    ]).catch((error: unknown) => error as { code: number; stderr: string });
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining('no-such-client cannot be started (ENOENT) (TOOL_MISSING)') as string });
    expect(await gateway.interlock('connect', 'shp', '--token-file', file)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no target `shp`; there are: shop') as string,
    });
    writeFileSync(join(dir, 'empty.token'), '');
    expect((await gateway.interlock('connect', 'shop', '--token-file', join(dir, 'empty.token'))).code).toBe(2);
  });
});

describe('approvals', () => {
  test('the requester’s own verdict is refused (exit 5), another person’s lets it run once, and everything is shown', async () => {
    const [bobs, alices] = [await tokenFile(bob), await tokenFile({ ...alice, scope: 'approve' })];
    const { running, id } = await held("UPDATE payments SET status = 'paid' WHERE id = 1", bobs);

    const self = await gateway.interlock('approvals', 'approve', id, '--token-file', alices);
    expect(self).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining('(VERDICT_SELF)') as string });
    const connectOnly = await gateway.interlock(
      'approvals',
      'approve',
      id,
      '--token-file',
      await tokenFile({ ...bob, login: 'ben', scope: 'connect' }),
    );
    expect(connectOnly.code).toBe(5);
    const outsider = await gateway.interlock(
      'approvals',
      'approve',
      id,
      '--token-file',
      await tokenFile({ login: 'carl', groups: ['support'], scope: 'approve' }),
    );
    expect(outsider).toMatchObject({ code: 5, stderr: expect.stringContaining('(VERDICT_NOT_ELIGIBLE)') as string });

    const shown = (await gateway.interlock('approvals', 'show', id, '--token-file', bobs)).stdout;
    expect(shown).toContain("  1 | UPDATE payments SET status = 'paid' WHERE id = 1\n");
    expect(shown).toMatch(/^asked by .*\balice \(support\)/m);
    const view = await json<ApprovalView>('approvals', 'show', id, '--token-file', bobs);
    expect(view).toMatchObject({
      approval_id: id,
      state: 'open',
      target: 'shop',
      progress: [{ stage: 'owner', approved_by: [], needed: 1 }],
      subject: { properties: { login: 'alice' } },
    });
    expect(view.binding.database).toBe('postgres');

    expect((await json<ApprovalView>('approvals', 'approve', id, '--comment', 'as agreed', '--token-file', bobs)).state).toMatch(/approved|consumed/);
    expect(await running).toMatchObject({ rowCount: 1 });
    expect((await server.query<{ status: string }>('SELECT status FROM payments WHERE id = 1')).rows[0]?.status).toBe('paid');
    const again = await gateway.interlock('approvals', 'deny', id, '--token-file', bobs);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('(VERDICT_CLOSED)') as string });
    expect((await ndjson<Event>('events', '--type', 'approval.consumed', '--token-file', bobs)).length).toBe(1);
  });

  test('a denial reaches the client with the reviewer’s words', async () => {
    const bobs = await tokenFile(bob);
    const { running, id } = await held("UPDATE payments SET status = 'void' WHERE id = 2", bobs);
    await json('approvals', 'deny', id, '--comment', 'ask finance first', '--token-file', bobs);
    const refused = (await running) as pg.DatabaseError;
    expect(refused.code).toBe('IL002');
    expect(`${refused.message} ${refused.detail ?? ''} ${refused.hint ?? ''}`).toContain('ask finance first');
    expect((await server.query<{ status: string }>('SELECT status FROM payments WHERE id = 2')).rows[0]?.status).toBe('new');
  });

  test('M8: a statement that would drive the terminal is shown harmless, with a warning', async () => {
    const bobs = await tokenFile(bob);
    const sql = "UPDATE payments SET status = 'a\u202e\u001b[2J' WHERE id = 3 -- pаyments";
    const { running, id } = await held(sql, bobs);
    for (const args of [['approvals', 'show', id], ['approvals', 'list'], ['events']]) {
      const { stdout } = await gateway.interlock(...args, '--token-file', bobs);
      for (const char of ['\u001b', '\u202e']) expect(stdout).not.toContain(char);
    }
    const { stdout } = await gateway.interlock('approvals', 'show', id, '--token-file', bobs);
    expect(stdout).toContain('‹U+202E RIGHT-TO-LEFT OVERRIDE›‹U+001B ESCAPE›[2J');
    expect(stdout).toContain('  ! `pаyments` has U+0430: letters of several scripts that may look alike');
    expect(await json<ApprovalView>('approvals', 'show', id, '--token-file', bobs)).toMatchObject({ payload_text: sql });
    await json('approvals', 'deny', id, '--token-file', bobs);
    await running;
  });

  test('an id that is none', async () => {
    const missing = 'apr_01J00000000000000000000000';
    expect(await gateway.interlock('approvals', 'show', missing, '--token-file', await tokenFile(bob))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('(APPROVAL_NOT_FOUND)') as string,
    });
    expect((await gateway.interlock('approvals', 'show', '../status', '--token-file', await tokenFile(bob))).code).toBe(1);
  });
});

describe('sessions, events, status, audit', () => {
  test('N6: one sees one’s own sessions, a reviewer all; a session is shown event by event', async () => {
    await expect(ask('DROP TABLE payments')).rejects.toMatchObject({ code: '42501' });
    await ask('SELECT 1', { login: 'sam', groups: ['support'] });
    const own = await ndjson<Event & { state: string; statements: number }>(
      'sessions',
      'list',
      '--token-file',
      await tokenFile({ login: 'sam', groups: ['support'] }),
    );
    expect(own.map((event) => event.type === 'session.opened' && event.subject_detail.properties.login)).toEqual(['sam']);
    const all = await ndjson<Event>('sessions', 'list', '--since', '1h', '--token-file', await tokenFile(bob));
    expect(new Set(all.map((event) => event.type === 'session.opened' && event.subject_detail.properties.login))).toEqual(new Set(['alice', 'sam']));
    const session = own[0]?.session_id ?? '';
    await expect
      .poll(async () => (await ndjson<Event>('sessions', 'show', session, '--token-file', await tokenFile(bob))).map(({ type }) => type), {
        timeout: 30_000,
      })
      .toEqual(['session.opened', 'statement.received', 'statement.decided', 'statement.cleared', 'statement.finished', 'session.closed']);
    expect((await gateway.interlock('sessions', 'show', session, '--token-file', await tokenFile(alice))).code).toBe(1);
    const table = (await gateway.interlock('sessions', 'list', '--token-file', await tokenFile(bob))).stdout.split('\n');
    expect(table[0]).toMatch(/^SESSION +STATE +WHO +TARGET +OPENED \(UTC\) +N$/);
  });

  test('events are filtered, followed as they happen, and read offline alike', async () => {
    const bobs = await tokenFile(bob);
    const follow = spawn(
      process.execPath,
      [cli, 'events', '--follow', '--json', '--type', 'statement.refused', '-c', gateway.configFile, '--token-file', bobs],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const lines = createInterface({ input: follow.stdout });
    await expect(ask('DROP TABLE payments')).rejects.toMatchObject({ code: '42501' });
    for await (const line of lines) if ((JSON.parse(line) as { by: string }).by === 'policy') break; // else it goes on for ever
    follow.kill();
    await once(follow, 'exit');
    const online = await ndjson<Event>('events', '--type', 'statement.refused', '--token-file', bobs);
    const offline = await ndjson<Event>('events', '--type', 'statement.refused', '--dir', gateway.ready.journal);
    expect(offline).toEqual(online);
    expect(await ndjson<Event>('events', '--since', '2100-01-01T00:00:00Z', '--token-file', bobs)).toEqual([]);
    expect((await gateway.interlock('events', '--since', 'yesterday', '--token-file', bobs)).code).toBe(2);
  });

  test('status: ok, revision, targets; a policy that does not compile leaves the last good one in force and says so, exit 1', async () => {
    const file = await tokenFile(alice);
    interface Shown {
      readonly ok: boolean;
      readonly revision: string;
      readonly policy_error: string | null;
    }
    const before = await json<Shown & Record<string, unknown>>('status', '--token-file', file);
    expect(Object.keys(before).sort()).toEqual([
      'journal',
      'notifications',
      'ok',
      'open_approvals',
      'policy_error',
      'problems',
      'projection',
      'restart',
      'revision',
      'role',
      'sessions',
      'targets',
    ]);
    expect(before).toMatchObject({ ok: true, policy_error: null, revision: gateway.ready.revision });
    const broken = join(dir, 'policies', 'broken.rego');
    writeFileSync(broken, 'package policies.a.broken\n\nallow contains nothing if true\n');
    const shown = async (): Promise<Shown> => JSON.parse((await gateway.interlock('status', '--token-file', file, '--json')).stdout) as Shown;
    await expect.poll(async () => (await shown()).policy_error, { timeout: 30_000 }).toContain('broken.rego:3');
    expect(await shown()).toMatchObject({ ok: false, revision: before.revision });
    expect(await gateway.interlock('status', '--token-file', file)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('(the last good revision)') as string,
    });
    expect((await ask('SELECT 1')).rowCount).toBe(1);
    rmSync(broken);
    await expect.poll(async () => (await shown()).policy_error, { timeout: 30_000 }).toBeNull();
  });

  test('a token that is not ours, and no gateway at all', async () => {
    writeFileSync(join(dir, 'forged.token'), 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.');
    expect(await gateway.interlock('status', '--token-file', join(dir, 'forged.token'))).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('(AUTH_FAILED)') as string,
    });
    const other = join(dir, 'other.yaml');
    writeFileSync(other, readFileSync(gateway.configFile, 'utf8').replaceAll(join(gateway.dir, 'state'), join(dir, 'other-state')));
    const nobody = await run(process.execPath, [cli, 'status', '-c', other, '--token-file', await tokenFile(alice)]).catch((error: unknown) => error);
    expect(nobody).toMatchObject({ code: 4, stderr: expect.stringContaining('(NOT_REACHABLE)') as string });
    expect((await gateway.interlock('status')).code).toBe(2);
  });

  test('audit: verified with the public key alone; one byte flipped in a copy, and it is not; export holds the texts', async () => {
    const good = await json<Record<string, unknown>>('audit', 'verify', '--dir', gateway.ready.journal, '--key', gateway.ready.public_key);
    const promised = ['checkpoints', 'cut_bytes', 'first', 'last', 'problems', 'records', 'sessions', 'verified'];
    expect(Object.keys(good)).toEqual(expect.arrayContaining(promised));
    expect(good).toMatchObject({ verified: true, problems: [] });
    const exported = await ndjson<Event & { payloads?: Record<string, { text: string }> }>('audit', 'export', '--dir', gateway.ready.journal);
    expect(exported.some(({ payloads }) => Object.values(payloads ?? {}).some(({ text }) => text.includes("status = 'paid'")))).toBe(true);

    const copy = join(dir, 'copy');
    cpSync(gateway.ready.journal, copy, { recursive: true });
    const segment = join(copy, readdirSync(copy).find((name) => name.endsWith('.seg')) ?? '');
    const bytes = readFileSync(segment);
    const at = bytes.indexOf("status = 'paid'");
    expect(at).toBeGreaterThan(0);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(segment, bytes);
    const bad = await gateway.interlock('audit', 'verify', '--dir', copy, '--key', gateway.ready.public_key, '--json');
    expect(bad.code).toBe(1);
    expect(JSON.parse(bad.stdout)).toMatchObject({ verified: false });
    expect((await gateway.interlock('audit', 'verify', '--dir', join(dir, 'nothing'), '--key', gateway.ready.public_key)).code).toBe(2);
  });

  test('doctor sees a gateway that is well, step by step', async () => {
    const { ok, checks } = await json<{
      ok: boolean;
      checks: readonly { id: string; ok: boolean; value: string; expected: string; remedy: string }[];
    }>('doctor', 'shop');
    expect(checks.filter((check) => !check.ok)).toEqual([]);
    expect(ok).toBe(true);
    expect(checks.map(({ id }) => id)).toEqual([
      'node',
      'opa',
      'config',
      'files',
      'state',
      'policies',
      'port.api',
      'port.shop',
      'journal.fdatasync',
      'target.shop.reference',
      'target.shop.reachable',
      'target.shop.tls',
      'target.shop.credential',
      'target.shop.version',
      'target.shop.clock',
    ]);
    for (const check of checks) expect(Object.keys(check).sort()).toEqual(['expected', 'id', 'ok', 'remedy', 'value']);
  });
});

test('I7: the target’s credential is in no log, no record and no answer of these commands', async () => {
  mkdirSync(join(dir, 'out'), { recursive: true });
  const bobs = await tokenFile(bob);
  const outputs = await Promise.all(
    [['events', '--token-file', bobs], ['audit', 'export', '--dir', gateway.ready.journal], ['doctor'], ['status', '--token-file', bobs]].map(
      async (args) => await gateway.interlock(...args),
    ),
  );
  for (const text of [gateway.log(), ...outputs.flatMap(({ stdout, stderr }) => [stdout, stderr])]) expect(text).not.toContain(server.password);
  for (const name of readdirSync(gateway.ready.journal))
    expect(readFileSync(join(gateway.ready.journal, name)).includes(server.password)).toBe(false);
});
