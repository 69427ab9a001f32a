/** Servers over stdio: processes of the gateway's, each with its session (issue 6). */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { legacyClient, modern, modernClient } from '#test/support/mcp-clients';
import { MCP_OTHER, MCP_TOKEN, startMcpGateway, type McpGateway } from '#test/support/mcp-gateway';

let gateway: McpGateway;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'interlock-mcp-root-'));
  mkdirSync(join(folder, 'workspace'));
  writeFileSync(join(folder, 'secret'), 'secret');
  writeFileSync(join(folder, 'workspace', 'notes'), 'notes');
  symlinkSync(join(folder, 'secret'), join(folder, 'workspace', 'link'));
  process.env['INTERLOCK_TEST_SECRET'] = 'of the gateway';
  gateway = await startMcpGateway({
    upstream: {
      kind: 'stdio',
      command: [process.execPath, join(import.meta.dirname, '..', 'support', 'mcp-stdio-server.ts')],
      cwd: join(import.meta.dirname, '..', '..'),
      env: { MODE: 'test' },
    },
    lease: { password: 'target-secret', scheme: { kind: 'env', name: 'API_KEY' } },
    target: { arguments: { read_file: [{ argument: '$.path', as: 'path', root: join(folder, 'workspace') }] } },
  });
});
afterAll(async () => {
  delete process.env['INTERLOCK_TEST_SECRET'];
  await gateway?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  ['2025-11-25', legacyClient],
  ['2026-07-28', modernClient],
] as const)('a client of %s calls it, and it has its own environment only (invariant 7)', async (_version, connect) => {
  await using client = await connect(gateway.url, MCP_TOKEN);
  expect((await client.listTools()).tools.map(({ name }) => name).toSorted()).toEqual(['die', 'environment', 'read_file', 'refund']);
  expect(await client.callTool({ name: 'environment', arguments: {} })).toMatchObject({ content: [{ text: '["API_KEY","MODE"]' }] });
});

test('a server that ends is a refusal, and the next call starts it again', async () => {
  const call = (name: string): ReturnType<typeof modern> => modern(gateway.url, MCP_OTHER, 'tools/call', { name, arguments: {} });
  expect((await call('environment')).body.result).toBeDefined();
  expect((await call('die')).body.error?.data).toMatchObject({ code: 'TARGET_UNREACHABLE' });
  expect((await call('environment')).body.result).toBeDefined();
  await gateway.journal.durable(gateway.journal.append({ type: 'admin.changed', by: 'test', what: 'mark' }));
  const outcomes = gateway.events().flatMap((event) => (event.type === 'statement.finished' ? [event.outcome] : []));
  expect(outcomes).toContain('unknown');
});

test('mcp-26: a link that leads out of its root is not followed', async () => {
  const read = (path: string): ReturnType<typeof modern> => modern(gateway.url, MCP_TOKEN, 'tools/call', { name: 'read_file', arguments: { path } });
  const workspace = join(folder, 'workspace');
  expect((await read(join(workspace, 'notes'))).body.result).toBeDefined();
  expect((await read(join(workspace, 'link'))).body.error?.message).toContain('leads out of');
  expect((await read('link')).body.error?.message).toContain('leads out of');
});

test('a session that ends takes its process along', async () => {
  await using client = await legacyClient(gateway.url, MCP_TOKEN);
  await client.callTool({ name: 'environment', arguments: {} });
  const mine = gateway.enforcer.sessions().at(-1);
  expect(gateway.enforcer.terminate(mine?.session_id ?? '')).toBe(true);
  const answer = await client.callTool({ name: 'environment', arguments: {} }).catch((error: unknown) => error);
  expect(answer).toBeInstanceOf(Error);
});
