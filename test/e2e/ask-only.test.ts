/** Asking for an approval and nothing else (issue 6): the real judgement decides, nothing runs and no grant is used, whatever a dry run would say. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as PgClient } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { followJournal } from '#engine/journal/reader';
import type { Event } from '#schemas/event';
import { startGateway, type Gateway } from '#test/support/gateway';
import { type Recorder, startRecorder } from '#test/support/http-gateway';
import { modern, raw } from '#test/support/mcp-clients';
import { startMcpServer, type TestMcpServer } from '#test/support/mcp-server';
import { approvalOf, pinTools } from '#test/support/mcp-shop';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { root } from '#test/support/processes';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let dir: string;
let server: PostgresServer;
let api: Recorder;
let tools: TestMcpServer;
let gateway: Gateway;
let reviewer: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-ask-only-'));
  server = await startPostgres({ major: 15 });
  await server.query("CREATE TABLE payments (id int PRIMARY KEY, status text); INSERT INTO payments SELECT n, 'new' FROM generate_series(1, 9) n");
  api = await startRecorder();
  tools = await startMcpServer();
  const pins = join(dir, 'tools.lock.json');
  await pinTools(tools.url, pins);
  gateway = await startGateway({
    upstream: { host: server.host, port: server.port, user: server.user, password: server.password, database: 'postgres' },
    policies: { dir: join(root, 'test', 'policies', 'counted') },
    config: {
      targets: {
        shop: {
          protocol: 'postgresql',
          listen: '127.0.0.1:0',
          env: 'test',
          credential: { user: server.user, password: { env: 'SHOP_PASSWORD' } },
          upstream: { host: server.host, port: server.port, databases: ['postgres'], tls: { mode: 'off' } },
        },
        billing: { protocol: 'http', listen: '127.0.0.1:0', env: 'test', http: { url: `http://127.0.0.1:${api.port}` } },
        tools: { protocol: 'mcp', listen: '127.0.0.1:0', env: 'test', mcp: { url: tools.url, pins } },
      },
    },
    env: { SHOP_PASSWORD: server.password },
  });
  reviewer = await gateway.token({ login: 'rita', groups: ['owners'], scope: 'approve' });
});
afterAll(async () => {
  await gateway?.stop();
  await tools?.[Symbol.asyncDispose]();
  await api?.[Symbol.asyncDispose]();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

let agents = 0;
/** Somebody new: nothing of them was counted. */
function agent(group: 'early' | 'late'): Promise<string> {
  return gateway.token({ login: `agent-${++agents}`, groups: [group], type: 'agent', for: 'carol' });
}

async function act(token: string, name: string, args: Record<string, unknown>): Promise<Record<string, unknown>> {
  const client = new McpClient({ name: 'test', version: '1' });
  await client.connect(
    new StreamableHTTPClientTransport(new URL('/mcp', gateway.ready.api), { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
  );
  try {
    return (await client.callTool({ name, arguments: args })).structuredContent as Record<string, unknown>;
  } finally {
    await client.close();
  }
}

async function approve(id: unknown): Promise<void> {
  const headers = { authorization: `Bearer ${reviewer}`, 'content-type': 'application/json' };
  const answer = await fetch(new URL(`/v1/approvals/${String(id)}/verdict`, gateway.ready.api), {
    method: 'POST',
    headers,
    body: JSON.stringify({ outcome: 'approve' }),
  });
  expect(answer.status, await answer.text()).toBe(200);
}

const address = (target: string): string => gateway.ready.targets[target]?.address ?? '';
const mcpUrl = (): string => `http://${address('tools')}/mcp/tools`;

/** Each write is another one, so that no test finds the request of another. */
interface Kind {
  readonly target: string;
  readonly write: (n: number) => Record<string, unknown>;
  /** How often the n-th was really done. */
  readonly done: (n: number) => Promise<number>;
  readonly run: (token: string, n: number) => Promise<void>;
}

const KINDS: readonly Kind[] = [
  {
    target: 'shop',
    write: (n) => ({ statement: "UPDATE payments SET status = 'paid' WHERE id = $1", params: [n] }),
    done: async (n) => (await server.query(`SELECT 1 FROM payments WHERE id = ${n} AND status = 'paid'`)).rows.length,
    run: async (token, n) => void (await act(token, 'query', { target: 'shop', ...KINDS[0]?.write(n) })),
  },
  {
    target: 'billing',
    write: (n) => ({ request: { method: 'POST', path: `/refunds/${n}`, body: { cents: n } } }),
    done: (n) => Promise.resolve(api.requests.filter((line) => line.startsWith(`POST /refunds/${n} `)).length),
    run: async (token, n) => void (await act(token, 'query', { target: 'billing', ...KINDS[1]?.write(n) })),
  },
  {
    target: 'tools',
    write: (n) => ({ call: { tool: 'refund', arguments: { order: n, cents: n } } }),
    done: (n) => Promise.resolve(tools.ran.filter(({ args }) => (args as { order: number }).order === n).length),
    run: async (token, n) => void (await modern(mcpUrl(), token, 'tools/call', { name: 'refund', arguments: { order: n, cents: n } })),
  },
];

describe.each(KINDS)('$target', ({ target, write, done, run }) => {
  test('I4: asked for, approved, asked for again: nothing runs and no grant is used, until it is run itself, once', async () => {
    const token = await agent('late');
    const asked = { target, ...write(1) };
    const pending = await act(token, 'request_approval', asked);
    expect(pending).toMatchObject({ outcome: 'pending', state: 'open' });
    await approve(pending['approval_id']);
    expect(await act(token, 'request_approval', asked)).toMatchObject({ outcome: 'approved', approval_id: pending['approval_id'] });
    expect(await done(1)).toBe(0);
    await run(token, 1);
    expect(await done(1)).toBe(1);
    expect(await act(token, 'await_approval', { approval_id: pending['approval_id'] })).toMatchObject({ state: 'consumed' });
  });

  test('what a dry run would hold, and policy really allows, is told and not run', async () => {
    const token = await agent('early');
    const asked = { target, ...write(2) };
    const first = await act(token, 'request_approval', asked);
    expect(first).toMatchObject({ outcome: 'pending' });
    expect(await act(token, 'request_approval', asked)).toMatchObject({ approval_id: first['approval_id'] });
    expect(await act(token, 'why', asked)).toMatchObject({ effect: 'require_approval' });
    expect(await act(token, 'request_approval', asked)).toMatchObject({ outcome: 'not_needed' });
    expect(await done(2)).toBe(0);
    await run(token, 2);
    expect(await done(2)).toBe(1);
  });

  test('what a dry run would allow, and policy really holds, is asked for', async () => {
    const token = await agent('late');
    const asked = { target, ...write(3) };
    expect(await act(token, 'why', asked)).toMatchObject({ effect: 'allow' });
    expect(await act(token, 'request_approval', asked)).toMatchObject({ outcome: 'pending' });
    expect(await done(3)).toBe(0);
  });
});

test('what is denied is told, with what would be allowed', async () => {
  const token = await agent('early');
  const denied = { outcome: 'refused', code: 'NO_DELETE', hint: 'Set its status instead.' };
  expect(await act(token, 'request_approval', { target: 'shop', statement: 'DELETE FROM payments WHERE id = 1' })).toMatchObject(denied);
  expect(await act(token, 'request_approval', { target: 'billing', request: { method: 'DELETE', path: '/refunds/1' } })).toMatchObject(denied);
  expect(await act(token, 'request_approval', { target: 'tools', call: { tool: 'nothing', arguments: {} } })).toMatchObject({ code: 'TOOL_UNKNOWN' });
  await expect(act(token, 'query', { target: 'tools', call: { tool: 'refund' } })).rejects.toThrow('arguments.call');
  expect((await server.query('SELECT 1 FROM payments WHERE id = 1')).rows).toHaveLength(1);
});

describe('by the clients of each protocol', () => {
  test('psql: PGOPTIONS; whatever is sent, nothing of it runs', async () => {
    const [host = '', port = ''] = address('shop').split(':');
    const login = `agent-${agents + 1}`;
    const client = new PgClient({
      host,
      port: Number(port),
      user: login,
      password: await agent('early'),
      database: 'postgres',
      options: '-c interlock.ask_only=on',
    });
    await client.connect();
    try {
      await expect(client.query('SELECT 1')).rejects.toMatchObject({
        code: 'IL004',
        detail: expect.stringContaining('code=APPROVAL_NOT_NEEDED') as string,
      });
      await expect(client.query('SELECT $1::int', [1])).rejects.toMatchObject({ code: 'IL004' });
      await expect(client.query("SELECT 1; UPDATE payments SET status = 'x' WHERE id = 9")).rejects.toMatchObject({ code: 'IL004' }); // the third
      await expect(client.query('BEGIN')).rejects.toMatchObject({ code: 'IL004' });
    } finally {
      await client.end();
    }
    expect((await server.query('SELECT status FROM payments WHERE id = 9')).rows).toEqual([{ status: 'new' }]);
    const other = new PgClient({
      host,
      port: Number(port),
      user: login,
      password: 'x',
      database: 'postgres',
      options: '-c interlock.ask_only=on -c role=postgres',
    });
    await expect(other.connect()).rejects.toMatchObject({ code: '0A000' });
  });

  test('HTTP: a header, whatever it says; it does not leave', async () => {
    const token = await agent('early');
    const headers = { authorization: `Bearer ${token}` };
    for (const value of ['true', 'false', '']) {
      const answer = await fetch(`http://${address('billing')}/things?${value}`, { headers: { ...headers, 'Interlock-Ask-Only': value } });
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([403, 'APPROVAL_NOT_NEEDED']);
    }
    expect(api.requests.filter((line) => line.includes('/things'))).toEqual([]);
    expect((await fetch(`http://${address('billing')}/things`, { headers })).status).toBe(200);
  });

  test('MCP: `_meta`; it goes on with nothing that was held', async () => {
    const token = await agent('late');
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
      'dev.interlock/ask-only': true,
    };
    const ask = async (method: string, params: Record<string, unknown>, name?: string): Promise<unknown> => {
      const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...(name === undefined ? {} : { 'mcp-name': name }) };
      const { body } = await raw(mcpUrl(), token, { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } }, headers);
      return body.error?.data?.['code'];
    };
    const held = await modern(mcpUrl(), token, 'tools/call', { name: 'refund', arguments: { order: 77, cents: 1 } });
    const { requestState } = held.body.result as { requestState: string };
    const refund = { name: 'refund', arguments: { order: 77, cents: 1 } };
    expect(await ask('tools/call', refund, 'refund')).toBe('APPROVAL_PENDING');
    await approve(approvalOf(held));
    expect(await ask('tools/call', { ...refund, requestState }, 'refund')).toBe('PROTOCOL');
    expect(await ask('tasks/get', { taskId: 'x' }, 'x')).toBe('PROTOCOL');
    expect(await ask('tools/call', refund, 'refund')).toBe('APPROVAL_READY');
    expect(await ask('tools/list', {})).toBe('APPROVAL_NOT_NEEDED');
    expect(tools.ran.filter(({ args }) => (args as { order: number }).order === 77)).toEqual([]);
  });
});

test('I6: the record says that it was only asked, and for which approval', async () => {
  const token = await agent('late');
  const asked = { target: 'shop', statement: "UPDATE payments SET status = 'recorded' WHERE id = 4" };
  const { approval_id: id } = await act(token, 'request_approval', asked);
  const events: Event[] = [];
  const { journal, public_key } = gateway.ready;
  for await (const event of followJournal(journal, { follow: false, signal: AbortSignal.timeout(30_000) })) events.push(event);
  const held = events.find((event) => event.type === 'statement.held' && event.approval_id === id);
  const own = events.filter((event) => event.statement_id !== undefined && event.statement_id === held?.statement_id);
  expect(own.filter(({ type }) => type.startsWith('statement.')).map(({ type }) => type)).toEqual([
    'statement.received',
    'statement.decided',
    'statement.held',
    'statement.refused',
  ]);
  expect(own.find(({ type }) => type === 'statement.received')).toMatchObject({ mode: 'ask simple' });
  const cleared = new Set(events.flatMap((event) => (event.type === 'statement.cleared' ? [event.statement_id] : [])));
  const ran = events.filter((event) => event.type === 'statement.received' && event.mode.startsWith('ask ') && cleared.has(event.statement_id));
  // text with parameters is prepared, as any client's: that runs nothing
  expect(ran.filter((event) => event.type === 'statement.received' && event.action !== 'sql.prepare')).toEqual([]);
  expect(await gateway.interlock('audit', 'verify', '--dir', journal, '--key', public_key)).toMatchObject({ code: 0 });
});
