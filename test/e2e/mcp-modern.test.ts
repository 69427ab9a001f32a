/** Servers of 2026-07-28: multi-round-trip requests through the gateway, and clients of both eras (issue 6). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { legacyClient, modern, modernClient } from '#test/support/mcp-clients';
import { MCP_OTHER, MCP_TOKEN, startMcpGateway, type McpGateway } from '#test/support/mcp-gateway';
import { startModernServer, type ModernMcpServer } from '#test/support/mcp-modern-server';

let server: ModernMcpServer;
let open: McpGateway;
let closed: McpGateway;
beforeAll(async () => {
  server = await startModernServer();
  const upstream = { kind: 'http', url: server.url } as const;
  open = await startMcpGateway({ upstream, target: { fromServer: { sampling: false, elicitation: true, roots: false, logging: false } } });
  closed = await startMcpGateway({ upstream });
});
afterAll(async () => {
  await open?.[Symbol.asyncDispose]();
  await closed?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const form = { elicitation: { form: {} } };

test.each([
  ['2025-11-25', legacyClient],
  ['2026-07-28', modernClient],
] as const)('a client of %s calls a server of 2026-07-28', async (_version, connect) => {
  await using client = await connect(closed.url, MCP_TOKEN);
  expect((await client.listTools()).tools.map(({ name }) => name).toSorted()).toEqual(['deploy', 'echo']);
  expect(await client.callTool({ name: 'echo', arguments: { text: 'hello' } })).toMatchObject({ content: [{ text: 'hello' }] });
});

test('what the server asks of the client is refused by default, and never reaches it', async () => {
  const before = server.ran.length;
  const answer = await modern(closed.url, MCP_TOKEN, 'tools/call', { name: 'deploy', arguments: { env: 'prod' } }, form);
  expect(answer.body.error?.message).toBeDefined();
  expect(answer.text).not.toContain('Deploy to prod?');
  expect(server.ran.length).toBe(before);
});

test('where the configuration allows it the question passes, its state comes back sealed, and the answer is part of what is judged', async () => {
  const params = { name: 'deploy', arguments: { env: 'prod' } };
  const asked = await modern(open.url, MCP_TOKEN, 'tools/call', params, form);
  const { requestState, inputRequests } = asked.body.result as { requestState: string; inputRequests: object };
  expect(inputRequests).toMatchObject({ confirm: { method: 'elicitation/create', params: { message: 'Deploy to prod?' } } });
  expect(requestState).not.toContain('state-of');
  const inputResponses = { confirm: { action: 'accept', content: { confirm: true } } };
  const foreign = await modern(open.url, MCP_OTHER, 'tools/call', { ...params, requestState, inputResponses }, form);
  const other = await modern(open.url, MCP_TOKEN, 'tools/call', { name: 'deploy', arguments: { env: 'test' }, requestState, inputResponses }, form);
  for (const answer of [foreign, other]) expect(answer.body.error?.message).toContain('requestState is not one');
  const done = await modern(open.url, MCP_TOKEN, 'tools/call', { ...params, requestState, inputResponses }, form);
  expect(done.body.result).toMatchObject({ content: [{ text: 'deployed to prod' }] });
  expect(open.decisions.judged.some(({ keys }) => keys.includes('inputresponses') && keys.includes('confirm'))).toBe(true);
});

test('changes are told on a stream of its own, under the client’s id', async () => {
  const abort = new AbortController();
  const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
  const response = await fetch(closed.url, {
    method: 'POST',
    signal: abort.signal,
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${MCP_TOKEN}`,
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'subscriptions/listen',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 'mine',
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true }, _meta },
    }),
  });
  const reader = response.body?.getReader();
  const first = Buffer.from((await reader?.read())?.value ?? []).toString();
  expect(JSON.parse(/^data: (.*)$/m.exec(first)?.[1] ?? '{}')).toMatchObject({
    method: 'notifications/subscriptions/acknowledged',
    params: { notifications: { toolsListChanged: true }, _meta: { 'io.modelcontextprotocol/subscriptionId': 'mine' } },
  });
  abort.abort();
  await expect.poll(() => closed.enforcer.sessions().filter(({ state }) => state === 'active').length).toBe(0);
});
