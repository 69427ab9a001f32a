/** In one process: reading facts, judging, appending. Microseconds; each figure beside the number of runs behind it. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#client/clock';
import type { Statement } from '#client/decision-service';
import { PostgresFacts } from '#engine/facts/postgres/reader';
import { openJournal } from '#engine/journal/file-journal';
import { MOMENT, openBenchDecisions, SETTINGS } from './decisions.ts';
import { fdatasync } from './fdatasync.ts';
import { quantile } from './pgbench.ts';
import type { BenchOptions } from './options.ts';

const WARM_RUNS = 2_000;
const RUNS = 20_000;

export async function benchMicro(options: BenchOptions): Promise<void> {
  await benchFacts(options);
  await benchDecide(options);
  await benchJournal(options);
}

const TEXTS = {
  'facts.short': (n: number): string => `SELECT id, item FROM orders WHERE id = ${n}`,
  'facts.medium': (n: number): string =>
    `WITH recent AS (SELECT o.id, o.customer_id, sum(p.amount) AS total FROM orders o JOIN payments p ON p.order_id = o.id WHERE p.created_at > now() - interval '7 days' GROUP BY 1, 2)
     SELECT c.name, r.total, lower(c.email) FROM recent r JOIN customers c ON c.id = r.customer_id WHERE r.total > ${n} AND c.status IN ('a', 'b') ORDER BY r.total DESC LIMIT 50`,
  'facts.10k': (n: number): string => `SELECT id FROM orders WHERE id IN (${Array.from({ length: 1900 }, (_, index) => index + n).join(', ')})`,
} as const;

async function benchFacts({ only, report }: BenchOptions): Promise<void> {
  const facts = new PostgresFacts({ majors: [15] });
  const context = { major: 15, database: 'shop', settings: SETTINGS, catalog: null };
  for (const [name, text] of Object.entries(TEXTS)) {
    if (!only.test(name)) continue;
    const runs = name === 'facts.10k' ? 300 : RUNS;
    const times = await timed(runs, (n) => facts.read(Buffer.from(text(n)), context));
    report({ name, subject: 'interlock', runs, p50_us: quantile(times, 0.5), p99_us: quantile(times, 0.99) });
  }
  await facts.close();
}

/** A pack of five packages. Cold: each statement's facts are new to the cache, and already read. */
async function benchDecide({ only, report }: BenchOptions): Promise<void> {
  if (!only.test('decide.cached') && !only.test('decide.cold')) return;
  const { facts, service, session } = await openBenchDecisions();
  const known = session.read(Buffer.from(TEXTS['facts.short'](1)), SETTINGS) as Statement;
  const cached = await timed(RUNS, () => session.decide(known, MOMENT));
  report({ name: 'decide.cached', subject: 'interlock', runs: RUNS, p50_us: quantile(cached, 0.5), p99_us: quantile(cached, 0.99) });
  const fresh = Array.from({ length: WARM_RUNS * 3 }, (_, n) =>
    session.read(Buffer.from(`SELECT id, item_${n} FROM orders_${n} WHERE id = 1`), SETTINGS),
  );
  const cold = await timed(WARM_RUNS * 2, (n) => session.decide(fresh[n % fresh.length] as Statement, MOMENT), WARM_RUNS);
  report({ name: 'decide.cold', subject: 'interlock', runs: WARM_RUNS * 2, p50_us: quantile(cold, 0.5), p99_us: quantile(cold, 0.99) });
  service.close();
  await facts.close();
}

async function benchJournal({ only, journals, report }: BenchOptions): Promise<void> {
  if (!only.test('journal.append')) return;
  for (const journal of ['ram', 'disk'] as const) {
    for (const writers of [1, 64, 512]) {
      const dir = mkdtempSync(join(journals[journal], 'interlock-append-'));
      // just before: a disk that others use is another one a minute later
      const sync = journal === 'disk' ? fdatasync(journals.disk) : null;
      const checkpoint = { everyMs: 1000, key: generateKeyPairSync('ed25519').privateKey, origin: 'bench' };
      const opened = await openJournal({ dir, segmentBytes: 64 << 20, payloads: 'clear', clock: systemClock, version: 'bench', checkpoint });
      const before = opened.status();
      const each = Math.ceil((journal === 'ram' ? 100_000 : 20_000) / writers);
      const times: number[] = [];
      const started = performance.now();
      const write = async (): Promise<void> => {
        for (let n = 0; n < each; n++) {
          const at = performance.now();
          await opened.durable(opened.append({ type: 'admin.changed', by: 'bench', what: FILLER }));
          times.push((performance.now() - at) * 1000);
        }
      };
      await Promise.all(Array.from({ length: writers }, write));
      const seconds = (performance.now() - started) / 1000;
      const { records, syncs } = opened.status();
      const sorted = Float64Array.from(times).sort();
      report({
        name: 'journal.append',
        subject: 'interlock',
        audit: 'standard',
        journal,
        clients: writers,
        tps: (each * writers) / seconds,
        p50_us: quantile(sorted, 0.5),
        p99_us: quantile(sorted, 0.99),
        records_per_sync: (records - before.records) / (syncs - before.syncs),
        fdatasync_p50_us: sync?.p50 ?? null,
        vs_fdatasync: sync && (((each * writers) / seconds) * sync.p50) / writers / 1e6,
        p50_vs_fdatasync: sync && sync.p50 / quantile(sorted, 0.5),
      });
      await opened.close('bench');
      rmSync(dir, { recursive: true, force: true });
    }
  }
}

/** So that a record has about 300 bytes, the most that a hot-path statement's may have. */
const FILLER = 'x'.repeat(180);

async function timed(runs: number, work: (n: number) => unknown, warm: number = WARM_RUNS): Promise<Float64Array> {
  const first = Math.min(warm, runs);
  for (let n = 0; n < first; n++) await work(n);
  const times = new Float64Array(runs);
  for (let n = 0; n < runs; n++) {
    const started = performance.now();
    const result = work(n + first);
    if (result instanceof Promise) await result;
    times[n] = (performance.now() - started) * 1000;
  }
  return times.sort();
}
