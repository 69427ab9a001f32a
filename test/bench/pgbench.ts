/** One run of pgbench, with the latencies of every transaction and the CPU time of the process in the middle. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Subject } from './subjects.ts';

const run = promisify(execFile);
/** Linux counts CPU time in hundredths of a second (getconf CLK_TCK). */
const TICK_US = 10_000;

export interface PgbenchResult {
  readonly tps: number;
  readonly p50_us: number;
  readonly p99_us: number;
  /** Of the process in the middle, user and system, for each transaction; null for the server itself. */
  readonly cpu_us_per_op: number | null;
  /** What it left for later: the projection catches up once statements need the processors no longer. */
  readonly later_cpu_us_per_op: number | null;
  readonly rss_max_mb: number | null;
  readonly records_per_sync: number | null;
}

export interface PgbenchOptions {
  readonly database: string;
  readonly clients: number;
  readonly seconds: number;
  readonly mode: 'simple' | 'extended' | 'prepared';
  readonly script: 'select' | 'tpcb';
  readonly tls?: { readonly caFile: string };
}

export async function pgbench(subject: Subject, options: PgbenchOptions): Promise<PgbenchResult> {
  const dir = mkdtempSync(join(tmpdir(), 'interlock-pgbench-'));
  const before = { cpu: cpuTicks(subject.pid), counters: await subject.counters() };
  const tls = options.tls ? { PGSSLMODE: 'verify-full', PGSSLROOTCERT: options.tls.caFile } : { PGSSLMODE: 'disable' };
  const args = [
    '-n',
    '-h',
    '127.0.0.1',
    '-p',
    String(subject.port),
    '-U',
    subject.user,
    '-c',
    String(options.clients),
    '-j',
    String(Math.min(2, options.clients)),
    '-T',
    String(options.seconds),
    '-M',
    options.mode,
    '-l',
    '--log-prefix',
    join(dir, 'log'),
    ...(options.script === 'select' ? ['-S'] : ['-N']),
    options.database,
  ];
  try {
    const { stdout } = await run('pgbench', args, { env: { ...process.env, PGPASSWORD: subject.password, ...tls }, maxBuffer: 16 << 20 });
    const cpu = cpuTicks(subject.pid);
    const tps = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
    const done = Number(/number of transactions actually processed: (\d+)/.exec(stdout)?.[1]);
    const failed = Number(/number of failed transactions: (\d+)/.exec(stdout)?.[1] ?? 0);
    if (!(tps > 0) || failed > 0) throw new Error(`pgbench on ${subject.name}: ${stdout}`);
    const after = { cpu, counters: await subject.counters() };
    await subject.settled();
    const later = cpuTicks(subject.pid);
    const latencies = readLatencies(dir);
    const records = after.counters && before.counters ? after.counters.records - before.counters.records : 0;
    const syncs = after.counters && before.counters ? after.counters.syncs - before.counters.syncs : 0;
    return {
      tps,
      p50_us: quantile(latencies, 0.5),
      p99_us: quantile(latencies, 0.99),
      rss_max_mb: rssMaxMb(subject.pid),
      cpu_us_per_op: perOperation(before.cpu, after.cpu, done),
      later_cpu_us_per_op: perOperation(after.cpu, later, done),
      records_per_sync: syncs > 0 ? records / syncs : null,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Lines are `client transaction latency_us script epoch us`. */
function readLatencies(dir: string): Float64Array {
  const values: number[] = [];
  for (const file of readdirSync(dir)) {
    for (const line of readFileSync(join(dir, file), 'utf8').split('\n')) {
      const latency = line.split(' ')[2];
      if (latency !== undefined) values.push(Number(latency));
    }
  }
  return Float64Array.from(values).sort();
}

export function quantile(sorted: Float64Array, at: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN;
}

function perOperation(before: number | null, after: number | null, done: number): number | null {
  return before === null || after === null ? null : ((after - before) * TICK_US) / done;
}

function cpuTicks(pid: number | null): number | null {
  if (pid === null) return null;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

function rssMaxMb(pid: number | null): number | null {
  if (pid === null) return null;
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
