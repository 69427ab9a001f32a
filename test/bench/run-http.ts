/** `http.*`: requests through the gateway against the origin itself, nginx, and a pipe with one durable record, all of the same round. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { load, type LoadResult } from './http/load.ts';
import { STREAMED_MB } from './http/documents.ts';
import { nginxProgram, startHttpSubject, startOrigin, type HttpSubject, type HttpSubjectName } from './http/subjects.ts';
import { quantile } from './pgbench.ts';
import { median } from './run-pgbench.ts';
import type { BenchOptions } from './options.ts';

interface Scenario {
  readonly name: string;
  readonly size: 'small' | '12k';
  readonly kind: 'plain' | 'masked';
  /** No two requests are alike: nothing of one is found again in a cache. */
  readonly varied: boolean;
}
const SCENARIOS: readonly Scenario[] = [
  ...(['small', '12k'] as const).flatMap((size) =>
    (['plain', 'masked'] as const).map((kind) => ({ name: `http.${size}.${kind}`, size, kind, varied: false })),
  ),
  { name: 'http.small.varied', size: 'small', kind: 'plain', varied: true },
];
const SSN = '123-45-';

interface Row {
  readonly subject: HttpSubjectName;
  readonly journal: 'none' | 'ram' | 'disk';
  readonly tps: number;
  readonly p50_us: number;
  readonly p99_us: number;
  readonly cpu_us_per_op: number | null;
}

export async function benchHttp(options: BenchOptions): Promise<void> {
  const scenarios = SCENARIOS.filter(({ name }) => options.only.test(name));
  const streams = (['plain', 'masked'] as const).filter((kind) => options.only.test(`http.stream.${kind}`));
  if (scenarios.length + streams.length === 0) return;
  await using stack = new AsyncDisposableStack();
  const origin = stack.use(await startOrigin());
  const start = async (name: HttpSubjectName, base: string): Promise<HttpSubject> => stack.use(await startHttpSubject(name, origin, base));
  const { ram, disk } = options.journals;
  const gateway = await start('interlock', ram);
  const subjects: readonly Placed[] = [
    { journal: 'none', subject: await start('direct', '') },
    ...(nginxThere() ? [{ journal: 'none', subject: await start('nginx', '') } as const] : []),
    { journal: 'ram', subject: await start('pipe', ram) },
    { journal: 'ram', subject: gateway },
    { journal: 'disk', subject: await start('pipe', disk) },
    { journal: 'disk', subject: await start('interlock', disk) },
  ];
  for (const scenario of scenarios) {
    for (const clients of options.clients) {
      for (const { subject } of subjects) await measure(subject, scenario, clients, WARM_S);
      const rounds: Row[][] = [];
      for (let round = 0; round < options.rounds; round++) {
        const rows: Row[] = [];
        for (const { journal, subject } of subjects)
          rows.push({ subject: subject.name, journal, ...(await measure(subject, scenario, clients, options.seconds)) });
        rounds.push(rows);
      }
      subjects.forEach(({ journal, subject }, index) =>
        options.report({
          name: scenario.name,
          clients,
          journal,
          subject: subject.name,
          rounds: options.rounds,
          ...summarise(rounds, index),
          rss_max_mb: rss(subject, 'VmHWM'),
        }),
      );
    }
  }
  for (const kind of streams) await streamed(kind, gateway, options);
}

interface Placed {
  readonly journal: Row['journal'];
  readonly subject: HttpSubject;
}

/** Without it everything else is measured all the same; the ratios against it are missing. */
function nginxThere(): boolean {
  if (nginxProgram() !== null) return true;
  console.log('nginx is not installed, so http.* is measured without it: apt-get install nginx-light');
  return false;
}

/** Until whatever is compiled while it runs is. */
const WARM_S = 3;

async function measure(
  subject: HttpSubject,
  { size, kind, varied }: Scenario,
  clients: number,
  seconds: number,
): Promise<Omit<Row, 'subject' | 'journal'>> {
  const before = cpuUs(subject);
  const masked = subject.name === 'interlock' && kind === 'masked';
  const path = `/${kind}/${size}`;
  const result: LoadResult = await load({
    port: subject.port,
    path,
    token: subject.token,
    clients,
    seconds,
    varied,
    holds: masked ? '"ssn":"***"' : SSN,
    lacks: masked ? SSN : null,
  });
  const cpu = cpuUs(subject);
  await subject.settled();
  return {
    tps: result.rps,
    p50_us: quantile(result.latencies, 0.5),
    p99_us: quantile(result.latencies, 0.99),
    cpu_us_per_op: before === null || cpu === null ? null : (cpu - before) / result.requests,
  };
}

/** Medians over rounds of one subject, each ratio against the others of its own round. */
function summarise(rounds: readonly (readonly Row[])[], index: number): Record<string, number | null> {
  const over = (value: (row: Row, round: readonly Row[]) => number | null): number | null =>
    median(rounds.map((round) => value(round[index] as Row, round)));
  const peer = (round: readonly Row[], subject: HttpSubjectName, journal: string): Row | undefined =>
    round.find((row) => row.subject === subject && (row.journal === journal || row.journal === 'none'));
  const share = (row: Row, other: Row | undefined): number | null => (other === undefined ? null : row.tps / other.tps);
  return {
    tps: over((row) => row.tps),
    tps_vs_direct: over((row, round) => share(row, peer(round, 'direct', row.journal))),
    tps_vs_nginx: over((row, round) => share(row, peer(round, 'nginx', row.journal))),
    tps_vs_pipe: over((row, round) => (row.subject === 'interlock' ? share(row, peer(round, 'pipe', row.journal)) : null)),
    p50_us: over((row) => row.p50_us),
    p99_us: over((row) => row.p99_us),
    added_p50_us: over((row, round) => row.p50_us - (peer(round, 'direct', row.journal)?.p50_us ?? Number.NaN)),
    added_p99_us: over((row, round) => row.p99_us - (peer(round, 'direct', row.journal)?.p99_us ?? Number.NaN)),
    cpu_us_per_op: over((row) => row.cpu_us_per_op),
  };
}

/** One answer of a hundred megabytes: what the gateway's memory is before, at most meanwhile, and behind it. */
async function streamed(kind: 'plain' | 'masked', subject: HttpSubject, { report }: BenchOptions): Promise<void> {
  await drain(subject, kind);
  const start = rss(subject, 'VmRSS');
  let most = start ?? 0;
  const started = performance.now();
  const bytes = await drain(subject, kind, () => (most = Math.max(most, rss(subject, 'VmRSS') ?? 0)));
  const seconds = (performance.now() - started) / 1000;
  report({
    name: `http.stream.${kind}`,
    subject: subject.name,
    journal: 'ram',
    mb: STREAMED_MB,
    mb_per_s: bytes / 1e6 / seconds,
    rss_start_mb: start,
    rss_most_mb: most,
    rss_end_mb: rss(subject, 'VmRSS'),
  });
}

const LOOKED_AT_BYTES = 4_000_000;

/** Bytes of the whole answer. */
function drain({ port, token }: HttpSubject, kind: string, look: () => void = () => {}): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const socket = connect({ port, host: '127.0.0.1' });
  let bytes = 0;
  let looked = 0;
  socket.on('error', reject);
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    if (kind === 'masked' && chunk.includes(SSN)) reject(new Error('not measured: a masked value left'));
    if (bytes - looked > LOOKED_AT_BYTES) {
      look();
      looked = bytes;
    }
    if (chunk.subarray(-5).toString('latin1') === '0\r\n\r\n') socket.destroy();
  });
  socket.on('close', () => (bytes > STREAMED_MB * 0.9e6 ? resolve(bytes) : reject(new Error(`not measured: the stream ended after ${bytes} bytes`))));
  socket.write(`GET /${kind}/stream HTTP/1.1\r\nhost: api.internal\r\nauthorization: Bearer ${token}\r\n\r\n`);
  return promise;
}

/** Linux counts CPU time in hundredths of a second (getconf CLK_TCK). */
const TICK_US = 10_000;

function cpuUs({ pid }: HttpSubject): number | null {
  if (pid === null) return null;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

function rss({ pid }: HttpSubject, field: 'VmRSS' | 'VmHWM'): number | null {
  return pid === null ? null : Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
