/** A new MCP server under the shipped packs alone (issue 6): the data says what its tools may be called with, what waits, and how much an agent may read. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { modernClient } from '#test/support/mcp-clients';
import { startMcpServer, type TestMcpServer } from '#test/support/mcp-server';
import { approvalOf, startMcpShop, type McpShop } from '#test/support/mcp-shop';
import { root } from '#test/support/processes';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

const DATA = `
mcp_tools:
  tools:
    groups: [support]
    tools:
      search: { arguments: { q: { max_length: 10 } } }
      customers: {}
      refund: { arguments: { cents: { required: true, min: 1, max: 50000, approve_above: 5000 } } }
    stages: [{ id: owner, order: 1, any_of: [{ group: owners }], quorum: 1 }]
agents: { defaults: { rows_per_hour: 3 } }
`;

let dir: string;
let server: TestMcpServer;
let shop: McpShop;
let alice: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-mcp-pack-'));
  writeFileSync(join(dir, 'data.yaml'), DATA);
  server = await startMcpServer();
  shop = await startMcpShop({ server: server.url, policies: { dir: join(root, 'policies'), data: [join(dir, 'data.yaml')] } });
  alice = await shop.token('alice');
});
afterAll(async () => {
  await shop?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  server.ran.length = 0;
});

test('what the data names is listed and called; nothing else is there', async () => {
  await using client = await modernClient(shop.url, alice);
  expect((await client.listTools()).tools.map(({ name }) => name).toSorted()).toEqual(['customers', 'refund', 'search']);
  expect(await client.callTool({ name: 'search', arguments: { q: 'shoes' } })).toMatchObject({ content: [{ text: 'found shoes' }] });
  const hidden = await shop.call(alice, 'run_shell', { cmd: 'id' });
  expect(hidden.body.error?.data).toMatchObject({ code: 'MCP_NOT_LISTED', allowed: ['customers', 'refund', 'search'] });
  expect(server.ran.map(({ tool }) => tool)).toEqual(['search']);
});

test('arguments stay within their limits, or wait for somebody', async () => {
  expect((await shop.call(alice, 'search', { q: 'a long question' })).body.error?.data).toMatchObject({ code: 'MCP_ARGUMENT' });
  expect((await shop.call(alice, 'refund', { order: 1, cents: 50_001 })).body.error?.data).toMatchObject({
    code: 'MCP_ARGUMENT',
    hint: expect.stringContaining('"max":50000') as string,
  });
  expect((await shop.call(alice, 'refund', { order: 1, cents: 70 })).body.result).toMatchObject({ content: [{ text: 'refunded 70 of 1' }] });
  const held = await shop.call(alice, 'refund', { order: 1, cents: 5_001 });
  expect(server.ran).toHaveLength(1);
  await shop.approve(approvalOf(held));
  const { requestState } = held.body.result as { requestState: string };
  const done = await shop.call(alice, 'refund', { order: 1, cents: 5_001 }, { requestState });
  expect(done.body.result).toMatchObject({ content: [{ text: 'refunded 5001 of 1' }] });
});

test('an agent is refused once it read its rows, and its human is not', async () => {
  const agent = await shop.agent('bot');
  for (let time = 0; time < 3; time++) expect((await shop.call(agent, 'customers', {})).body.result, String(time)).toBeDefined();
  expect((await shop.call(agent, 'customers', {})).body.error?.data).toMatchObject({ code: 'AGENT_ROWS' });
  expect(server.ran).toHaveLength(3);
  expect((await shop.call(alice, 'customers', {})).body.result).toBeDefined();
});
