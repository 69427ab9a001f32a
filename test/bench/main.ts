/** `npm run bench`: every figure is a ratio against the direct path, and against peers, of the same round (SURFACE.md). */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { optionsOf } from '#test/support/command-line';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { BENCH, benchAsked, SERVER_SETTINGS, type BenchOptions, type Run } from './options.ts';
import { fdatasync } from './fdatasync.ts';
import { benchApprovals } from './run-approvals.ts';
import { benchArchive } from './run-archive.ts';
import { benchBulk } from './run-bulk.ts';
import { benchConsole } from './run-console.ts';
import { benchHttp } from './run-http.ts';
import { benchMemory } from './run-memory.ts';
import { benchMcp } from './run-mcp.ts';
import { benchMicro } from './run-micro.ts';
import { benchPgbench } from './run-pgbench.ts';
import { benchProjection } from './run-projection.ts';
import { benchRemote } from './run-remote.ts';
import { benchVerify } from './run-verify.ts';

const asked = optionsOf(BENCH, process.argv.slice(2), benchAsked);

const disk = asked.journal ?? mkdtempSync(join(tmpdir(), 'interlock-bench-disk-'));
const runs: Run[] = [];
{
  await using server = asked.pg === undefined ? await startPostgres({ major: 15, settings: SERVER_SETTINGS, parent: tmpdir() }) : theirs(asked.pg);
  const options: BenchOptions = {
    ...asked.sizes,
    server,
    journals: { ram: '/dev/shm', disk },
    report: (run) => {
      runs.push(run);
      console.log(
        Object.entries(run)
          .filter(([, value]) => value !== null)
          .map(([key, value]) => `${key}=${typeof value === 'number' ? round(value) : String(value)}`)
          .join(' '),
      );
    },
  };
  await benchMicro(options);
  await benchArchive(options);
  await benchRemote(options);
  await benchMcp(options);
  await benchVerify(options);
  await benchPgbench(options);
  await benchBulk(options);
  await benchMemory(options);
  await benchApprovals(options);
  await benchHttp(options);
  await benchProjection(options);
  await benchConsole(options);
}
const document = { contract: 1, machine: { cpus: cpus().length, node: process.version, kernel: release(), fdatasync_us: fdatasync(disk) }, runs };
if (asked.json !== undefined) writeFileSync(asked.json, `${JSON.stringify(document, null, 1)}\n`);
console.log(`fdatasync p50 ${document.machine.fdatasync_us.p50} µs, p99 ${document.machine.fdatasync_us.p99} µs`);
if (asked.journal === undefined) rmSync(disk, { recursive: true, force: true });

function round(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** A server that somebody else started; its superuser's URL. What the bench makes there, it leaves there. */
function theirs(url: string): PostgresServer {
  const { hostname, port, username, password } = new URL(url);
  const [user, secret] = [decodeURIComponent(username), decodeURIComponent(password)];
  const at = (database = 'postgres', who = user, word = secret): string =>
    `postgresql://${encodeURIComponent(who)}:${encodeURIComponent(word)}@${hostname}:${port || 5432}/${database}`;
  return {
    host: hostname as '127.0.0.1',
    port: Number(port || 5432),
    user: user as 'postgres',
    password: secret,
    major: 15,
    dataDir: '',
    log: () => '',
    url: at,
    async query<Row extends pg.QueryResultRow>(sql: string, database?: string) {
      const client = new pg.Client({ connectionString: at(database) });
      await client.connect();
      try {
        return await client.query<Row>(sql);
      } finally {
        await client.end();
      }
    },
    stop: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
