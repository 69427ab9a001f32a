/** The projection at the size that it is built for: how fast it is made anew, and how fast lists and search answer from it. */
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { silentLog } from '#client/log';
import { Follower } from '#engine/journal/projection/follower';
import { openProjection } from '#engine/journal/projection/live';
import type { Access, Projection, StatementQuery } from '#engine/journal/projection/projection';
import { makeJournal, type MadeJournal } from '#test/support/journal-maker';
import { Random } from '#test/support/random';
import type { BenchOptions } from './options.ts';
import { quantile } from './pgbench.ts';
import { benchPages } from './run-pages.ts';

const SEED = 7;
const FULL = { sessions: 100_000, statements: 1_000_000, requests: 10_000 } as const;
const QUERIES = 200;
const PAGE = 50;

export async function benchProjection(options: BenchOptions): Promise<void> {
  const { only } = options;
  if (!['projection.rebuild', 'projection.search', 'console.search'].some((name) => only.test(name))) return;
  const dir = mkdtempSync(join(options.journals.disk, 'projection-'));
  try {
    mkdirSync(join(dir, 'state'), { mode: 0o700 });
    const made = await makeJournal(join(dir, 'journal'), sized(options.scale));
    const last = await rebuild(options, dir);
    await queries(options, dir, last, made);
    if (only.test('console.search')) await benchPages(options, dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Where a gateway of that folder would have it. */
function fileIn(dir: string): string {
  return join(dir, 'state', 'projection.sqlite');
}

export function sized(scale: number): Parameters<typeof makeJournal>[1] {
  const { sessions, statements, requests } = FULL;
  return { seed: SEED, sessions: Math.ceil(sessions * scale), statements: Math.ceil(statements * scale), requests: Math.ceil(requests * scale) };
}

/** As `interlock projection rebuild` does. Answers the position of the journal's last record. */
async function rebuild({ report }: BenchOptions, dir: string): Promise<number> {
  const file = fileIn(dir);
  await using follower = new Follower({ file, dir: join(dir, 'journal') });
  const started = performance.now();
  await follower.open('asked');
  let events = 0;
  for (let done = false; !done; ) {
    const caught = await follower.next(Number.MAX_SAFE_INTEGER);
    events += caught.events;
    ({ done } = caught);
  }
  follower.checkpoint();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage();
  const file_mb = statSync(file).size / 1e6;
  report({ name: 'projection.rebuild', subject: 'interlock', events, seconds, ops_s: events / seconds, cpu_s: (user + system) / 1e6, file_mb });
  return follower.position;
}

async function queries({ only, report }: BenchOptions, dir: string, last: number, made: MadeJournal): Promise<void> {
  const journal = { dir: join(dir, 'journal'), durablePosition: last };
  const projection = openProjection({ file: fileIn(dir), journal, log: silentLog });
  while (projection.status().state !== 'following') await wait(20);
  for (const [name, ask] of Object.entries(asks(projection, made))) {
    if (!only.test(name)) continue;
    const times = new Float64Array(QUERIES);
    const random = new Random(SEED);
    let found = 0;
    for (let n = 0; n < QUERIES; n++) {
      const began = performance.now();
      found += await ask(random, n);
      times[n] = (performance.now() - began) * 1000;
    }
    times.sort();
    const [p50_us, p95_us, p99_us] = [quantile(times, 0.5), quantile(times, 0.95), quantile(times, 0.99)];
    report({ name, subject: 'interlock', runs: QUERIES, ops_s: 1e6 / mean(times), p50_us, p95_us, p99_us, found: found / QUERIES });
  }
  await projection.close();
}

type Ask = (random: Random, n: number) => Promise<number>;

const EVERYTHING: Access = { all: true };
const TARGETS = ['shop', 'shop-replica', 'ledger', 'crm', 'warehouse', 'reports'];
const OBJECTS = ['payments', 'public.payments', 'billing.orders', 'archive.refunds', 'customers', 'audit_log', 'stock'];
const CODES = ['READ', 'PII_MASKED', 'DEFAULT_DENY', 'DELETE_WITHOUT_WHERE', 'WRITE_NEEDS_APPROVAL', 'APPROVAL_DENIED'];
const WORDS = ['payments', 'public.payments status', 'void', 'case 4711', 'customer_id new', 'pay*', 'update done', 'refunds count'];

/** What a human asks: each page of the console, each filter of the search alone, and several together. */
function asks(projection: Projection, made: MadeJournal): Readonly<Record<string, Ask>> {
  const who = (random: Random): string => `user-${random.below(400)}`;
  const own = (random: Random): Access => ({ all: false, subjects: [`iss|${who(random)}`] });
  const search = async (query: Partial<StatementQuery>): Promise<number> =>
    (await projection.search({ access: EVERYTHING, limit: PAGE, ...query })).items.length;
  const day = (random: Random): { since: string; until: string } => {
    const from = Date.parse(made.start) + random.below(6) * 86_400_000;
    return { since: new Date(from).toISOString(), until: new Date(from + 86_400_000).toISOString() };
  };
  const filters: Readonly<Record<string, (random: Random) => Partial<StatementQuery>>> = {
    plain: () => ({}),
    who: (random) => ({ who: who(random) }),
    target: (random) => ({ target: random.pick(TARGETS) }),
    object: (random) => ({ object: random.pick(OBJECTS) }),
    deletes: (random) => ({ object: random.pick(OBJECTS), verb: 'delete', ...day(random) }),
    effect: (random) => ({ effect: random.pick(['allow', 'mask', 'deny', 'require_approval']), target: random.pick(TARGETS) }),
    code: (random) => ({ code: random.pick(CODES) }),
    outcome: (random) => ({ outcome: random.pick(['ok', 'error', 'refused', 'held']) }),
    nothing: (random) => ({ effect: 'deny', outcome: 'ok', target: random.pick(TARGETS) }),
    text: (random) => ({ q: random.pick(WORDS) }),
    time: (random) => day(random),
    all: (random) => ({ who: who(random), target: random.pick(TARGETS), object: random.pick(OBJECTS), q: random.pick(WORDS), ...day(random) }),
    own: (random) => ({ access: own(random) }),
    own_text: (random) => ({ access: own(random), q: random.pick(WORDS) }),
  };
  const kinds = Object.values(filters);
  return {
    'projection.sessions': async (random, n) => {
      const given = [{}, { state: 'open' as const }, { target: random.pick(TARGETS) }, { who: who(random) }, day(random), { access: own(random) }];
      return (await projection.sessions({ access: EVERYTHING, limit: PAGE, ...given[n % given.length] })).items.length;
    },
    'projection.session': async (random) => {
      const { items } = await projection.sessions({ access: EVERYTHING, limit: PAGE, who: who(random) });
      return (await projection.timeline({ session_id: items[0]?.session_id ?? '', access: EVERYTHING, limit: 200 })).items.length;
    },
    'projection.request': async (random) => {
      const { items } = await projection.search({ access: EVERYTHING, limit: PAGE, code: 'WRITE_NEEDS_APPROVAL', target: random.pick(TARGETS) });
      const { session_id, statement_id, approval_id = '' } = random.pick(items);
      const [before, like] = await Promise.all([
        projection.sessionSoFar({ session_id, before: statement_id, limit: 50 }),
        projection.earlierLike({ approval_id, limit: 10, access: EVERYTHING }),
      ]);
      return before.length + like.length;
    },
    'projection.search': async (random, n) => await search(kinds[n % kinds.length]?.(random) ?? {}),
    ...Object.fromEntries(
      Object.entries(filters).map(([kind, of]): [string, Ask] => [`projection.search.${kind}`, async (random) => await search(of(random))]),
    ),
  };
}

function mean(times: Float64Array): number {
  return times.reduce((sum, one) => sum + one, 0) / times.length;
}
