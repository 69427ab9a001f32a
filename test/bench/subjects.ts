/** What pgbench is pointed at: the server itself, PgBouncer, a bare pipe with one durable record a forward, and Interlock. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startGateway } from '#test/support/gateway';
import { freePort, type PostgresServer } from '#test/support/postgres';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));

export type SubjectName = 'direct' | 'pgbouncer' | 'pipe' | 'interlock' | 'interlock-apart';

export interface Subject extends AsyncDisposable {
  readonly name: SubjectName;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** The process whose CPU time and memory count; null: the server itself. */
  readonly pid: number | null;
  /** Records and syncs of its journal so far, where it has one. */
  counters(): Promise<{ readonly records: number; readonly syncs: number } | null>;
  /** Resolves once it does nothing for the last run any more, so that the next one's neighbours have the machine for themselves. */
  settled(): Promise<void>;
}

export interface SubjectOptions {
  readonly server: PostgresServer;
  readonly database: string;
  /** The folder for journals: of a RAM file system or of a disk. */
  readonly journalBase: string;
  readonly policies?: { readonly dir: string; readonly data?: readonly string[] };
  /** TLS on both legs: the server has a certificate of the same authority. */
  readonly tls?: Tls;
}

export interface Tls {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export async function startSubject(name: SubjectName, options: SubjectOptions): Promise<Subject> {
  const start: Record<SubjectName, (options: SubjectOptions) => Promise<Subject>> = {
    direct,
    pgbouncer,
    pipe,
    interlock: (one) => interlock(one, 'up'),
    'interlock-apart': (one) => interlock(one, 'apart-local'),
  };
  return start[name](options);
}

async function direct({ server }: SubjectOptions): Promise<Subject> {
  return {
    name: 'direct',
    port: server.port,
    user: server.user,
    password: server.password,
    pid: null,
    counters: async () => null,
    settled: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Session mode, one worker as always, SCRAM on both legs; it refuses to run as root. */
async function pgbouncer({ server, database, tls }: SubjectOptions): Promise<Subject> {
  const program = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer'].find((path) => existsSync(path));
  if (program === undefined) throw new Error('PgBouncer is not installed: apt-get install pgbouncer');
  const dir = mkdtempSync(join(tmpdir(), 'interlock-pgbouncer-'));
  chmodSync(dir, 0o755);
  const port = await freePort();
  writeFileSync(join(dir, 'users.txt'), `"${server.user}" "${server.password}"\n`, { mode: 0o644 });
  writeFileSync(
    join(dir, 'pgbouncer.ini'),
    `[databases]\n${database} = host=127.0.0.1 port=${server.port} dbname=${database}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=${port}\nunix_socket_dir=\n` +
      `auth_type=scram-sha-256\nauth_file=${join(dir, 'users.txt')}\npool_mode=session\nmax_client_conn=500\ndefault_pool_size=150\nlog_connections=0\nlog_disconnections=0\n` +
      `ignore_startup_parameters=extra_float_digits\n${tls ? bouncerTls(dir, tls) : ''}`,
    { mode: 0o644 },
  );
  const drop = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const child = spawn(program, ['-q', join(dir, 'pgbouncer.ini')], { stdio: 'ignore', ...drop });
  await listening(port, child, 'pgbouncer');
  return {
    name: 'pgbouncer',
    port,
    user: server.user,
    password: server.password,
    pid: child.pid ?? null,
    counters: async () => null,
    settled: async () => {},
    [Symbol.asyncDispose]: () => end(child, dir),
  };
}

/** Copies, because PgBouncer reads them as nobody. */
function bouncerTls(dir: string, tls: Tls): string {
  const copy = (name: string, file: string): string => {
    const to = join(dir, name);
    copyFileSync(file, to);
    chmodSync(to, 0o644);
    return to;
  };
  const [ca, cert, key] = [copy('ca.crt', tls.caFile), copy('own.crt', tls.certFile), copy('own.key', tls.keyFile)];
  return `client_tls_sslmode=require\nclient_tls_cert_file=${cert}\nclient_tls_key_file=${key}\nserver_tls_sslmode=verify-full\nserver_tls_ca_file=${ca}\n`;
}

async function pipe({ server, journalBase }: SubjectOptions): Promise<Subject> {
  const dir = mkdtempSync(join(journalBase, 'interlock-pipe-'));
  const child = spawn(process.execPath, [join(here, 'pipe.ts'), String(server.port), dir], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const port = Number((await lines.next()).value);
  const counters = async (): Promise<{ records: number; syncs: number }> => {
    child.stdin?.write('\n');
    return JSON.parse((await lines.next()).value as string) as { records: number; syncs: number };
  };
  return {
    name: 'pipe',
    port,
    user: server.user,
    password: server.password,
    pid: child.pid ?? null,
    counters,
    settled: async () => {},
    [Symbol.asyncDispose]: () => end(child, dir),
  };
}

/** Everything on: the shipped packs, masks, the journal; apart: an enforcer that judges, with an engine in another process. */
async function interlock({ server, database, journalBase, policies, tls }: SubjectOptions, shape: 'up' | 'apart-local'): Promise<Subject> {
  const journal = mkdtempSync(join(journalBase, 'interlock-bench-'));
  const gateway = await startGateway({
    shape,
    // the journal of an enforcer is in its own folder
    ...(shape === 'up' ? {} : { dir: journal }),
    upstream: { host: server.host, port: server.port, user: server.user, password: server.password, database },
    policies: policies ?? { dir: join(root, 'policies'), data: [join(here, 'data.yaml')] },
    config: { journal: { dir: join(journal, 'journal') } },
    target: {
      env: 'bench',
      limits: { connections: 500 },
      ...(tls && {
        tls: { cert: tls.certFile, key: tls.keyFile, ca: tls.caFile },
        upstream: { host: server.host, port: server.port, databases: [database], tls: { mode: 'verify-full', ca: tls.caFile } },
      }),
    },
  });
  const password = await gateway.token({ login: 'bench', groups: ['app'], ttl: '4h' });
  const reading = { authorization: `Bearer ${await gateway.token({ login: 'auditor', scope: 'approve', ttl: '1h' })}` };
  const status = async (): Promise<{ journal?: { records: number; syncs: number }; projection?: { behind: number } }> => {
    const answer = await fetch(`${gateway.ready.api}/v1/status`, { headers: reading });
    return (await answer.json()) as Awaited<ReturnType<typeof status>>;
  };
  // apart, the journal that counts is the enforcer's, and the engine does not know it
  const counters = async (): Promise<{ records: number; syncs: number } | null> => (shape === 'up' ? ((await status()).journal ?? null) : null);
  const settled = async (): Promise<void> => {
    while (((await status()).projection?.behind ?? 0) > 0) await wait(50);
  };
  return {
    name: shape === 'up' ? 'interlock' : 'interlock-apart',
    port: gateway.port,
    user: 'bench',
    password,
    pid: gateway.process.pid ?? null,
    counters,
    settled,
    [Symbol.asyncDispose]: async () => {
      await gateway.stop();
      rmSync(journal, { recursive: true, force: true });
    },
  };
}

async function listening(port: number, child: ChildProcess, what: string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${what} ended with ${child.exitCode} before it listened`);
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection({ port, host: '127.0.0.1' }, () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function end(child: ChildProcess, dir: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  rmSync(dir, { recursive: true, force: true });
}
