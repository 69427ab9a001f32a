/** Real PostgreSQL servers from the `pg-server-*` packages, on free loopback ports and in temporary folders. */
import { spawn, execFile, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { roomInMemory } from './memory.ts';

const run = promisify(execFile);
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** unshare maps root to this id: PostgreSQL refuses to run as root. */
const asOrdinaryUser = process.getuid?.() === 0 ? ['unshare', '--user', '--map-user=1000', '--map-group=1000'] : [];

export const POSTGRES_MAJORS = [15, 17] as const;
export type PostgresMajor = (typeof POSTGRES_MAJORS)[number];

export interface PostgresServer extends AsyncDisposable {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Superuser; it authenticates with SCRAM-SHA-256. */
  readonly user: 'postgres';
  readonly password: string;
  readonly major: PostgresMajor;
  readonly dataDir: string;
  /** Everything the server has logged so far. */
  log(): string;
  /** `postgresql://` as the superuser, or as another role. */
  url(database?: string, user?: string, password?: string): string;
  /** One connection, one query, as the superuser. */
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(sql: string, database?: string): Promise<pg.QueryResult<Row>>;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  readonly major?: PostgresMajor;
  /** Lines for postgresql.conf, e.g. `{ log_statement: 'all' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** PEM files; turns TLS on. Use RSA or ECDSA: Ed25519 with SCRAM fails in psql 15. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** Where its files stand: in memory by default, if there is room. What is measured stands on a disk. */
  readonly parent?: string;
}

/** Starts a server and resolves once it answers; about 0.3 s (2 s the first time a major is used on a machine). */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const major = options.major ?? 15;
  const native = join(root, 'node_modules', `pg-server-${major}`, 'native');
  if (!existsSync(native)) throw new Error(`PostgreSQL ${major} is not installed: run \`npm ci\` on linux-x64, or set INTERLOCK_TEST_PG_URL`);
  const base = mkdtempSync(join(options.parent ?? roomInMemory(), `interlock-pg${major}-`));
  const dataDir = join(base, 'data');
  cpSync(await template(native, major), dataDir, { recursive: true });
  const password = randomBytes(12).toString('hex');
  const port = await freePort();
  const settings: Record<string, string> = {
    listen_addresses: "'127.0.0.1'",
    port: String(port),
    unix_socket_directories: `'${dataDir}'`,
    fsync: 'off',
    max_connections: '200',
    ...(options.tls ? { ssl: 'on', ssl_cert_file: "'server.crt'", ssl_key_file: "'server.key'" } : {}),
    ...options.settings,
  };
  appendFileSync(
    join(dataDir, 'postgresql.conf'),
    Object.entries(settings)
      .map(([key, value]) => `${key} = ${value}\n`)
      .join(''),
  );
  if (options.tls) {
    writeFileSync(join(dataDir, 'server.crt'), readFileSync(options.tls.certFile), { mode: 0o600 });
    writeFileSync(join(dataDir, 'server.key'), readFileSync(options.tls.keyFile), { mode: 0o600 });
  }
  await setPassword(native, dataDir, password);
  writeFileSync(join(dataDir, 'pg_hba.conf'), 'host all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n');
  const output: string[] = [];
  const server = launch(native, ['-D', dataDir], output, base);
  const url = (database = 'postgres', user = 'postgres', secret = password): string =>
    `postgresql://${encodeURIComponent(user)}:${encodeURIComponent(secret)}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  await accepting(url(), server, output);
  const stop = async (): Promise<void> => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGQUIT');
      await once(server, 'exit');
    }
    rmSync(base, { recursive: true, force: true });
  };
  return {
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password,
    major,
    dataDir,
    url,
    stop,
    log: () => output.join(''),
    async query<Row extends pg.QueryResultRow>(sql: string, database?: string) {
      const client = new pg.Client({ connectionString: url(database) });
      await client.connect();
      try {
        return await client.query<Row>(sql);
      } finally {
        await client.end();
      }
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** initdb takes two seconds, a copy of its result a tenth: made once for each user of the machine and server version. */
async function template(native: string, major: number): Promise<string> {
  const version = (JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')) as { version: string }).version;
  const cache = join(tmpdir(), `interlock-initdb-${process.getuid?.() ?? 0}`);
  const done = join(cache, `${major}-${version}`);
  if (existsSync(done)) return done;
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  const draft = mkdtempSync(join(cache, 'draft-'));
  const [program, ...args] = [
    ...asOrdinaryUser,
    join(native, 'bin', 'initdb'),
    '-D',
    join(draft, 'data'),
    '-U',
    'postgres',
    '--auth=trust',
    '--no-sync',
    '--locale=C',
    '-E',
    'UTF8',
  ];
  await run(program as string, args);
  try {
    renameSync(join(draft, 'data'), done);
  } catch (error) {
    if (!existsSync(done)) throw error; // another process was first
  }
  rmSync(draft, { recursive: true, force: true });
  return done;
}

async function setPassword(native: string, dataDir: string, password: string): Promise<void> {
  chmodSync(dataDir, 0o700);
  const [program, ...args] = [...asOrdinaryUser, join(native, 'bin', 'postgres'), '--single', '-D', dataDir, 'postgres'];
  const child = spawn(program as string, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  let trouble = '';
  child.stderr?.on('data', (chunk: Buffer) => (trouble += chunk.toString()));
  child.stdin?.end(`ALTER ROLE postgres PASSWORD '${password}'\n`);
  const [code] = (await once(child, 'exit')) as [number];
  if (code !== 0) throw new Error(`postgres --single failed: ${trouble}`);
}

function launch(native: string, args: readonly string[], output: string[], base: string): ChildProcess {
  const [program, ...rest] = [...asOrdinaryUser, join(native, 'bin', 'postgres'), ...args];
  const child = spawn(program as string, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  // a test run that dies must not leave servers behind, nor their files in memory
  const reap = (): void => {
    child.kill('SIGQUIT');
    rmSync(base, { recursive: true, force: true, maxRetries: 3 });
  };
  process.once('exit', reap);
  child.once('exit', () => process.off('exit', reap));
  return child;
}

async function accepting(url: string, server: ChildProcess, output: readonly string[]): Promise<void> {
  for (;;) {
    if (server.exitCode !== null) throw new Error(`PostgreSQL did not start:\n${output.join('')}`);
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
    try {
      await client.connect();
      await client.end();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
