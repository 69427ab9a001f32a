/** What HTTP clients are pointed at: the origin itself, nginx, a bare pipe with one durable record a request, and Interlock. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '#test/support/postgres';
import { cli, startProcess } from '#test/support/processes';

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));

export type HttpSubjectName = 'direct' | 'nginx' | 'pipe' | 'interlock';

export interface HttpSubject extends AsyncDisposable {
  readonly name: HttpSubjectName;
  readonly port: number;
  readonly token: string;
  /** The process whose CPU time and memory count; null: the origin itself. */
  readonly pid: number | null;
  settled(): Promise<void>;
}

export interface Origin extends AsyncDisposable {
  readonly port: number;
}

export async function startOrigin(): Promise<Origin> {
  const child = spawn(process.execPath, [join(here, 'origin.ts')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { port: Number(port), [Symbol.asyncDispose]: () => ended(child) };
}

export async function startHttpSubject(name: HttpSubjectName, origin: Origin, journalBase: string): Promise<HttpSubject> {
  const start = { direct, nginx, pipe, interlock } as const;
  return start[name](origin, journalBase);
}

/** As long as a token of ours, so that everybody reads as much. */
const NO_TOKEN = 'x'.repeat(700);
const nothing = async (): Promise<void> => {};

async function direct({ port }: Origin): Promise<HttpSubject> {
  return { name: 'direct', port, token: NO_TOKEN, pid: null, settled: nothing, [Symbol.asyncDispose]: nothing };
}

/** null: it is not installed. */
export function nginxProgram(): string | null {
  return ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx', '/usr/local/bin/nginx'].find((path) => existsSync(path)) ?? null;
}

/** One process, as the gateway is one; connections to the origin kept, nothing logged. */
async function nginx(origin: Origin): Promise<HttpSubject> {
  const program = nginxProgram();
  if (program === null) throw new Error('nginx is not installed: apt-get install nginx-light');
  const dir = mkdtempSync(join(tmpdir(), 'interlock-nginx-'));
  const port = await freePort();
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; master_process off; pid ${dir}/pid; error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000;
  client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  upstream origin { server 127.0.0.1:${origin.port}; keepalive 256; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}
`,
  );
  const child = spawn(program, ['-p', dir, '-c', join(dir, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'inherit'] });
  child.on('error', () => {}); // told below
  await listening(port, child, 'nginx (Debian: nginx-light)');
  const end = async (): Promise<void> => {
    await ended(child);
    rmSync(dir, { recursive: true, force: true });
  };
  return { name: 'nginx', port, token: NO_TOKEN, pid: child.pid ?? null, settled: nothing, [Symbol.asyncDispose]: end };
}

async function pipe(origin: Origin, journalBase: string): Promise<HttpSubject> {
  const dir = mkdtempSync(join(journalBase, 'interlock-pipe-'));
  const child = spawn(process.execPath, [join(here, '..', 'pipe.ts'), String(origin.port), dir], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [port] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const end = async (): Promise<void> => {
    await ended(child);
    rmSync(dir, { recursive: true, force: true });
  };
  return { name: 'pipe', port: Number(port), token: NO_TOKEN, pid: child.pid ?? null, settled: nothing, [Symbol.asyncDispose]: end };
}

/** Facts, policy, masks and the journal as they are delivered; a table of routes describes the API. */
async function interlock(origin: Origin, journalBase: string): Promise<HttpSubject> {
  const dir = mkdtempSync(join(journalBase, 'interlock-bench-http-'));
  const configFile = join(dir, 'interlock.yaml');
  writeFileSync(
    join(dir, 'routes.yaml'),
    'routes:\n  - { route: "GET /plain/{size}", id: plain }\n  - { route: "GET /masked/{size}", id: masked }\n',
  );
  writeFileSync(
    configFile,
    JSON.stringify({
      contract: 1,
      state: { dir: join(dir, 'state') },
      api: { listen: '127.0.0.1:0' },
      identity: { local: { enabled: true } },
      policies: { source: { dir: join(here, 'policies') } },
      targets: {
        api: {
          protocol: 'http',
          listen: '127.0.0.1:0',
          tls: 'off',
          http: { url: `http://127.0.0.1:${origin.port}`, routes: join(dir, 'routes.yaml') },
          env: 'bench',
          limits: { connections: 500 },
        },
      },
      journal: { dir: join(dir, 'journal') },
      log: { level: 'warn', format: 'json' },
    }),
  );
  const gateway = await startProcess(['up', '-c', configFile]);
  const token = async (...args: string[]): Promise<string> => (await run(process.execPath, [cli, 'token', '-c', configFile, ...args])).stdout.trim();
  const own = await token('--login', 'bench', '--group', 'app', '--ttl', '4h');
  const reading = { authorization: `Bearer ${await token('--login', 'auditor', '--scope', 'approve', '--ttl', '1h')}` };
  const behind = async (): Promise<number> => {
    const answer = await fetch(`${gateway.ready.api}/v1/status`, { headers: reading });
    return ((await answer.json()) as { projection?: { behind: number } }).projection?.behind ?? 0;
  };
  return {
    name: 'interlock',
    port: Number(gateway.ready.targets['api']?.address.split(':').at(-1)),
    token: own,
    pid: gateway.process.pid ?? null,
    settled: async () => {
      while ((await behind()) > 0) await wait(50);
    },
    [Symbol.asyncDispose]: async () => {
      await gateway.end('SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function listening(port: number, child: ChildProcess, what: string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null || child.pid === undefined) throw new Error(`${what} did not start`);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = createConnection({ port, host: '127.0.0.1' }, () => resolve(true));
    socket.on('error', () => resolve(false));
    if (await promise) return void socket.destroy();
    await wait(20);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
