/** Random sequences of messages, whole and in pieces: whatever a client sends, nothing denied reaches the target and the session stays in step. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ALLOW } from '#test/support/fake-decisions';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { startTestGateway, TOKEN, type TestGateway } from '#test/support/postgres-gateway';
import { RawClient, say } from '#test/support/raw-postgres';
import { startRelay, type Relay } from '#test/support/relay';

let server: PostgresServer;
let relay: Relay;
let gateway: TestGateway;

beforeAll(async () => {
  server = await startPostgres({ major: 17 });
  relay = await startRelay({ host: server.host, port: server.port });
  gateway = await startTestGateway(server, {
    upstreamPort: relay.port,
    rule: ({ text }) => (text.includes('DENIED') ? { effect: 'deny', code: 'NO', reason: 'not this one' } : ALLOW),
  });
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await relay?.[Symbol.asyncDispose]();
  await server?.stop();
});

const gated = (): Promise<RawClient> => RawClient.login(gateway.port, TOKEN);
const text = fc.constantFrom(
  'SELECT 1',
  "SELECT 'DENIED'",
  'SELECT 1/0',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'SAVEPOINT s',
  'ROLLBACK TO s',
  'SELECT * FROM generate_series(1, 300)',
  'COPY (SELECT 1) TO STDOUT',
  "SET search_path TO public; SELECT 'DENIED'",
  'SET search_path TO public, pg_catalog',
  'DEALLOCATE ALL',
  'DEALLOCATE a',
  '',
  'SELEC 1',
);
const name = fc.constantFrom('', 'a', 'b');
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('query' as const), text }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('parse' as const), name, text }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('bind' as const), portal: name, name }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('execute' as const), portal: name, rows: fc.constantFrom(0, 1, 100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('describe' as const), of: fc.constantFrom('S' as const, 'P' as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const), of: fc.constantFrom('S' as const, 'P' as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('sync' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function bytesOf(one: Step): Buffer {
  switch (one.kind) {
    case 'query':
      return say.query(one.text);
    case 'parse':
      return say.parse(one.name, one.text);
    case 'bind':
      return say.bind(one.portal, one.name);
    case 'execute':
      return say.execute(one.portal, one.rows);
    case 'describe':
      return say.describe(one.of, one.name);
    case 'close':
      return say.close(one.of, one.name);
    case 'flush':
      return say.flush;
    case 'sync':
      return say.sync;
  }
}

/** What the client is told, without what differs from run to run: types of messages, SQLSTATEs, tags, transaction states. */
async function told(open: () => Promise<RawClient>, steps: readonly Step[], cuts: readonly number[]): Promise<string[]> {
  await using client = await open();
  const bytes = Buffer.concat([...steps.map(bytesOf), say.sync, say.query('ROLLBACK'), say.query("SELECT 'the end'")]);
  let from = 0;
  for (const cut of [...cuts.map((one) => one % bytes.length), bytes.length].toSorted((a, b) => a - b)) {
    client.send(bytes.subarray(from, cut));
    from = cut;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const seen: string[] = [];
  for (;;) {
    const answer = await client.next();
    if (answer === null) return [...seen, 'closed'];
    if (answer.type === 'S' || answer.type === 'N') continue;
    const code = answer.type === 'E' ? /\0C(.....)\0/.exec(answer.body.toString('latin1'))?.[1] : undefined;
    const shown = answer.type === 'C' || answer.type === 'Z' ? answer.body.toString('latin1') : (code ?? '');
    seen.push(`${answer.type}${shown}`);
    if (answer.type === 'D' && answer.body.includes('the end')) return seen;
  }
}

test('P9, P11, P12: whatever is sent, in whatever pieces, nothing denied reaches the target and every Sync has its answer', {
  timeout: 60_000,
}, async () => {
  const cuts = fc.array(fc.nat(2_000), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), cuts, async (steps, at) => {
      const seen = await told(gated, steps, at);
      expect(seen.at(-1)).toBe('D');
      expect(relay.reached('DENIED')).toBe(false);
    }),
    { numRuns: 120, seed: 20_261_123 },
  );
});

test('without anything denied the client is told what the target tells it', { timeout: 60_000 }, async () => {
  const harmless = step.filter((one) => !('text' in one) || !/DENIED|SELEC 1|DEALLOCATE a/.test(one.text));
  await fc.assert(
    fc.asyncProperty(fc.array(harmless, { maxLength: 14 }), async (steps) => {
      expect(await told(gated, steps, [])).toEqual(await told(() => RawClient.direct(server), steps, []));
    }),
    { numRuns: 100, seed: 7 },
  );
});

test('invariant 2: everything cleared was finished, once', async () => {
  await expect.poll(() => gateway.enforcer.sessions().length).toBe(0);
  const events = await gateway.events();
  const ids = (type: string): (string | undefined)[] => events.filter((event) => event.type === type).map((event) => event.statement_id);
  expect(ids('statement.finished').length).toBe(ids('statement.cleared').length);
  expect(new Set(ids('statement.finished'))).toEqual(new Set(ids('statement.cleared')));
});
