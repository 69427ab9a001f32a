/** The console's pages over HTTP, from a gateway of its own on a journal of that size. */
import { setTimeout as wait } from 'node:timers/promises';
import { startGateway, type Gateway } from '#test/support/gateway';
import { Random } from '#test/support/random';
import type { SessionPage } from '#schemas/review';
import type { BenchOptions } from './options.ts';
import { quantile } from './pgbench.ts';

const REQUESTS = 200;
const TARGETS = ['shop', 'shop-replica', 'ledger', 'crm', 'warehouse', 'reports'];
const READER = { login: 'olga', groups: ['dba'], scope: 'approve' } as const;

/** @param dir with the journal in `journal` and its projection in `state/projection.sqlite` */
export async function benchPages({ only, report, server }: BenchOptions, dir: string): Promise<void> {
  const { host, port, user, password } = server;
  const began = performance.now();
  await using gateway = await startGateway({ upstream: { host, port, user, password, database: 'postgres' }, dir });
  const token = await gateway.token(READER);
  const ready_s = (performance.now() - began) / 1000;
  await following(gateway, token);
  report({ name: 'console.start', subject: 'interlock', ready_s, following_s: (performance.now() - began) / 1000 });
  for (const [name, path] of Object.entries(await paths(gateway, token))) {
    if (!only.test(name)) continue;
    const random = new Random(7);
    const times = new Float64Array(REQUESTS);
    for (let n = 0; n < REQUESTS; n++) {
      const asked = path(random);
      const at = performance.now();
      await get(gateway, asked, token);
      times[n] = (performance.now() - at) * 1000;
    }
    times.sort();
    const ops_s = 1e6 / (times.reduce((sum, one) => sum + one, 0) / REQUESTS);
    report({
      name,
      subject: 'interlock',
      runs: REQUESTS,
      ops_s,
      p50_us: quantile(times, 0.5),
      p95_us: quantile(times, 0.95),
      p99_us: quantile(times, 0.99),
    });
  }
}

type Path = (random: Random) => string;

async function paths(gateway: Gateway, token: string): Promise<Readonly<Record<string, Path>>> {
  const { items } = (await get(gateway, '/v1/sessions/page?limit=200', token)) as SessionPage;
  const who = (random: Random): string => `user-${random.below(400)}`;
  return {
    'console.inbox': (random) => `/v1/inbox?box=${random.pick(['to_decide', 'asked', 'all'])}`,
    'console.sessions': (random) => random.pick(['/v1/sessions/page', `/v1/sessions/page?who=${who(random)}`, '/v1/sessions/page?state=open']),
    'console.session': (random) => `/v1/sessions/${random.pick(items).session_id}/page`,
    'console.search': (random) =>
      random.pick([
        '/v1/search',
        `/v1/search?who=${who(random)}&target=${random.pick(TARGETS)}`,
        `/v1/search?object=payments&verb=delete&target=${random.pick(TARGETS)}`,
        '/v1/search?q=public.payments+status&effect=allow',
        '/v1/search?effect=deny&since=2026-11-18T00:00:00Z&until=2026-11-19T00:00:00Z',
      ]),
  };
}

async function following(gateway: Gateway, token: string): Promise<void> {
  for (;;) {
    const { projection } = (await get(gateway, '/v1/status', token)) as { projection: { state: string; behind: number } };
    if (projection.state === 'following' && projection.behind === 0) return;
    await wait(100);
  }
}

async function get(gateway: Gateway, path: string, token: string): Promise<unknown> {
  const answer = await fetch(`${gateway.ready.api}${path}`, { headers: { authorization: `Bearer ${token}` } });
  const document: unknown = await answer.json();
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(document)}`);
  return document;
}
