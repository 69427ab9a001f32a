/** A real nats-server with accounts and allow-lists, started and stopped by the test, from the configuration that `interlock nats setup` prints. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#client/clock';
import { silentLog, type Log } from '#client/log';
import { openNats, type NatsLink } from '#engine/nats/connection';
import { createIdentity } from '#engine/nats/identity';
import type { Grant, Role } from '#engine/nats/permissions';
import { serverConfig, type ServerPlan } from '#engine/nats/server-config';
import type { NatsSettings } from '#engine/nats/settings';
import { setUpStreams } from '#engine/nats/setup';
import { tool } from '#tools/tools';

export const STREAMS = { audit: 'INTERLOCK_AUDIT', approvals: 'INTERLOCK_APPROVALS' } as const;

/** Somebody with a key of their own. */
export interface Somebody extends Grant {
  readonly seed: string;
}

export function somebody(role: Role, name: string, journals: readonly string[] = []): Somebody {
  return { role, name, journals, ...createIdentity() };
}

export interface NatsOptions {
  readonly grants: readonly Somebody[];
  /** Default: a new folder in the system's place for temporary files. */
  readonly dir?: string;
  readonly name?: string;
  readonly port?: number;
  readonly tls?: ServerPlan['tls'];
  readonly cluster?: ServerPlan['cluster'];
  /** Behind the printed configuration. */
  readonly also?: string;
  readonly replaced?: (config: string) => string;
}

export class TestNats implements AsyncDisposable {
  readonly port: number;
  readonly dir: string;
  readonly #options: NatsOptions;
  readonly #program: string;
  #process: ChildProcess | null = null;
  #output = '';

  private constructor(program: string, options: NatsOptions, dir: string, port: number) {
    this.#program = program;
    this.#options = options;
    this.dir = dir;
    this.port = port;
  }

  static async start(options: NatsOptions): Promise<TestNats> {
    const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'interlock-nats-'));
    mkdirSync(dir, { recursive: true });
    const server = new TestNats(await tool('nats-server'), options, dir, options.port ?? (await freePort()));
    await server.start();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }
  get pid(): number {
    return this.#process?.pid ?? -1;
  }
  /** What it said so far. */
  get output(): string {
    return this.#output;
  }

  /** Again on the same port, with the same store. */
  async start(): Promise<void> {
    const { grants, name = 'nats-test', tls = null, cluster = null, also = '', replaced = (text: string) => text } = this.#options;
    const file = join(this.dir, 'server.conf');
    const plan = { name, listen: `127.0.0.1:${this.port}`, storeDir: this.storeDir, tls, cluster, system: [], grants, streams: STREAMS };
    writeFileSync(file, replaced(`${serverConfig(plan)}${also}`), { mode: 0o600 });
    const started = spawn(this.#program, ['-c', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = started;
    const reap = (): void => void started.kill('SIGKILL');
    process.once('exit', reap);
    started.once('exit', () => process.off('exit', reap));
    for (const stream of [started.stdout, started.stderr]) stream?.on('data', (bytes: Buffer) => void (this.#output += bytes.toString()));
    await until(async () => {
      if (started.exitCode !== null) throw new Error(`nats-server ended: ${this.#output}`);
      return accepts(this.port);
    });
  }

  get storeDir(): string {
    return join(this.dir, 'store');
  }

  /** Stands still, as a machine that is frozen does: every thread of it when this resolves. */
  async freeze(): Promise<void> {
    this.#process?.kill('SIGSTOP');
    const tasks = `/proc/${this.pid}/task`;
    await until(() => readdirSync(tasks).every((task) => /\) [Tt] /.test(readFileSync(`${tasks}/${task}/stat`, 'utf8'))));
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** kill -9 unless another signal is named. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill('SIGCONT');
    running.kill(signal);
    await ended;
  }

  settings(who: Somebody, more: Partial<NatsSettings> = {}): NatsSettings {
    return {
      servers: [this.url],
      tls: null,
      credentials: () => Promise.resolve(who.seed),
      streams: STREAMS,
      replicas: 1,
      duplicateWindowMs: 3_600_000,
      ...more,
    };
  }

  link(who: Somebody, more: Partial<NatsSettings> = {}, log: Log = silentLog): NatsLink {
    return openNats(this.settings(who, more), { identity: who.name, log, clock: systemClock });
  }

  /** Makes the streams, as the identity for that. */
  async setUp(who: Somebody, more: Partial<NatsSettings> = {}): ReturnType<typeof setUpStreams> {
    await using link = this.link(who, more);
    return await setUpStreams(link);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    if (this.#options.dir === undefined) rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Looks again and again until it is so. @throws when it is not within `ms` */
export async function until(so: () => boolean | Promise<boolean>, ms = 10_000, what = 'the condition'): Promise<void> {
  const end = performance.now() + ms;
  while (!(await so())) {
    if (performance.now() > end) throw new Error(`${what} did not come within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
