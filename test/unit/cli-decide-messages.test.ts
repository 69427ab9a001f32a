/** `interlock decide` for APIs and MCP servers: what is known of the target comes from its configuration, without a gateway. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { messageInput } from '#engine/cli/decide/input';
import { loadConfig } from '#engine/config/load';
import type { LoadedConfig } from '#engine/config/config';

let dir = '';
let config: LoadedConfig;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'interlock-decide-'));
  await writeFile(join(dir, 'routes.yaml'), 'routes:\n  - { route: POST /refunds, id: createRefund }\n');
  await mkdir(join(dir, 'policies'));
  const services = {
    billing: { protocol: 'http', listen: '127.0.0.1:0', http: { url: 'http://127.0.0.1:1', routes: './routes.yaml' } },
    tools: { protocol: 'mcp', listen: '127.0.0.1:0', mcp: { url: 'http://127.0.0.1:1/mcp' } },
  };
  await writeFile(
    join(dir, 'interlock.yaml'),
    JSON.stringify({ contract: 1, identity: { local: { enabled: true } }, policies: { source: { dir: './policies' } }, targets: services }),
  );
  config = await loadConfig(join(dir, 'interlock.yaml'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const ALICE = { login: 'alice', type: 'user', transaction: 'idle', major: '15', config: '', json: false } as const;

test('a request, with the routes of its target', async () => {
  const asked = { ...ALICE, target: 'billing', method: 'POST', path: '/refunds?a=1', header: ['X-Why: test: it'], body: '{"amount":1}' };
  const { action, statement, knowledge } = await messageInput(config, asked);
  expect(action).toBe('http.request');
  expect(statement).toBe('POST /refunds?a=1\r\nx-why: test: it\r\ncontent-type: application/json\r\n\r\n{"amount":1}');
  expect(knowledge).toMatchObject({ kind: 'http', routes: [{ id: 'createRefund', method: 'POST' }] });
});

test('a call of a tool', async () => {
  const { action, statement, knowledge } = await messageInput(config, { ...ALICE, target: 'tools', tool: 'search', arguments: '{"query":"x"}' });
  expect(action).toBe('mcp.call');
  expect(JSON.parse(statement)).toEqual({ method: 'tools/call', params: { name: 'search', arguments: { query: 'x' } } });
  expect(knowledge).toBeUndefined();
});

test.each([
  [{ target: 'billing', tool: 'search' }, 'speaks http'],
  [{ target: 'tools', path: '/x' }, 'speaks mcp'],
  [{ target: 'tools', tool: 'search', arguments: '[1]' }, '--arguments is not an object'],
  [{ target: 'tools', tool: 'search', arguments: '{' }, '--arguments: not JSON'],
])('%j', async (asked, expected) => {
  await expect(messageInput(config, { ...ALICE, ...asked })).rejects.toThrow(expected);
});
