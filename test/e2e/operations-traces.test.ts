/** Traces: one tree of spans for each statement, in its caller's trace, and nothing of what it says (issue 5, Operations; I5, I7). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { alice, startShop, type Shop } from '#test/support/approval-shop';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '#test/support/otlp-receiver';

const CANARY = 'canary_078051120';
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

let receiver: OtlpReceiver;
let shop: Shop;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  process.env['TRACE_TOKEN'] = 'Bearer trace-secret-4711';
  shop = await startShop({ config: { operations: { traces: { url: receiver.url, headers: { authorization: { env: 'TRACE_TOKEN' } } } } } });
});
afterAll(async () => {
  await shop[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

/** The tree of a trace, once all of it has arrived. */
async function tree(traceId: string, names: readonly string[]): Promise<{ root: ReceivedSpan; children: readonly ReceivedSpan[] }> {
  const of = (): readonly ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId);
  await expect
    .poll(
      () =>
        of()
          .map(({ name }) => name)
          .toSorted(),
      { timeout: 15_000 },
    )
    .toEqual(['statement', ...names].toSorted());
  const root = of().find(({ name }) => name === 'statement') as ReceivedSpan;
  const children = of().filter((span) => span !== root);
  for (const child of children) {
    expect(child.parentSpanId).toBe(root.spanId);
    expect(BigInt(child.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(root.startTimeUnixNano));
    expect(BigInt(child.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(root.endTimeUnixNano));
    expect(BigInt(child.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(child.startTimeUnixNano));
  }
  return { root, children };
}

test('a statement with a `traceparent` is a child of its caller’s span; its events carry the trace', async () => {
  const client = await shop.client();
  await client.query(`SELECT '${CANARY}' AS x /*application='${CANARY}',traceparent='00-${TRACE}-${PARENT}-01'*/`);
  const { root, children } = await tree(TRACE, ['decide', 'durable', 'execute']);
  expect(root).toMatchObject({ parentSpanId: PARENT, attributes: { 'interlock.target': 'shop', 'interlock.outcome': 'ok' } });
  expect(children.find(({ name }) => name === 'decide')?.attributes).toMatchObject({ 'interlock.effect': 'allow' });
  const events = (await shop.events()).filter(({ statement_id }) => statement_id === root.attributes['interlock.statement_id']);
  expect(events.map(({ type, trace_id }) => [type, trace_id])).toEqual(
    ['statement.received', 'statement.decided', 'statement.cleared', 'statement.finished'].map((type) => [type, TRACE]),
  );
  await client.end();
});

test('each statement has a trace of its own; a refusal and a hold have their spans', async () => {
  const client = await shop.client();
  await client.query(`SELECT 2`);
  await expect(client.query(`DROP TABLE payments /* ${CANARY} */`)).rejects.toThrow();
  const held = client.query(`UPDATE payments SET n = n + 1, note = '${CANARY}' WHERE id = 2`);
  const request = await shop.opened('WHERE id = 2');
  await shop.verdict(request.approval_id, 'approve');
  await held;
  await client.end();
  const events = (await shop.events()).filter(({ type }) => type === 'statement.received').slice(-3);
  const traces = events.map(({ trace_id = '' }) => trace_id);
  expect(new Set(traces).size).toBe(3);
  for (const trace of traces) expect(trace).toMatch(/^[0-9a-f]{32}$/);
  await tree(traces[0] as string, ['decide', 'durable', 'execute']);
  const refused = await tree(traces[1] as string, ['decide']);
  expect(refused.root.attributes).toMatchObject({ 'interlock.refused': 'POLICY', 'interlock.refused_by': 'policy' });
  const hold = await tree(traces[2] as string, ['decide', 'hold', 'decide', 'durable', 'execute']);
  expect(hold.children.find(({ name }) => name === 'hold')?.attributes).toEqual({ 'interlock.approval_id': request.approval_id });
});

test('a caller that does not trace is not traced; the record still names its trace', async () => {
  const trace = 'ffffffffffffffff0000000000000001';
  const client = await shop.client();
  await client.query(`SELECT 3 /*traceparent='00-${trace}-${PARENT}-00'*/`);
  await client.query('SELECT 4');
  await client.end();
  const events = (await shop.events()).filter(({ type }) => type === 'statement.received').slice(-2);
  expect(events[0]?.trace_id).toBe(trace);
  await tree(events[1]?.trace_id ?? '', ['decide', 'durable', 'execute']); // sent after it
  expect(receiver.spans.some(({ traceId }) => traceId === trace)).toBe(false);
});

test('I5, I7: no text, no login, no password left the machine; the header did, and stands in no log', async () => {
  expect(receiver.raw()).toContain('trace-secret-4711');
  expect(receiver.raw()).not.toContain(CANARY);
  expect(receiver.raw()).not.toContain(shop.server.password);
  expect(receiver.raw()).not.toMatch(/alice|SELECT|UPDATE/);
  expect(shop.gateway.log()).not.toContain('trace-secret-4711');
  const { stdout, code } = await shop.gateway.interlock(
    'audit',
    'verify',
    '--dir',
    shop.gateway.ready.journal,
    '--key',
    shop.gateway.ready.public_key,
    '--json',
  );
  expect({ code, problems: (JSON.parse(stdout) as { problems: unknown }).problems }).toEqual({ code: 0, problems: [] });
  await expect
    .poll(async () => await (await fetch(new URL('/metrics', shop.gateway.ready.api))).text())
    .toMatch(/interlock_spans_total\{spans="exported"\} [1-9]/);
  expect(alice.login).toBe('alice');
});
