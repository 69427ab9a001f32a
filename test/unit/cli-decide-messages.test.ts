/** `interlock decide` for APIs and MCP servers: what is known of the target comes from its configuration, without a gateway. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CaseLine } from '#engine/cli/decide/cases';
import { caseInput, messageInput } from '#engine/cli/decide/input';
import { httpBytes, mcpBytes } from '#engine/cli/decide/message-file';
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
  expect(JSON.parse(String(statement))).toEqual({ method: 'tools/call', params: { name: 'search', arguments: { query: 'x' } } });
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

const text = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString('latin1');

test.each([
  ['as people write it', 'POST /refunds\nContent-Type: application/json\n\n{"amount":1}\n'],
  [
    'as a client sends it: what no target sees is left out',
    'POST /refunds HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\nContent-Length: 13\r\nX-User: root\r\n\r\n{"amount":1}\n',
  ],
])('a request in a file, %s', async (_, file) => {
  const { action, statement } = await messageInput(config, { ...ALICE, target: 'billing' }, Buffer.from(file));
  expect(action).toBe('http.request');
  expect(text(statement)).toBe('POST /refunds\r\ncontent-type: application/json\r\n\r\n{"amount":1}\n');
});

test('a request in a file without a body, and one whose body is no text', () => {
  expect(text(httpBytes(Buffer.from('GET /refunds\n'), {}))).toBe('GET /refunds\r\n\r\n');
  const body = Buffer.from([0, 255, 13, 10, 13, 10, 1]);
  const bytes = Buffer.from(httpBytes(Buffer.concat([Buffer.from('PUT /a\r\nContent-Type: image/png\r\n\r\n'), body]), {}));
  expect(bytes.subarray(bytes.indexOf('\r\n\r\n') + 4)).toEqual(body);
});

test.each(['', 'refund', 'GET /a\nno header\n\n', '\nGET /a\n'])('no request: %j', (file) => {
  expect(() => httpBytes(Buffer.from(file), {})).toThrow(/begins with a line|Name: value/);
});

test('a message of MCP in a file, and what is none', async () => {
  const call = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'search', arguments: {}, _meta: { a: 1 } } };
  const { action, statement } = await messageInput(config, { ...ALICE, target: 'tools' }, Buffer.from(JSON.stringify(call)));
  expect(action).toBe('mcp.call');
  expect(JSON.parse(text(statement))).toEqual({ method: 'tools/call', params: { name: 'search', arguments: {} } });
  for (const file of ['no JSON', '[]', '{"method":"ping"}'])
    await expect(messageInput(config, { ...ALICE, target: 'tools' }, Buffer.from(file))).rejects.toThrow(/no message|not judged/);
  expect(mcpBytes(Buffer.from('{')).method).toBe('');
});

const LINE: CaseLine = { id: '1', subject: { login: 'alice', groups: [] }, resource: 'billing', where: 'cases:1' };

test('cases of requests and calls, and what an agent did lately', async () => {
  const http = { method: 'POST', path: '/refunds', body: { amount: 1 } };
  expect(await caseInput(config, { ...LINE, http }, ALICE)).toMatchObject({
    action: 'http.request',
    resource: { type: 'http', id: 'billing' },
    knowledge: { kind: 'http' },
    supportedObligations: ['mask', 'mask.paths'],
  });
  const mcp = { tool: 'search', arguments: {} };
  expect(await caseInput(config, { ...LINE, resource: 'tools', mcp, usage: { rows_last_hour: 9 } }, ALICE)).toMatchObject({
    action: 'mcp.call',
    usage: { statements_last_minute: 0, rows_last_hour: 9 },
  });
});

test.each([
  [{ ...LINE, resource: 'tools', http: { path: '/a' } }, 'speaks mcp'],
  [{ ...LINE, http: { path: 7 } }, '`http` is {method?'],
  [{ ...LINE, http: { path: '/a' }, usage: { rows: 1 } }, '`usage` holds whole numbers'],
  [{ ...LINE, http: { path: '/a' }, usage: { rows_last_hour: -1 } }, '`usage` holds whole numbers'],
  [{ ...LINE, resource: 'nowhere', http: { path: '/a' } }, 'there is no target'],
])('a case that is none: %j', async (line, expected) => {
  await expect(caseInput(config, line, ALICE)).rejects.toThrow(expected);
});
