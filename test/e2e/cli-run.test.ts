/** `interlock run`: runbooks and single statements, through the gateway like any other client (issue 6, "What a user can do" 4). */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ApprovalView } from '#schemas/approval';
import type { Event } from '#schemas/event';
import { startGateway, type Gateway } from '#test/support/gateway';
import type { PostgresServer } from '#test/support/postgres';
import { production, startPayments } from '#test/support/production';

const root = join(import.meta.dirname, '..', '..');
vi.setConfig({ testTimeout: 120_000 }); // many commands, each a process of its own

let server: PostgresServer;
let gateway: Gateway;
let dir: string;
let alice: string;
let bob: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-run-'));
  server = await startPayments();
  cpSync(join(root, 'policies'), join(dir, 'policies'), { recursive: true });
  mkdirSync(join(dir, 'runbooks'));
  writeFileSync(
    join(dir, 'runbooks', 'refund.yaml'),
    `description: Marks a payment as refunded.
target: shop
parameters:
  payment: { type: integer, min: 1 }
  status: { type: text, one_of: [refunded, disputed], default: refunded }
statement: UPDATE payments SET status = {{status}} WHERE id = {{payment}}
`,
  );
  gateway = await startGateway(
    production(server, dir, {
      policies: { dir: join(dir, 'policies') },
      config: { approvals: { wait: '1m' }, runbooks: { dir: join(dir, 'runbooks') } },
    }),
  );
  alice = await tokenFile('alice', 'support', 'connect');
  bob = await tokenFile('bob', 'owners', 'approve');
});
afterAll(async () => {
  await gateway?.stop();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function tokenFile(login: string, group: string, scope: 'connect' | 'approve'): Promise<string> {
  const file = join(dir, `${login}.token`);
  writeFileSync(file, `${await gateway.token({ login, groups: [group], scope })}\n`, { mode: 0o600 });
  return file;
}

async function run(...args: string[]): Promise<{ readonly code: number; readonly answer: Record<string, unknown>; readonly stderr: string }> {
  const { code, stdout, stderr } = await gateway.interlock('run', ...args, '--json');
  return { code, answer: stdout === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>), stderr };
}

test('a statement: its rows, and that there are more', async () => {
  const { code, answer } = await run(
    '--target',
    'shop',
    '--statement',
    'SELECT id, status FROM payments WHERE id > $1',
    '--param',
    '0',
    '--rows',
    '2',
    '--token-file',
    alice,
  );
  expect(answer).toEqual({
    outcome: 'rows',
    columns: ['id', 'status'],
    rows: [
      ['1', 'new'],
      ['2', 'new'],
    ],
    truncated: true,
    tag: expect.any(String) as string,
  });
  expect(code).toBe(0);
});

test('a refusal says why, and exits 1', async () => {
  const { code, answer } = await run('--target', 'shop', '--statement', 'DROP TABLE payments', '--token-file', alice);
  expect(answer).toMatchObject({ outcome: 'refused', sqlstate: '42501', detail: expect.stringContaining('code=') as string });
  expect(code).toBe(1);
});

test('a runbook is held, approved as it is, and run once; the record says which it was', async () => {
  const pending = await run('refund', 'payment=2', '--token-file', alice, '--no-wait');
  expect(pending).toMatchObject({ code: 1, answer: { outcome: 'pending' } });
  const id = String(pending.answer['approvalId']);
  const { stdout } = await gateway.interlock('approvals', 'show', id, '--token-file', bob, '--json');
  const shown = JSON.parse(stdout) as ApprovalView;
  expect(shown.payload_text).toBe('UPDATE payments SET status = $1 WHERE id = $2');
  expect(shown.params).toEqual(['refunded', '2']);
  expect((await server.query('SELECT status FROM payments WHERE id = 2')).rows).toEqual([{ status: 'new' }]);
  expect((await gateway.interlock('approvals', 'approve', id, '--token-file', bob)).code).toBe(0);
  expect(await run('refund', 'payment=2', '--token-file', alice)).toMatchObject({ code: 0, answer: { outcome: 'rows', tag: 'UPDATE 1' } });
  expect((await server.query("SELECT id FROM payments WHERE status = 'refunded'")).rows).toEqual([{ id: 2 }]);
  // the grant was for one use, and for these values
  expect(await run('refund', 'payment=2', '--token-file', alice, '--no-wait')).toMatchObject({ code: 1, answer: { outcome: 'pending' } });
  const events = (await gateway.interlock('events', '--type', 'session.opened', '--token-file', bob, '--json')).stdout;
  const opened = events
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event & { client?: { application: string } });
  expect(opened.map(({ client }) => client?.application)).toContain('interlock run refund');
});

test.each([
  [['refund', 'payment=x'], 2, '`payment` is "x"; allowed: integer from 1'],
  [['refund', 'payment'], 2, 'allowed is NAME=VALUE'],
  [['nothing'], 2, 'there is no runbook `nothing`'],
  [['--statement', 'SELECT 1'], 2, '--statement goes with --target'],
])('a mistake is one readable line: %j', async (args, code, expected) => {
  const answer = await run(...args, '--token-file', alice);
  expect(answer.code).toBe(code);
  expect(answer.stderr + JSON.stringify(answer.answer)).toContain(expected);
});

test('--list and --show tell what there is', async () => {
  const { stdout, code } = await gateway.interlock('run', '--list');
  expect(code).toBe(0);
  expect(stdout).toContain('refund  on shop: Marks a payment as refunded.');
  expect(stdout).toContain('status: one of refunded, disputed');
});
