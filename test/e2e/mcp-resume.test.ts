/** A stream that ends before its answer is taken up again (2025-11-25, SEP-1699), by the session that it belongs to and by nobody else. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { begun, raw } from '#test/support/mcp-clients';
import { MCP_OTHER, MCP_TOKEN, startMcpGateway, type McpGateway } from '#test/support/mcp-gateway';
import type { McpRule } from '#test/support/mcp-decisions';

/** Answers each call on the stream that is taken up from its event, whoever asks: as servers do that keep events for all their sessions in one place. */
const calls = new Map<string, number>();
const resumed: (string | undefined)[] = [];
const TOOL = { name: 'slow', description: 'Takes its time.', inputSchema: { type: 'object' } };
const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () =>
    answer(request.method ?? '', request.headers['last-event-id'] as string | undefined, Buffer.concat(parts).toString(), response),
  );
});

function answer(method: string, lastEventId: string | undefined, body: string, response: ServerResponse): void {
  const json = (status: number, message: object): void =>
    void response.writeHead(status, { 'content-type': 'application/json', 'mcp-session-id': 'one' }).end(JSON.stringify(message));
  if (method === 'GET') {
    resumed.push(lastEventId);
    const id = lastEventId === undefined ? undefined : calls.get(lastEventId);
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    if (id !== undefined)
      response.end(
        `id: ${lastEventId}-end\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: `of ${lastEventId}` }] } })}\n\n`,
      );
    return;
  }
  if (method !== 'POST') return void response.writeHead(204).end();
  const { id, method: asked = '' } = JSON.parse(body) as { id?: number; method?: string };
  if (id === undefined) return void response.writeHead(202).end();
  if (asked === 'server/discover') return json(400, { jsonrpc: '2.0', id, error: { code: -32_601, message: 'no' } });
  if (asked === 'initialize')
    return json(200, {
      jsonrpc: '2.0',
      id,
      result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } },
    });
  if (asked === 'tools/list') return json(200, { jsonrpc: '2.0', id, result: { tools: [TOOL] } });
  const event = `event-${calls.size + 1}`;
  calls.set(event, id);
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`id: ${event}\nretry: 10\ndata: \n\n`);
}

let gateway: McpGateway;
let masks = false;
const rule: McpRule = ({ facts }) =>
  masks && facts.method === 'tools/call' ? { effect: 'mask', paths: { '$..ssn': { using: 'redact' } } } : { effect: 'allow' };

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  gateway = await startMcpGateway({ upstream: { kind: 'http', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` }, rule });
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  resumed.length = 0;
  masks = false;
});

const CALL = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'slow', arguments: {} } };
const stream = async (token: string, session: string, lastEventId: string): Promise<Response> =>
  await fetch(gateway.url, {
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream', 'mcp-session-id': session, 'last-event-id': lastEventId },
    signal: AbortSignal.timeout(5_000),
  });

/** A call whose stream ended with nothing but the place to take it up from. */
async function left(token: string): Promise<{ readonly session: string; readonly event: string }> {
  const session = await begun(gateway.url, token);
  const { text } = await raw(gateway.url, token, CALL, { 'mcp-session-id': session });
  const event = /^id: (\S+)$/m.exec(text)?.[1] ?? '';
  expect(text).not.toContain('"result"');
  expect(event).toMatch(/^event-\d+$/);
  return { session, event };
}

test('the answer comes on the stream that is taken up with its event, under the client’s own id', async () => {
  const { session, event } = await left(MCP_TOKEN);
  const text = await (await stream(MCP_TOKEN, session, event)).text();
  expect(resumed).toEqual([event]);
  expect(text).toContain(`"id":7,"result":{"content":[{"type":"text","text":"of ${event}"}]`);
});

test('an event that was told to another session goes nowhere: nobody takes up what somebody else was told', async () => {
  const alice = await left(MCP_TOKEN);
  const bob = await left(MCP_OTHER);
  const own = await stream(MCP_OTHER, bob.session, alice.event);
  await expect.poll(() => resumed).toEqual([undefined]);
  await own.body?.cancel();
  expect((await stream(MCP_OTHER, alice.session, alice.event)).status).toBe(404);
  for (const forged of ['event-1', '*', `${alice.event}-end`, alice.event.toUpperCase()]) {
    const answered = await stream(MCP_OTHER, bob.session, forged);
    await answered.body?.cancel();
  }
  await expect.poll(() => resumed.length).toBe(5);
  expect(new Set(resumed)).toEqual(new Set([undefined]));
  expect(await (await stream(MCP_OTHER, bob.session, bob.event)).text()).toContain(`of ${bob.event}`);
});

test('I5: of a masked call there is no event to take up', async () => {
  masks = true;
  const session = await begun(gateway.url, MCP_TOKEN);
  const before = calls.size;
  const leaving = new AbortController();
  const asked = raw(gateway.url, MCP_TOKEN, CALL, { 'mcp-session-id': session }, leaving.signal).then(
    ({ text }) => text,
    () => '',
  );
  await expect.poll(() => calls.size).toBe(before + 1);
  leaving.abort();
  expect(await asked).not.toContain('event-');
});
