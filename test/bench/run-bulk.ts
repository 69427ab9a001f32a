import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BULK_ROWS, BULK_SCHEMA, drain } from './bulk.ts';
import { median } from './run-pgbench.ts';
import { startSubject, type SubjectName } from './subjects.ts';
import type { BenchOptions } from './options.ts';

const here = dirname(fileURLToPath(import.meta.url));
const DATABASE = 'bulk';
const SCENARIOS = [
  { name: 'pg.bulk.plain', method: null, sql: 'SELECT * FROM bulk', subjects: ['direct', 'pgbouncer', 'interlock'] },
  { name: 'pg.bulk.masked', method: 'redact', sql: 'SELECT * FROM bulk_redacted', subjects: ['direct', 'interlock'] },
  { name: 'pg.bulk.masked', method: 'partial', sql: 'SELECT * FROM bulk_partial', subjects: ['direct', 'interlock'] },
  { name: 'pg.bulk.copy', method: null, sql: 'COPY bulk TO STDOUT', subjects: ['direct', 'pgbouncer', 'interlock'] },
] as const;

/** A million rows of five columns; the ratio is direct's time over the subject's, of the same round. */
export async function benchBulk(options: BenchOptions): Promise<void> {
  const scenarios = SCENARIOS.filter(({ name }) => options.only.test(name));
  if (scenarios.length === 0) return;
  await options.server.query(`CREATE DATABASE ${DATABASE}`);
  await options.server.query(BULK_SCHEMA, DATABASE);
  const policies = { dir: join(here, '..', '..', 'policies'), data: [join(here, 'data.yaml')] };
  for (const { name, method, sql, subjects } of scenarios) {
    await using stack = new AsyncDisposableStack();
    const started = new Map<SubjectName, Awaited<ReturnType<typeof startSubject>>>();
    for (const subject of subjects) {
      started.set(
        subject,
        stack.use(await startSubject(subject, { server: options.server, database: DATABASE, journalBase: options.journals.ram, policies })),
      );
    }
    const ratios: Record<string, number[]> = {};
    const rates: Record<string, number[]> = {};
    for (let round = 0; round < options.rounds; round++) {
      const seconds: Partial<Record<SubjectName, number>> = {};
      for (const [subject, running] of started) seconds[subject] = (await drain(running, DATABASE, sql)).seconds;
      for (const subject of started.keys()) {
        (ratios[subject] ??= []).push((seconds.direct as number) / (seconds[subject] as number));
        (rates[subject] ??= []).push(BULK_ROWS / (seconds[subject] as number));
      }
    }
    for (const subject of started.keys()) {
      options.report({
        name,
        method,
        subject,
        journal: subject === 'interlock' ? 'ram' : 'none',
        clients: 1,
        rounds: options.rounds,
        rows_per_s: median(rates[subject] ?? []),
        tps_vs_direct: median(ratios[subject] ?? []),
      });
    }
  }
}
