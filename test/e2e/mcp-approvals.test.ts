/** Calls that need a verdict, at the MCP enforcer, with the real approvals and a real server (issue 6: an agent does not hang, and is carried out once). */
import { rmSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import type { ApprovalBook } from '#engine/approvals/approvals';
import type { ApprovalView } from '#schemas/approval';
import { requirement } from '#test/support/approvals';
import { begun, legacyClient, modern, modernClient, raw, type RawAnswer } from '#test/support/mcp-clients';
import type { McpRule } from '#test/support/mcp-decisions';
import { MCP_OTHER, MCP_TOKEN, startMcpGateway, type McpGateway } from '#test/support/mcp-gateway';
import { startMcpServer, type TestMcpServer } from '#test/support/mcp-server';
import { MemoryJournal } from '#test/support/memory-journal';
import { openBook, openedIn, ritaSays } from '#test/support/reviewed-book';

let server: TestMcpServer;
let gateway: McpGateway;
let book: ApprovalBook;
let journal: MemoryJournal;

const asks = requirement();
const rule: McpRule = ({ facts, moment }) => {
  if (facts.method !== 'tools/call' || facts.tool?.name !== 'refund') return { effect: 'allow' };
  return moment.approval?.requirement === asks.digest ? { effect: 'allow' } : { effect: 'require_approval', requirement: asks };
};

async function start(dir?: string): Promise<void> {
  gateway = await startMcpGateway({
    upstream: { kind: 'http', url: server.url },
    rule,
    journal,
    target: { pollMs: 3_000 },
    ...(dir === undefined ? {} : { dir }),
    approvals: async () => (book = await openBook(journal)),
  });
}

beforeAll(async () => {
  server = await startMcpServer();
  journal = new MemoryJournal(systemClock);
  await start();
});
afterAll(async () => {
  book?.close();
  await gateway?.[Symbol.asyncDispose]();
  // the one that was started again in its folder leaves it
  if (gateway) rmSync(gateway.dir, { recursive: true, force: true });
  await server?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  server.ran.length = 0;
});

let orders = 0;
const fresh = (): { order: number; cents: number } => ({ order: ++orders, cents: 500 });
const verdict = (id: string, outcome: 'approve' | 'deny', comment?: string): Promise<ApprovalView> => ritaSays(book, id, outcome, comment);

const opened = (order: number): Promise<ApprovalView> => openedIn(book, `"order":${order},`);
const refund = (args: object, more: object = {}, capabilities: object = {}): Promise<RawAnswer> =>
  modern(gateway.url, MCP_TOKEN, 'tools/call', { name: 'refund', arguments: args, ...more }, capabilities);

test('an older client is told "pending" at once, calls again after the verdict, and it runs once', async () => {
  await using client = await legacyClient(gateway.url, MCP_TOKEN);
  const args = fresh();
  const pending = await client.callTool({ name: 'refund', arguments: args });
  const request = await opened(args.order);
  expect(pending).toMatchObject({
    content: [{ type: 'text', text: expect.stringContaining(`PENDING`) }],
    _meta: { 'dev.interlock/approval': { id: request.approval_id } },
  });
  const text = (pending.content as { text: string }[])[0]?.text ?? '';
  expect(text).toContain('group owners may decide until');
  expect(text).toContain('exactly the same arguments');
  expect(await client.callTool({ name: 'refund', arguments: args })).toMatchObject({
    _meta: { 'dev.interlock/approval': { id: request.approval_id } },
  });
  expect(server.ran).toEqual([]);
  await verdict(request.approval_id, 'approve');
  expect(await client.callTool({ name: 'refund', arguments: args })).toMatchObject({ content: [{ text: `refunded 500 of ${args.order}` }] });
  expect(server.ran).toEqual([{ tool: 'refund', args }]);
  // another one of the same is another request
  const third = await client.callTool({ name: 'refund', arguments: args });
  expect((third._meta as Record<string, { id: string }>)['dev.interlock/approval']?.id).not.toBe(request.approval_id);
  expect(server.ran).toHaveLength(1);
});

test('asked again after a denial, an older client is told the verdict and the reviewer’s words', async () => {
  await using client = await legacyClient(gateway.url, MCP_TOKEN);
  const args = fresh();
  await client.callTool({ name: 'refund', arguments: args });
  await verdict((await opened(args.order)).approval_id, 'deny', 'ask the customer first');
  const again = await client.callTool({ name: 'refund', arguments: args }).catch((error: unknown) => error);
  expect(again).toMatchObject({ code: -31_403, data: { code: 'APPROVAL_DENIED' } });
  expect(String((again as Error).message)).toContain('ask the customer first');
  expect(server.ran).toEqual([]);
});

test('the reference client of 2026-07-28 completes a held call by itself, once', async () => {
  await using client = await modernClient(gateway.url, MCP_TOKEN);
  const args = fresh();
  const running = client.callTool({ name: 'refund', arguments: args });
  const request = await opened(args.order);
  expect(server.ran).toEqual([]);
  await verdict(request.approval_id, 'approve');
  expect(await running).toMatchObject({ content: [{ text: `refunded 500 of ${args.order}` }] });
  expect(server.ran).toEqual([{ tool: 'refund', args }]);
});

test('a state is bound to its principal and its call, and one that was changed is refused', async () => {
  const args = fresh();
  const held = await refund(args);
  const requestState = String(held.body.result?.['requestState']);
  expect(held.body.result).toMatchObject({ resultType: 'input_required' });
  expect(requestState).not.toContain('apr_');
  await verdict((await opened(args.order)).approval_id, 'approve');
  const foreign = await modern(gateway.url, MCP_OTHER, 'tools/call', { name: 'refund', arguments: args, requestState });
  const other = await refund({ ...args, cents: 501 }, { requestState });
  const middle = Math.floor(requestState.length / 2);
  const changed = await refund(args, {
    requestState: requestState.slice(0, middle) + (requestState[middle] === 'A' ? 'B' : 'A') + requestState.slice(middle + 1),
  });
  for (const answer of [foreign, other, changed]) expect(answer.body.error?.message).toContain('requestState is not one');
  expect(server.ran).toEqual([]);
  expect((await refund(args, { requestState })).body.result).toMatchObject({ resultType: 'complete' });
});

test('however often a state is handed back, also at the same time, the call runs once and its answer is told again', async () => {
  const args = fresh();
  const requestState = String((await refund(args)).body.result?.['requestState']);
  const tries = Array.from({ length: 8 }, () => refund(args, { requestState }));
  await verdict((await opened(args.order)).approval_id, 'approve');
  for (const answer of await Promise.all(tries)) expect(answer.body.result).toMatchObject({ content: [{ text: `refunded 500 of ${args.order}` }] });
  expect((await refund(args, { requestState })).body.result).toMatchObject({ content: [{ text: `refunded 500 of ${args.order}` }] });
  expect(server.ran).toEqual([{ tool: 'refund', args }]);
});

test('a denial ends a wait with the reviewer’s words', async () => {
  const args = fresh();
  const requestState = String((await refund(args)).body.result?.['requestState']);
  const waiting = refund(args, { requestState });
  await verdict((await opened(args.order)).approval_id, 'deny', 'too much');
  expect((await waiting).body.error).toMatchObject({ message: 'denied by a reviewer: too much', data: { code: 'APPROVAL_DENIED' } });
});

test('a wait that is long is answered with the same question, and no request hangs', async () => {
  const args = fresh();
  const requestState = String((await refund(args)).body.result?.['requestState']);
  const again = await refund(args, { requestState });
  expect(again.body.result).toMatchObject({ resultType: 'input_required' });
  expect(book.list({ state: 'open' }).filter((one) => one.payload_text.includes(`"order":${args.order},`))).toHaveLength(1);
});

test('a client that waits by itself is told in words after three rounds, and may come back without the state', async () => {
  const approvals = (): Promise<ApprovalBook> => Promise.resolve(book);
  await using quick = await startMcpGateway({ upstream: { kind: 'http', url: server.url }, rule, journal, target: { pollMs: 300 }, approvals });
  await using client = await modernClient(quick.url, MCP_TOKEN);
  const args = fresh();
  const pending = await client.callTool({ name: 'refund', arguments: args });
  const request = await opened(args.order);
  expect(pending).toMatchObject({
    content: [
      {
        type: 'text',
        text: expect.stringContaining(`PENDING: this call needs approval and has not been carried out. Approval ${request.approval_id}`),
      },
    ],
  });
  expect(server.ran).toEqual([]);
  await verdict(request.approval_id, 'approve');
  expect(await client.callTool({ name: 'refund', arguments: args })).toMatchObject({ content: [{ text: `refunded 500 of ${args.order}` }] });
  expect(server.ran).toEqual([{ tool: 'refund', args }]);
});

test('the human at a client that can be told is pointed to the page, and may take the call back', async () => {
  const args = fresh();
  const held = await refund(args, {}, { elicitation: { url: {} } });
  const { inputRequests, requestState } = held.body.result as { inputRequests: Record<string, { params: { url: string } }>; requestState: string };
  const request = await opened(args.order);
  expect(inputRequests['interlock_approval']).toMatchObject({
    method: 'elicitation/create',
    params: { mode: 'url', url: expect.stringContaining(request.approval_id) },
  });
  const taken = await refund(args, { requestState, inputResponses: { interlock_approval: { action: 'decline' } } });
  expect(taken.body.error?.data).toMatchObject({ code: 'CANCELLED' });
  expect(book.list({ state: 'cancelled' }).map(({ approval_id }) => approval_id)).toContain(request.approval_id);
});

const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } };

test('a client of the Tasks extension gets a task, polls it, and reads its result as often as it likes', async () => {
  const args = fresh();
  const made = (await refund(args, {}, tasks)).body.result as { resultType: string; taskId: string; status: string; pollIntervalMs: number };
  expect(made).toMatchObject({ resultType: 'task', status: 'working', ttlMs: 86_400_000 });
  const get = (): Promise<RawAnswer> => modern(gateway.url, MCP_TOKEN, 'tasks/get', { taskId: made.taskId }, tasks);
  expect((await get()).body.result).toMatchObject({ resultType: 'complete', status: 'working' });
  expect((await modern(gateway.url, MCP_OTHER, 'tasks/get', { taskId: made.taskId }, tasks)).body.error).toMatchObject({ code: -32_602 });
  await verdict((await opened(args.order)).approval_id, 'approve');
  for (const answer of await Promise.all([get(), get(), get()])) {
    expect(answer.body.result).toMatchObject({ status: 'completed', result: { content: [{ text: `refunded 500 of ${args.order}` }] } });
  }
  expect(server.ran).toEqual([{ tool: 'refund', args }]);
});

test('a task can be cancelled, and then never runs', async () => {
  const args = fresh();
  const { taskId } = (await refund(args, {}, tasks)).body.result as { taskId: string };
  const request = await opened(args.order);
  expect((await modern(gateway.url, MCP_TOKEN, 'tasks/cancel', { taskId }, tasks)).body.result).toMatchObject({ resultType: 'complete' });
  expect(book.list({ state: 'cancelled' }).map(({ approval_id }) => approval_id)).toContain(request.approval_id);
  expect((await modern(gateway.url, MCP_TOKEN, 'tasks/get', { taskId }, tasks)).body.result).toMatchObject({ status: 'cancelled' });
  expect(server.ran).toEqual([]);
});

test('a gateway that starts anew in the middle loses none: states, tasks and older clients go on', async () => {
  const [one, two, three] = [fresh(), fresh(), fresh()];
  const requestState = String((await refund(one)).body.result?.['requestState']);
  const { taskId } = (await refund(two, {}, tasks)).body.result as { taskId: string };
  const body = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'refund', arguments: three } };
  await raw(gateway.url, MCP_TOKEN, body, { 'mcp-session-id': await begun(gateway.url, MCP_TOKEN) });
  for (const args of [one, two, three]) await opened(args.order);
  const { dir } = gateway;
  book.close();
  await gateway.enforcer.close();
  await start(dir);
  for (const args of [one, two, three]) await verdict((await opened(args.order)).approval_id, 'approve');
  expect((await refund(one, { requestState })).body.result).toMatchObject({ content: [{ text: `refunded 500 of ${one.order}` }] });
  expect((await modern(gateway.url, MCP_TOKEN, 'tasks/get', { taskId }, tasks)).body.result).toMatchObject({ status: 'completed' });
  const again = await raw(gateway.url, MCP_TOKEN, body, { 'mcp-session-id': await begun(gateway.url, MCP_TOKEN) });
  expect(again.body.result).toMatchObject({ content: [{ text: `refunded 500 of ${three.order}` }] });
  expect(server.ran.map(({ args }) => args)).toEqual([one, two, three]);
});

const python = process.env['INTERLOCK_PYTHON'] ?? 'python3';
const hasPython = spawnSync(python, ['-c', 'import mcp, httpx2; assert mcp.client.Client']).status === 0;

test.skipIf(!hasPython).each(['2026-07-28', 'legacy'])(
  'the reference client in Python (mode %s) completes a held call, once',
  async (mode) => {
    const { order } = fresh();
    const program = join(import.meta.dirname, '..', 'support', 'mcp-client.py');
    const client = spawn(python, [program, gateway.url, MCP_TOKEN, mode, String(order)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines: string[] = [];
    createInterface({ input: client.stdout }).on('line', (line) => lines.push(line));
    const request = await opened(order);
    if (mode === 'legacy') await expect.poll(() => lines.at(-1), { timeout: 5_000 }).toContain(`Approval ${request.approval_id}`);
    expect(server.ran).toEqual([]);
    await verdict(request.approval_id, 'approve');
    client.stdin.end('decided\n');
    await once(client, 'exit');
    expect(lines.at(-1)).toBe(`refunded 500 of ${order}`);
    expect(server.ran).toEqual([{ tool: 'refund', args: { order, cents: 500 } }]);
  },
  30_000,
);
