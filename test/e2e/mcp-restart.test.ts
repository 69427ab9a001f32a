/** The gateway is killed while calls wait for their verdicts, and while one runs: none is lost, none runs twice (issue 6; I2, I4). */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { begun, modern, type RawAnswer } from '#test/support/mcp-clients';
import { startMcpServer, type TestMcpServer } from '#test/support/mcp-server';
import { approvalOf, legacyCall, startMcpShop, type McpShop } from '#test/support/mcp-shop';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

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
  server.answering = null;
});

const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
/** Of each kind. */
const EACH = 8;

interface Waiting {
  readonly order: number;
  readonly approval: string;
  /** As its client would: with what it was told, in whatever session it has now. */
  comeBack(): Promise<RawAnswer>;
}

let orders = 0;
const asks = (): { order: number; cents: number } => ({ order: ++orders, cents: 500 });

/** A client of the newest protocol: the same call with the state that it was given. */
async function byState(): Promise<Waiting> {
  const args = asks();
  const held = await shop.call(alice, 'refund', args);
  const { requestState } = held.body.result as { requestState: string };
  return { order: args.order, approval: approvalOf(held), comeBack: () => shop.call(alice, 'refund', args, { requestState }) };
}

/** A client of the Tasks extension. */
async function byTask(): Promise<Waiting> {
  const args = asks();
  const held = await shop.call(alice, 'refund', args, {}, TASKS);
  const { taskId } = held.body.result as { taskId: string };
  return { order: args.order, approval: approvalOf(held), comeBack: () => modern(shop.url, alice, 'tasks/get', { taskId }, TASKS) };
}

/** An older client: the same call in a session. */
async function byCalling(session: string): Promise<Waiting> {
  const args = asks();
  const held = await legacyCall(shop.url, alice, session, 'refund', args);
  return {
    order: args.order,
    approval: approvalOf(held),
    comeBack: async () => legacyCall(shop.url, alice, await begun(shop.url, alice), 'refund', args),
  };
}

const timesRun = (order: number): number => server.ran.filter(({ args }) => (args as { order: number }).order === order).length;

test('kill -9 with calls of every kind held: each comes back, and runs exactly once', async () => {
  const session = await begun(shop.url, alice);
  const waiting: Waiting[] = [];
  for (let at = 0; at < EACH; at++) waiting.push(await byState(), await byTask(), await byCalling(session));
  await shop.killed();
  expect(server.ran).toEqual([]);
  const [first, second] = [waiting.slice(0, waiting.length / 2), waiting.slice(waiting.length / 2)];
  for (const { approval } of first) await shop.approve(approval);
  // approved, and not fetched yet: that is not lost either
  await shop.killed();
  for (const { approval } of second) await shop.approve(approval);
  // a client that is not sure comes back twice at the same time
  await Promise.all(waiting.flatMap((one) => [one.comeBack(), one.comeBack()]));
  expect(waiting.map(({ order }) => timesRun(order))).toEqual(waiting.map(() => 1));
  await shop.verified();
});

test('kill -9 while an approved call runs: its end is unknown, and it never runs again', async () => {
  const waiting = [await byState(), await byTask()];
  for (const { approval } of waiting) await shop.approve(approval);
  server.answering = new Promise(() => {});
  const lost = waiting.map((one) => one.comeBack().catch((error: unknown) => error));
  await expect.poll(() => server.ran.length, { timeout: 10_000, interval: 20 }).toBe(waiting.length);
  await shop.killed();
  expect(await Promise.all(lost)).toEqual(lost.map(() => expect.any(Error) as Error));
  server.answering = null;
  const [state, task] = await Promise.all(waiting.map((one) => one.comeBack()));
  expect(state?.body.error).toMatchObject({ data: { code: 'APPROVAL_VOID' }, message: expect.stringContaining('used up') as string });
  expect(task?.body.result).toMatchObject({ status: 'failed', error: { data: { code: 'APPROVAL_VOID' } } });
  expect(waiting.map(({ order }) => timesRun(order))).toEqual([1, 1]);
  const events = await shop.events();
  const used = events.flatMap((event) => (event.type === 'statement.cleared' && event.approval !== undefined ? [event] : []));
  for (const { approval } of waiting) {
    const [cleared] = used.filter((event) => event.approval?.approval_id === approval);
    const ends = events.filter((event) => event.type === 'statement.finished' && event.statement_id === cleared?.statement_id);
    expect(ends).toMatchObject([{ outcome: 'unknown' }]);
  }
  await shop.verified();
});
