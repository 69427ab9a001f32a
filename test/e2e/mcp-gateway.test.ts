/** An MCP server behind a real gateway, in one process or apart: lists, calls, masks, approvals, tokens, the record (issue 6; SECURITY §1.9). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { begun, legacyClient, modern, modernClient, raw } from '#test/support/mcp-clients';
import { SSN, startMcpServer, type TestMcpServer } from '#test/support/mcp-server';
import { approvalOf, startMcpShop, type McpShop } from '#test/support/mcp-shop';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

let server: TestMcpServer;
let shop: McpShop;
let alice: string;

beforeAll(async () => {
  server = await startMcpServer();
  shop = await startMcpShop({ server: server.url });
  alice = await shop.token('alice');
});
afterAll(async () => {
  await shop?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  server.ran.length = 0;
});

test.each([
  ['2025-11-25', legacyClient],
  ['2026-07-28', modernClient],
] as const)('a client of %s sees what policy shows, and calls it', async (_version, connect) => {
  await using client = await connect(shop.url, alice);
  expect((await client.listTools()).tools.map(({ name }) => name).toSorted()).toEqual(['customers', 'picture', 'refund', 'search']);
  expect(await client.callTool({ name: 'search', arguments: { q: 'shoes' } })).toMatchObject({ content: [{ text: 'found shoes' }] });
  expect(server.ran).toEqual([{ tool: 'search', args: { q: 'shoes' } }]);
  expect(server.headers['authorization']).toBeUndefined(); // tokens are never passed on
});

test('I3: what is hidden cannot be called, and what the server never pinned neither', async () => {
  for (const name of ['run_shell', 'read_file', 'RUN_SHELL', 'Search', 'search '])
    expect((await shop.call(alice, name, { cmd: 'id', path: '/etc/passwd', q: 'x' })).body.error, name).toBeDefined();
  expect((await shop.call(alice, 'search', { q: 'x', Q: 'y' })).body.error?.message).toContain('differ in case alone');
  expect(server.ran).toEqual([]);
});

test('I5: what is masked leaves in no place, and what cannot be masked not at all', async () => {
  const customers = await shop.call(alice, 'customers', {});
  expect(customers.text).toContain('Ann');
  expect(customers.text).not.toContain(SSN);
  const picture = await shop.call(alice, 'picture', {});
  expect(picture.body.error?.data).toMatchObject({ code: 'ANSWER_UNMASKABLE' });
});

test('a held call is completed by the reference client itself, once, as soon as somebody else agrees', async () => {
  await using client = await modernClient(shop.url, alice);
  const running = client.callTool({ name: 'refund', arguments: { order: 1, cents: 700 } });
  const headers = { authorization: `Bearer ${alice}` };
  let id = '';
  await expect
    .poll(async () => {
      const answer = await fetch(new URL('/v1/approvals?state=open', shop.api), { headers });
      const found = (await answer.json()) as { items?: { approval_id: string }[] } | { approval_id: string }[];
      id = (Array.isArray(found) ? found : (found.items ?? []))[0]?.approval_id ?? '';
      return id;
    })
    .not.toBe('');
  expect(server.ran).toEqual([]);
  await shop.approve(id);
  expect(await running).toMatchObject({ content: [{ text: 'refunded 700 of 1' }] });
  expect(server.ran).toHaveLength(1);
});

test('a task is looked at until it is decided, and then it is done', async () => {
  const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
  const held = await shop.call(alice, 'refund', { order: 2, cents: 1 }, {}, tasks);
  const { taskId } = held.body.result as { taskId: string };
  const look = (): ReturnType<typeof modern> => modern(shop.url, alice, 'tasks/get', { taskId }, tasks);
  expect((await look()).body.result).toMatchObject({ status: 'working' });
  await shop.approve(approvalOf(held));
  expect((await look()).body.result).toMatchObject({ status: 'completed', result: { content: [{ text: 'refunded 1 of 2' }] } });
});

test('RFC 8707: a token for this endpoint alone opens it, one for another does not, and it opens nothing else', async () => {
  const described = await fetch(new URL('/.well-known/oauth-protected-resource/mcp/tools', shop.url));
  const { resource } = (await described.json()) as { resource: string };
  expect(resource).toBe(shop.url);
  const own = await shop.tokenFor(resource);
  expect((await shop.call(own, 'search', { q: 'x' })).body.result).toBeDefined();
  for (const other of [
    `${resource}2`,
    resource.replace('/mcp/tools', '/mcp/shop'),
    resource.replace('/mcp/tools', ''),
    'https://elsewhere.example.com/mcp/tools',
  ]) {
    const refused = await shop.call(await shop.tokenFor(other), 'search', { q: 'x' });
    expect(refused.status, other).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain('resource_metadata=');
  }
  const api = await fetch(new URL('/v1/me', shop.api), { headers: { authorization: `Bearer ${own}` } });
  expect(api.status).toBe(401);
});

test('rows that came back count for the ceilings of an agent, and stand in the record', async () => {
  const agent = await shop.agent('bot');
  for (let time = 0; time < 3; time++) expect((await shop.call(agent, 'customers', {})).body.result, String(time)).toBeDefined();
  expect((await shop.call(agent, 'customers', {})).body.error?.data).toMatchObject({ code: 'AGENT_ROWS' });
  expect((await shop.call(alice, 'customers', {})).body.result).toBeDefined();
  const rows = (await shop.events()).flatMap((event) => (event.type === 'statement.finished' ? [event.rows] : []));
  expect(rows.filter((count) => count === 1).length).toBeGreaterThanOrEqual(4);
});

test('a session belongs to its token: another principal cannot use its name, and ends none', async () => {
  const bob = await shop.token('bob');
  const session = await begun(shop.url, alice);
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
  expect((await raw(shop.url, bob, list, { 'mcp-session-id': session })).status).toBe(404);
  const ended = await fetch(shop.url, { method: 'DELETE', headers: { authorization: `Bearer ${bob}`, 'mcp-session-id': session } });
  expect(ended.status).toBe(404);
  expect((await raw(shop.url, alice, list, { 'mcp-session-id': session })).body.result).toBeDefined();
});

test('a name for a session that a client brings along is nobody’s: the gateway names them, each time anew', async () => {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
  const chosen = 'a-name-that-an-attacker-knows';
  const names: string[] = [];
  for (let time = 0; time < 2; time++) {
    const answer = await raw(shop.url, alice, { jsonrpc: '2.0', id: 1, method: 'initialize', params }, { 'mcp-session-id': chosen });
    names.push(answer.headers.get('mcp-session-id') ?? '');
  }
  expect(new Set([chosen, '', ...names]).size).toBe(4);
  const list = { jsonrpc: '2.0', id: 2, method: 'tools/list', params: {} };
  expect((await raw(shop.url, alice, list, { 'mcp-session-id': chosen })).status).toBe(404);
});

test('what one principal was told is of no use to another: not a state, not a task, not an approval', async () => {
  const bob = await shop.token('bob');
  const args = { order: 30, cents: 1 };
  const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
  const [held, task] = [await shop.call(alice, 'refund', args), await shop.call(alice, 'refund', { ...args, order: 31 }, {}, tasks)];
  const { requestState } = held.body.result as { requestState: string };
  const { taskId } = task.body.result as { taskId: string };
  for (const one of [held, task]) await shop.approve(approvalOf(one));
  expect((await shop.call(bob, 'refund', args, { requestState })).body.error).toBeDefined();
  // the very same call is another request, as it is somebody else's
  expect(approvalOf(await shop.call(bob, 'refund', args))).not.toBe(approvalOf(held));
  for (const method of ['tasks/get', 'tasks/cancel', 'tasks/update'])
    expect((await modern(shop.url, bob, method, { taskId }, tasks)).body.error, method).toMatchObject({ code: -32_602 });
  // nor is a state a task's name, or the other way round
  expect((await modern(shop.url, alice, 'tasks/get', { taskId: requestState }, tasks)).body.error).toMatchObject({ code: -32_602 });
  expect((await shop.call(alice, 'refund', { ...args, order: 31 }, { requestState: taskId })).body.error).toBeDefined();
  expect(server.ran).toEqual([]);
  expect((await shop.call(alice, 'refund', args, { requestState })).body.result).toMatchObject({ content: [{ text: 'refunded 1 of 30' }] });
});

test('a stranger is refused before anything is judged; the record is whole, and holds no token', async () => {
  expect((await shop.call('not.a.token', 'search', { q: 'x' })).status).toBe(401);
  await shop.verified();
  const events = await shop.events();
  expect(events.filter(({ type }) => type === 'session.opened').length).toBeGreaterThan(0);
  // segments are large: what they hold is looked for, and never printed
  const { journal } = shop.gateway.ready;
  const held = readdirSync(journal, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const { parentPath, name } of held) expect(readFileSync(join(parentPath, name)).includes(alice), name).toBe(false);
});
