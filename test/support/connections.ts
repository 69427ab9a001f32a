/** A gateway in a network namespace of its own, and every connection that it tries to open, as the kernel is asked for it (strace). */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { cli, root, type Ready } from './processes.ts';

const run = promisify(execFile);

export interface Watched {
  readonly ready: Ready;
  /** Runs a module inside the namespace; what it prints. */
  readonly inside: (program: string, env?: Readonly<Record<string, string>>) => Promise<string>;
  /** Ends it with SIGTERM and answers whom it, or a child of it, tried to reach: `203.0.113.9:443`, `[::1]:53`, a path. */
  end(): Promise<readonly string[]>;
}

/** Whether this machine lets a test do it: root, with strace, iproute2 and namespaces. */
export function canWatch(): boolean {
  try {
    execFileSync('unshare', ['-n', 'sh', '-c', 'ip link set lo up && strace -V && command -v nsenter'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** @param trace file for what strace sees */
export async function startWatched(configFile: string, trace: string, env: NodeJS.ProcessEnv = process.env): Promise<Watched> {
  const strace = [
    'strace',
    '-f',
    '--seccomp-bpf',
    '-qq',
    '-e',
    'trace=connect,sendto,sendmsg,sendmmsg',
    '-e',
    'signal=none',
    '-s',
    '256',
    '-o',
    trace,
  ];
  const command = [...strace, process.execPath, cli, 'up', '-c', configFile, '--json'];
  const child = spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...command], { stdio: ['ignore', 'pipe', 'pipe'], env });
  const reap = (): void => void child.kill('SIGKILL');
  process.once('exit', reap);
  child.once('exit', () => process.off('exit', reap));
  const log: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => log.push(chunk.toString()));
  const ended = once(child, 'exit').then(() => Promise.reject(new Error(`the gateway ended before it was ready:\n${log.join('')}`)));
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])) as [string];
  if (!line.startsWith('{"ready":true')) await ended;
  ended.catch(() => {});
  const ready = JSON.parse(line) as Ready;
  return {
    ready,
    inside: async (program, more = {}) => {
      const args = ['-t', String(ready.pid), '-n', process.execPath, '--input-type=module', '-e', program];
      return (await run('nsenter', args, { cwd: root, env: { ...process.env, ...more } })).stdout;
    },
    end: async () => {
      process.kill(ready.pid, 'SIGTERM');
      await once(child, 'exit');
      return reached(readFileSync(trace, 'utf8'));
    },
  };
}

/** Addresses in calls that open a connection or send to one, each once. */
export function reached(trace: string): readonly string[] {
  const found = new Set<string>();
  for (const line of trace.split('\n')) {
    const inet = /sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)/.exec(line);
    const inet6 = /sin6_port=htons\((\d+)\).*?inet_pton\(AF_INET6, "([^"]+)"/.exec(line);
    const unix = /sa_family=AF_UNIX, sun_path=(@?"[^"]*")/.exec(line);
    if (inet !== null) found.add(`${inet[2]}:${inet[1]}`);
    if (inet6 !== null) found.add(`[${inet6[2]}]:${inet6[1]}`);
    if (unix !== null) found.add((unix[1] ?? '').replaceAll('"', ''));
  }
  return [...found];
}
