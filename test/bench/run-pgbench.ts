import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pgbench, type PgbenchOptions, type PgbenchResult } from './pgbench.ts';
import { makeAuthority } from '#test/support/certificates';
import { startPostgres } from '#test/support/postgres';
import { startSubject, type Subject, type SubjectName, type Tls } from './subjects.ts';
import { SERVER_SETTINGS, type BenchOptions } from './options.ts';

const SCENARIOS = [
  { name: 'pg.select.simple', mode: 'simple', script: 'select' },
  { name: 'pg.select.extended', mode: 'extended', script: 'select' },
  { name: 'pg.select.prepared', mode: 'prepared', script: 'select' },
  { name: 'pg.tpcb.prepared', mode: 'prepared', script: 'tpcb' },
] as const;
const DATABASE = 'pgbench';

interface Row extends PgbenchResult {
  readonly subject: SubjectName;
  readonly journal: 'ram' | 'disk' | 'none';
}

/** Subjects take turns inside a round, so that a ratio compares runs of the same minute. */
export async function benchPgbench(options: BenchOptions): Promise<void> {
  const scenarios = SCENARIOS.filter(({ name }) => options.only.test(name));
  if (scenarios.length > 0) await table(options, scenarios, null);
  const withTls = SCENARIOS.filter(({ name }) => name === 'pg.select.prepared' && options.only.test(`${name}.tls`));
  if (withTls.length === 0) return;
  const dir = mkdtempSync(join(tmpdir(), 'interlock-bench-tls-'));
  const authority = await makeAuthority(dir);
  const tls = { caFile: authority.caFile, ...(await authority.issue('gateway')) };
  await using server = await startPostgres({ major: 15, settings: SERVER_SETTINGS, tls: await authority.issue('database'), parent: tmpdir() });
  await table({ ...options, server }, withTls, tls);
  rmSync(dir, { recursive: true, force: true });
}

type Scenario = (typeof SCENARIOS)[number];

async function table(options: BenchOptions, scenarios: readonly Scenario[], tls: Tls | null): Promise<void> {
  await options.server.query(`CREATE DATABASE ${DATABASE}`);
  await promisify(execFile)('pgbench', ['-i', '-q', '-s', '10', options.server.url(DATABASE)]);
  await using stack = new AsyncDisposableStack();
  const start = async (name: SubjectName, journalBase: string): Promise<Subject> =>
    stack.use(await startSubject(name, { server: options.server, database: DATABASE, journalBase, ...(tls === null ? {} : { tls }) }));
  const together = [
    { journal: 'none', subject: await start('direct', '') },
    { journal: 'none', subject: await start('pgbouncer', '') },
    { journal: 'ram', subject: await start('pipe', options.journals.ram) },
    { journal: 'ram', subject: await start('interlock', options.journals.ram) },
    { journal: 'disk', subject: await start('pipe', options.journals.disk) },
    { journal: 'disk', subject: await start('interlock', options.journals.disk) },
  ] as const;
  const apart = scenarios.some(isApart)
    ? ([
        { journal: 'ram', subject: await start('interlock-apart', options.journals.ram) },
        { journal: 'disk', subject: await start('interlock-apart', options.journals.disk) },
      ] as const)
    : [];
  for (const scenario of scenarios) {
    const { name, mode, script } = scenario;
    const subjects = isApart(scenario) ? [...together, ...apart] : together;
    for (const clients of options.clients) {
      const rounds: Row[][] = [];
      for (let round = 0; round < options.rounds; round++) {
        const rows: Row[] = [];
        for (const { journal, subject } of subjects) {
          const run: PgbenchOptions = { database: DATABASE, clients, seconds: options.seconds, mode, script, ...(tls === null ? {} : { tls }) };
          rows.push({ subject: subject.name, journal, ...(await pgbench(subject, run)) });
        }
        rounds.push(rows);
      }
      subjects.forEach(({ journal, subject }, index) =>
        options.report({ name, tls: tls !== null, clients, journal, subject: subject.name, rounds: options.rounds, ...summarise(rounds, index) }),
      );
    }
  }
}

/** One comparison is enough: what apart costs is the same for all of them. */
function isApart({ name }: Scenario): boolean {
  return name === 'pg.select.prepared';
}

/** Medians over rounds of one subject, each ratio against the others of its own round. */
function summarise(rounds: readonly (readonly Row[])[], index: number): Record<string, number | null> {
  const over = (value: (row: Row, round: readonly Row[]) => number | null): number | null =>
    median(rounds.map((round) => value(round[index] as Row, round)));
  const peer = (round: readonly Row[], subject: SubjectName, journal: string): Row =>
    round.find((row) => row.subject === subject && (row.journal === journal || row.journal === 'none')) as Row;
  return {
    tps: over((row) => row.tps),
    tps_vs_direct: over((row, round) => row.tps / peer(round, 'direct', row.journal).tps),
    tps_vs_pgbouncer: over((row, round) => row.tps / peer(round, 'pgbouncer', row.journal).tps),
    tps_vs_interlock: over((row, round) => (row.subject === 'interlock-apart' ? row.tps / peer(round, 'interlock', row.journal).tps : null)),
    tps_vs_pipe: over((row, round) => (row.subject.startsWith('interlock') ? row.tps / peer(round, 'pipe', row.journal).tps : null)),
    p50_us: over((row) => row.p50_us),
    p99_us: over((row) => row.p99_us),
    added_p50_us: over((row, round) => row.p50_us - peer(round, 'direct', row.journal).p50_us),
    added_p99_us: over((row, round) => row.p99_us - peer(round, 'direct', row.journal).p99_us),
    cpu_us_per_op: over((row) => row.cpu_us_per_op),
    later_cpu_us_per_op: over((row) => row.later_cpu_us_per_op),
    cpu_vs_pgbouncer: over((row, round) =>
      row.cpu_us_per_op === null ? null : row.cpu_us_per_op / (peer(round, 'pgbouncer', row.journal).cpu_us_per_op ?? Number.NaN),
    ),
    rss_max_mb: over((row) => row.rss_max_mb),
    records_per_sync: over((row) => row.records_per_sync),
  };
}

export function median(values: readonly (number | null)[]): number | null {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
