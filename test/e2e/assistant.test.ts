/** Interlock's own MCP server (issue 6): whoever has a token reaches targets by tools; nobody approves by one. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startGateway, type Gateway } from '#test/support/gateway';
import type { PostgresServer } from '#test/support/postgres';
import { production, startPayments } from '#test/support/production';

const root = join(import.meta.dirname, '..', '..');
vi.setConfig({ testTimeout: 60_000 });

let server: PostgresServer;
let gateway: Gateway;
let dir: string;
let agent: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-assistant-'));
  server = await startPayments();
  cpSync(join(root, 'policies', 'postgres'), join(dir, 'policies', 'postgres'), { recursive: true });
  mkdirSync(join(dir, 'runbooks'));
  writeFileSync(
    join(dir, 'runbooks', 'count.yaml'),
    'description: Counts payments.\ntarget: shop\nparameters: { status: { type: text } }\nstatement: SELECT count(*) FROM payments WHERE status = {{status}}\n',
  );
  gateway = await startGateway(
    production(server, dir, { policies: { dir: join(dir, 'policies') }, config: { runbooks: { dir: join(dir, 'runbooks') } } }),
  );
  agent = await gateway.token({ login: 'carol', groups: ['support'] });
});
afterAll(async () => {
  await gateway?.stop();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function connected(token: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const headers = { authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', gateway.ready.api), { requestInit: { headers } }));
  return client;
}

async function act(name: string, args: Record<string, unknown> = {}, token: string = agent): Promise<Record<string, unknown>> {
  const client = await connected(token);
  try {
    const { structuredContent } = await client.callTool({ name, arguments: args });
    return structuredContent as Record<string, unknown>;
  } finally {
    await client.close();
  }
}

/** Whoever asks too often is told to wait, and asks again. */
async function post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const all = { 'content-type': 'application/json', authorization: `Bearer ${agent}`, ...headers };
  const asked = { method: 'POST', headers: all, body: typeof body === 'string' ? body : JSON.stringify(body) };
  let answer = await fetch(new URL('/mcp', gateway.ready.api), asked);
  await expect.poll(async () => (answer.status === 429 ? (answer = await fetch(new URL('/mcp', gateway.ready.api), asked)).status : 0)).not.toBe(429);
  return answer;
}

describe('with the reference client', () => {
  test('the tools; none of them approves', async () => {
    const client = await connected(agent);
    const names = (await client.listTools()).tools.map(({ name }) => name);
    await client.close();
    expect(names).toEqual(['targets', 'query', 'request_approval', 'await_approval', 'why', 'runbooks']);
    expect(await act('targets')).toEqual({ targets: [{ name: 'shop', protocol: 'postgresql', env: 'production' }] });
  });

  test('a query: rows, bounded; refused with the reason; why says it without running', async () => {
    expect(await act('query', { target: 'shop', statement: 'SELECT id FROM payments WHERE id < $1', params: [3], max_rows: 1 })).toMatchObject({
      outcome: 'rows',
      rows: [['1']],
      truncated: true,
    });
    expect(await act('query', { target: 'shop', statement: 'DROP TABLE payments' })).toMatchObject({ outcome: 'refused', sqlstate: '42501' });
    expect(await act('why', { target: 'shop', statement: 'DROP TABLE payments' })).toMatchObject({ effect: 'deny' });
    expect(await act('why', { target: 'shop', statement: 'SELECT id FROM payments' })).toMatchObject({ effect: 'allow' });
  });

  test('A: pending, approved by somebody else, run once; asked again it is another request', async () => {
    const asked = { target: 'shop', statement: "UPDATE payments SET status = 'refunded' WHERE id = 2" };
    const pending = await act('query', asked);
    expect(pending).toMatchObject({ outcome: 'pending' });
    const id = String(pending['approval_id']);
    expect(await act('request_approval', asked)).toMatchObject({ approval_id: id, state: 'open' });
    const waiting = act('await_approval', { approval_id: id, wait_s: 30 });
    const bob = join(dir, 'bob.token');
    writeFileSync(bob, await gateway.token({ login: 'bob', groups: ['owners'], scope: 'approve' }), { mode: 0o600 });
    expect((await gateway.interlock('approvals', 'approve', id, '--token-file', bob)).code).toBe(0);
    expect(await waiting).toMatchObject({ state: 'approved' });
    expect(await act('request_approval', asked)).toMatchObject({ approval_id: id, state: 'approved' }); // told, and not used
    expect((await server.query('SELECT status FROM payments WHERE id = 2')).rows).toEqual([{ status: 'new' }]);
    expect(await act('query', asked)).toMatchObject({ outcome: 'rows', tag: 'UPDATE 1' });
    expect(await act('await_approval', { approval_id: id })).toMatchObject({ state: 'consumed' });
    expect((await act('query', asked))['approval_id']).not.toBe(id);
  });

  test('request_approval runs nothing, and says where none is needed', async () => {
    expect(await act('request_approval', { target: 'shop', statement: 'SELECT 1' })).toMatchObject({ outcome: 'not_needed' });
    expect(await act('request_approval', { target: 'shop', statement: 'DROP TABLE payments' })).toMatchObject({ outcome: 'refused' });
    const asked = { target: 'shop', statement: "UPDATE payments SET status = 'x' WHERE id = 3" };
    expect(await act('request_approval', asked)).toMatchObject({ outcome: 'pending' });
    expect((await server.query('SELECT status FROM payments WHERE id = 3')).rows).toEqual([{ status: 'new' }]);
  });

  test('runbooks', async () => {
    expect(await act('runbooks')).toEqual({
      runbooks: [{ name: 'count', target: 'shop', description: 'Counts payments.', parameters: { status: 'text' } }],
    });
    expect(await act('runbooks', { name: 'count', values: { status: 'new' } })).toMatchObject({ outcome: 'rows', columns: ['count'] });
    expect(await act('runbooks', { name: 'count', values: {} })).toMatchObject({ outcome: 'refused', code: 'RUNBOOK_VALUE' });
  });
});

describe('the door', () => {
  test('N6: another’s request is not told', async () => {
    const dora = await gateway.token({ login: 'dora', groups: ['support'] });
    const pending = await act('query', { target: 'shop', statement: "UPDATE payments SET status = 'y' WHERE id = 3" });
    const client = await connected(dora);
    const answer = await client.callTool({ name: 'await_approval', arguments: { approval_id: pending['approval_id'], wait_s: 0 } });
    await client.close();
    expect(answer).toMatchObject({ isError: true, structuredContent: { code: 'APPROVAL_NOT_FOUND' } });
  });

  test('N6: a target that policy does not let them open is not told of: not what it masks, not why, not by its runbooks', async () => {
    const eve = await gateway.token({ login: 'eve', groups: ['strangers'] });
    const nowhere = await act('why', { target: 'nowhere', statement: 'SELECT 1' }, eve);
    expect(nowhere).toMatchObject({ outcome: 'refused', code: 'USAGE' });
    expect(await act('targets', {}, eve)).toEqual({ targets: [] });
    expect(await act('why', { target: 'shop', statement: 'SELECT 1' }, eve)).toEqual(nowhere);
    expect(await act('request_approval', { target: 'shop', statement: 'SELECT 1' }, eve)).toEqual(nowhere);
    expect(await act('runbooks', {}, eve)).toEqual({ runbooks: [] });
    expect(await act('runbooks', { name: 'count', values: { status: 'new' } }, eve)).toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('none') as string,
    });
  });

  test('a modern client needs no session', async () => {
    const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
    const discovered = (await (await post({ jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta } })).json()) as { result: object };
    expect(discovered.result).toMatchObject({
      resultType: 'complete',
      supportedVersions: expect.arrayContaining(['2026-07-28']) as string[],
      cacheScope: 'private',
    });
  });

  test.each([
    ['no token', { authorization: '' }, 401],
    ['a token that decides', { authorization: 'APPROVE' }, 403],
    ['a page of another site', { origin: 'https://evil.example' }, 403],
    ['a form', { 'content-type': 'text/plain' }, 400],
  ])('%s is turned away', async (_what, headers, status) => {
    const given = headers as Record<string, string>;
    const real =
      given['authorization'] === 'APPROVE'
        ? { authorization: `Bearer ${await gateway.token({ login: 'bob', groups: ['owners'], scope: 'approve' })}` }
        : given;
    expect((await post({ jsonrpc: '2.0', id: 1, method: 'ping' }, real)).status).toBe(status);
  });

  test.each([
    ['[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}', -32700],
    ['{"jsonrpc":"2.0","id":1,"method":"approve"}', -32601],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"approve"}}', -32602],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query","arguments":{"target":"shop","sql":"x"}}}', -32602],
  ])('%s', async (body, code) => {
    const answer = (await (await post(body)).json()) as { error: { code: number } };
    expect(answer.error.code).toBe(code);
  });
});
