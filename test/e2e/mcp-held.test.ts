/** What 1,000 calls cost that wait for somebody (issue 6): measured in a gateway that is a process of its own, when all of them wait. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { loadConfig } from '#engine/config/load';
import { openTheLocalIssuer } from '#engine/judging';
import { gatewayConfig } from '#test/support/gateway';
import { modern, type RawAnswer } from '#test/support/mcp-clients';
import { startMcpServer } from '#test/support/mcp-server';
import { approvalOf, pinTools } from '#test/support/mcp-shop';
import type { Cost } from '#test/support/measured-gateway';
import { root } from '#test/support/processes';

const CALLS = 1_000;
const MB = 1_048_576;

interface Measured extends AsyncDisposable {
  readonly url: string;
  readonly tokens: readonly string[];
  /** As it is. */
  look(): Promise<Cost>;
  /** After a collection. */
  cost(): Promise<Cost>;
}

/** @param tokens as many principals */
async function startMeasured(server: string, tokens: number): Promise<Measured> {
  const dir = mkdtempSync(join(tmpdir(), 'interlock-mcp-held-'));
  const pins = join(dir, 'tools.lock.json');
  await pinTools(server, pins);
  const tools = { protocol: 'mcp', listen: '127.0.0.1:0', env: 'test', limits: { connections: 100 }, mcp: { url: server, pins, poll: '60s' } };
  const upstream = { host: '127.0.0.1', port: 1, user: 'x', password: 'x', database: 'x' };
  const policies = { dir: join(root, 'test', 'policies', 'tools') };
  const configFile = join(dir, 'interlock.yaml');
  writeFileSync(configFile, JSON.stringify(gatewayConfig({ upstream, policies, config: { targets: { tools } } }, dir)));
  const child = fork(join(root, 'test', 'support', 'measured-gateway.ts'), [configFile], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  const [{ targets }] = (await Promise.race([once(child, 'message'), ended])) as [{ targets: { tools: { address: string } } }];
  const issuer = await openTheLocalIssuer(await loadConfig(configFile), systemClock);
  const mint = async (at: number): Promise<string> =>
    (await issuer.mint({ login: `agent-${at}`, groups: ['support'], type: 'user', scope: 'connect', ttlMs: 3_600_000 })).token;
  const told = async (what: 'look' | 'collect'): Promise<Cost> => {
    const answered = once(child, 'message');
    child.send(what);
    return ((await answered) as [Cost])[0];
  };
  return {
    url: `http://${targets.tools.address}/mcp/tools`,
    tokens: await Promise.all(Array.from({ length: tokens }, (_, at) => mint(at))),
    look: () => told('look'),
    cost: () => told('collect'),
    [Symbol.asyncDispose]: async () => {
      child.disconnect();
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

test('1,000 calls that wait at the same time, requests and all, cost no more than 100 MB and no thread', async () => {
  await using server = await startMcpServer();
  await using gateway = await startMeasured(server.url, 20);
  const { url, tokens } = gateway;
  const refund = (token: string, order: number, more: object = {}): Promise<RawAnswer> =>
    modern(url, token, 'tools/call', { name: 'refund', arguments: { order, cents: 500 }, ...more });
  // everybody has a session, and a request of theirs was held before
  for (const [at, token] of tokens.entries()) approvalOf(await refund(token, 10_000 + at));
  const before = await gateway.cost();
  const calls = Array.from({ length: CALLS }, (_, order) => ({ order, token: tokens[order % tokens.length] as string }));
  const states: { readonly token: string; readonly order: number; readonly requestState: string }[] = [];
  for (let at = 0; at < CALLS; at += tokens.length) {
    const asked = calls.slice(at, at + tokens.length).map(async ({ token, order }) => {
      const { requestState } = (await refund(token, order)).body.result as { requestState: string };
      return { token, order, requestState };
    });
    states.push(...(await Promise.all(asked)));
  }
  const leaving = new AbortController();
  const waiting = states.map(({ token, order, requestState }) =>
    modern(url, token, 'tools/call', { name: 'refund', arguments: { order, cents: 500 }, requestState }, {}, leaving.signal).then(
      () => 'answered',
      () => 'left',
    ),
  );
  expect(before.waits).toBeLessThan(10);
  await expect.poll(async () => (await gateway.look()).waits, { timeout: 30_000, interval: 100 }).toBeGreaterThanOrEqual(CALLS);
  const held = await gateway.cost();
  const grown = { heapMb: (held.heap - before.heap) / MB, rssMb: (held.rss - before.rss) / MB };
  if (process.env['INTERLOCK_FIGURES']) process.stdout.write(`${JSON.stringify({ before, held, grown })}\n`);
  expect(grown.heapMb).toBeLessThan(100);
  expect(grown.rssMb).toBeLessThan(100);
  expect(held.threads).toBe(before.threads);
  leaving.abort();
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['left']));
  expect(server.ran).toEqual([]);
}, 90_000);
