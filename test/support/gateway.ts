/** A real gateway in a process of its own, or apart in several (`INTERLOCK_SHAPE`), in a temporary folder, on free ports. */
import { execFile, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { roomInMemory } from './memory.ts';
import { mint, type TokenOptions } from './minted.ts';
import { cli, root, type Ready } from './processes.ts';
import { type EngineProcess, shapeAsked, startShape, type Shape } from './shapes.ts';

export type { Ready } from './processes.ts';
export type { TokenOptions } from './minted.ts';

const run = promisify(execFile);

export interface GatewayOptions {
  readonly upstream: { readonly host: string; readonly port: number; readonly user: string; readonly password: string; readonly database: string };
  /** Folders and files of the policies; the shipped packs by default. */
  readonly policies?: { readonly dir: string; readonly data?: readonly string[]; readonly watch?: boolean };
  /** Merged over the target `shop`; e.g. `{ env: 'test', limits: {…} }`. */
  readonly target?: object;
  /** Merged over the whole configuration. */
  readonly config?: object;
  /** Kept, and reused by a second gateway; a temporary folder by default. */
  readonly dir?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** That of the run by default. */
  readonly shape?: Shape;
}

export interface Gateway extends AsyncDisposable {
  readonly ready: Ready;
  readonly dir: string;
  readonly configFile: string;
  /** Of the gateway, or of the enforcer. */
  readonly process: ChildProcess;
  readonly shape: Shape;
  /** Where it is apart; null: in the same process. */
  readonly engine: EngineProcess | null;
  readonly host: string;
  readonly port: number;
  /** Everything on stderr so far. */
  log(): string;
  token(options: TokenOptions): Promise<string>;
  /** A connection string for the target `shop`, with a fresh token as the password. */
  url(options: TokenOptions): Promise<string>;
  /** Runs the command against this gateway's configuration; never throws for an exit code. */
  interlock(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  /** Ends every process of it so, and keeps the folder. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** SIGTERM and wait; removes the folder if it was made here. */
  stop(): Promise<void>;
}

/** The configuration that `startGateway` writes, for tests that start the command themselves. */
export function gatewayConfig(options: GatewayOptions, dir: string): object {
  const { upstream } = options;
  writeFileSync(join(dir, 'upstream-password'), upstream.password, { mode: 0o600 });
  const target = {
    protocol: 'postgresql',
    listen: '127.0.0.1:0',
    env: 'test',
    credential: { user: upstream.user, password: { file: join(dir, 'upstream-password') } },
    upstream: { host: upstream.host, port: upstream.port, databases: [upstream.database], tls: { mode: 'off' } },
    ...options.target,
  };
  return {
    contract: 1,
    state: { dir: join(dir, 'state') },
    api: { listen: '127.0.0.1:0' },
    identity: { local: { enabled: true } },
    policies: {
      source: { dir: options.policies?.dir ?? join(root, 'policies') },
      data: options.policies?.data ?? [],
      watch: options.policies?.watch ?? false,
    },
    journal: { dir: join(dir, 'journal') },
    targets: { shop: target },
    ...options.config,
  };
}

/** Resolves once every listener accepts; rejects with what the command said if it ends before. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const dir = options.dir ?? mkdtempSync(join(roomInMemory(), 'interlock-gateway-'));
  const env = { ...process.env, ...options.env };
  const shape = options.shape ?? shapeAsked();
  const { ready, front, engine, configFile, end } = await startShape(shape, gatewayConfig(options, dir), dir, env);
  const [host = '', port = ''] = (ready.targets['shop']?.address ?? '').split(':');

  const interlock: Gateway['interlock'] = async (...args) => {
    try {
      const { stdout, stderr } = await run(process.execPath, [cli, ...args, '-c', configFile], { env, maxBuffer: 64 << 20 });
      return { code: 0, stdout, stderr };
    } catch (error) {
      const failed = error as { code?: number; stdout?: string; stderr?: string };
      return { code: failed.code ?? 70, stdout: failed.stdout ?? '', stderr: failed.stderr ?? String(error) };
    }
  };
  const token: Gateway['token'] = (who) => mint(configFile, who);
  const stop = async (): Promise<void> => {
    await end('SIGTERM');
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  };
  return {
    get ready() {
      // of an engine that was started anew
      return engine === null ? ready : { ...ready, api: engine.running.ready.api };
    },
    dir,
    configFile,
    process: front.process,
    shape,
    engine,
    host,
    port: Number(port),
    log: () => `${front.log()}${engine?.running.log() ?? ''}`,
    token,
    interlock,
    stop,
    end,
    url: async (who) => `postgresql://${encodeURIComponent(who.login)}:${await token(who)}@${host}:${port}/${options.upstream.database}`,
    [Symbol.asyncDispose]: stop,
  };
}
