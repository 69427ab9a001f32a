/** Memory of the gateway over a million statements and over a result of a million rows: it must not follow either. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { BULK_ROWS, BULK_SCHEMA, drain } from './bulk.ts';
import { startSubject, type Subject } from './subjects.ts';
import type { BenchOptions } from './options.ts';

const run = promisify(execFile);
const STATEMENTS = 1_000_000;
/** Every text another one: what is remembered of texts has its bounds too. */
const TEXTS = 200_000;
const CLIENTS = 32;
const DATABASE = 'memory';
const RESULT = 'SELECT * FROM bulk';

export async function benchMemory(options: BenchOptions): Promise<void> {
  if (!options.only.test('memory.flat')) return;
  const { server, journals } = options;
  await server.query(`CREATE DATABASE ${DATABASE}`);
  await run('pgbench', ['-i', '-q', '-s', '10', server.url(DATABASE)]);
  await server.query(BULK_SCHEMA, DATABASE);
  await using subject = await startSubject('interlock', { server, database: DATABASE, journalBase: journals.ram });
  await statements(subject, 'prepared', CLIENTS * 100);
  const phases = [
    { load: 'prepared', of: STATEMENTS, half: () => statements(subject, 'prepared', STATEMENTS / 2) },
    { load: 'rows', of: 2 * BULK_ROWS, half: () => drain(subject, DATABASE, RESULT) },
    { load: 'simple', of: TEXTS, half: () => statements(subject, 'simple', TEXTS / 2) },
  ] as const;
  for (const { load, of, half } of phases) {
    const start = rss(subject).now;
    await half();
    const middle = rss(subject).now;
    await half();
    const { now, max } = rss(subject);
    options.report({
      name: 'memory.flat',
      subject: 'interlock',
      journal: 'ram',
      load,
      operations: of,
      rss_start_mb: start,
      rss_middle_mb: middle,
      rss_end_mb: now,
      rss_max_mb: max,
    });
  }
}

async function statements(subject: Subject, mode: 'prepared' | 'simple', count: number): Promise<void> {
  const args = ['-n', '-S', '-M', mode, '-h', '127.0.0.1', '-p', String(subject.port), '-U', subject.user, '-j', '2'];
  const { stdout } = await run('pgbench', [...args, '-c', String(CLIENTS), '-t', String(Math.ceil(count / CLIENTS)), DATABASE], {
    env: { ...process.env, PGPASSWORD: subject.password, PGSSLMODE: 'disable' },
  });
  if (Number(/number of failed transactions: (\d+)/.exec(stdout)?.[1] ?? 0) > 0) throw new Error(`pgbench on ${subject.name}: ${stdout}`);
}

/** MB, of the gateway's process: now, and the most that it ever was. */
function rss({ pid }: Subject): { readonly now: number; readonly max: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mb = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
  return { now: mb('VmRSS'), max: mb('VmHWM') };
}
