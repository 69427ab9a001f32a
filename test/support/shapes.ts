/** The three ways to run the same gateway: in one process, and apart with policies judged beside the target or by the engine. */
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { enrolAll } from './enrolled.ts';
import { startProcess, type Ready, type Running } from './processes.ts';

export const SHAPES = ['up', 'apart-local', 'apart-remote'] as const;
export type Shape = (typeof SHAPES)[number];

/** Of the whole run: `INTERLOCK_SHAPE`. */
export function shapeAsked(): Shape {
  const asked = process.env['INTERLOCK_SHAPE'] ?? 'up';
  const shape = SHAPES.find((one) => one === asked);
  if (shape === undefined) throw new Error(`INTERLOCK_SHAPE=${asked}: allowed are ${SHAPES.join(', ')}`);
  return shape;
}

/** What a gateway is made of, whatever its shape. */
export interface Parts {
  /** As of one process; of enforcers' parts those of the enforcer. */
  readonly ready: Ready;
  /** The gateway, or the enforcer. */
  readonly front: Running;
  /** null: in the same process. */
  readonly engine: EngineProcess | null;
  /** For commands. */
  readonly configFile: string;
  /** The enforcers first. */
  readonly end: (signal: NodeJS.Signals) => Promise<void>;
}

/** The engine where it is apart. */
export interface EngineProcess {
  readonly running: Running;
  /** Once more, on the same files and addresses; it must have ended. */
  start(): Promise<void>;
  /** Another address that the enforcers know, where nobody listens: for a second engine. */
  readonly spare: string;
}

type Json = Readonly<Record<string, unknown>>;

/** @param config of one process: it is divided here */
export async function startShape(shape: Shape, config: object, dir: string, env: NodeJS.ProcessEnv): Promise<Parts> {
  const configFile = join(dir, 'interlock.yaml');
  if (shape === 'up') {
    writeFileSync(configFile, JSON.stringify(config, null, 2)); // JSON is YAML
    const front = await startProcess(['up', '-c', configFile], env);
    return { ready: front.ready, front, engine: null, configFile, end: (signal) => front.end(signal) };
  }
  const [channel, spare] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  writeFileSync(configFile, JSON.stringify(engineHalf(config as Json, channel), null, 2));
  const names = Object.keys((config as { targets: object }).targets);
  const enforcers = names.map((target) => ({ target, dir: join(dir, `enforcer-${target}`) }));
  await enrolAll(
    configFile,
    enforcers.map((one) => ({ name: `${one.target}-1`, targets: [one.target], dir: join(one.dir, 'identity') })),
  );
  let running = await startProcess(['engine', '-c', configFile], env);
  const engine: EngineProcess = {
    spare,
    get running() {
      return running;
    },
    start: async () => {
      running = await startProcess(['engine', '-c', configFile], env);
    },
  };
  try {
    const started = await Promise.all(
      enforcers.map((one) =>
        startEnforcer(config as Json, one, { engines: [channel, spare], judging: shape === 'apart-local' ? 'local' : 'remote', env }),
      ),
    );
    const front = started[0] as Running;
    const targets = Object.assign({}, ...started.map(({ ready }) => ready.targets)) as Ready['targets'];
    const ready = { ...front.ready, api: running.ready.api, revision: running.ready.revision, targets };
    const end = async (signal: NodeJS.Signals): Promise<void> => {
      await Promise.all(started.map((one) => one.end(signal)));
      await running.end(signal);
    };
    return { ready, front, engine, configFile, end };
  } catch (error) {
    await running.end('SIGKILL');
    throw new Error(`${String(error)}\nthe engine:\n${running.log()}`, { cause: error });
  }
}

export interface EnforcerAsk {
  readonly engines: readonly string[];
  readonly judging: 'local' | 'remote';
  readonly env: NodeJS.ProcessEnv;
}

async function startEnforcer(
  config: Json,
  { target, dir }: { target: string; dir: string },
  { engines, judging, env }: EnforcerAsk,
): Promise<Running> {
  const file = join(dir, 'interlock.yaml');
  writeFileSync(file, JSON.stringify(enforcerHalf(config, target, { engines, dir, judging, env }), null, 2));
  return await startProcess(['enforce', target, '-c', file], env);
}

/** Keys of a target that each half has. */
const ENGINES = ['protocol', 'credential', 'env', 'labels', 'approvals'];
const ENFORCERS = ['protocol', 'listen', 'tls', 'upstream', 'http', 'mcp', 'limits', 'audit'];
/** Sections of a service: the credential in them is the engine's, where it is theirs both. */
const SECTIONS = ['http', 'mcp'];

export function engineHalf(config: Json, listen: string): object {
  const targets = Object.entries(config['targets'] as Record<string, Json>).map(([name, target]) => [name, engineTarget(target)] as const);
  return { ...config, engine: { listen }, targets: Object.fromEntries(targets) };
}

/** One address for everything holds the credential. */
function engineTarget(target: Json): Json {
  const { upstream } = target as { upstream?: { url?: unknown } };
  const services = Object.entries(only(target, SECTIONS)).map(([name, section]) => [name, only(section as Json, ['url', 'command', 'credential'])]);
  return { ...only(target, ENGINES), ...(Object.fromEntries(services) as Json), ...(upstream?.url === undefined ? {} : { upstream }) };
}

export interface EnforcerHalf {
  readonly engines: readonly string[];
  readonly dir: string;
  readonly judging: 'local' | 'remote';
  /** Where an address is read from that the configuration refers to. */
  readonly env?: NodeJS.ProcessEnv;
}

export function enforcerHalf(config: Json, target: string, { engines, dir, judging, env = process.env }: EnforcerHalf): object {
  const { journal, log, nats, operations } = config;
  const own = placed(only((config['targets'] as Record<string, Json>)[target] as Json, ENFORCERS), env);
  return {
    contract: 1,
    enforcer: { engines, identity: join(dir, 'identity') },
    state: { dir: join(dir, 'state') },
    operations: { listen: 'off', ...(operations as Json | undefined) },
    journal: { ...(journal as Json), dir: join(dir, 'journal') },
    ...(log === undefined ? {} : { log }),
    ...(nats === undefined ? {} : { nats }),
    targets: { [target]: { ...own, judging } },
  };
}

/** What an enforcer may know of an address that holds a credential. */
function placed(target: Json, env: NodeJS.ProcessEnv): Json {
  const { upstream } = target as { upstream?: { url?: { env?: string } } };
  if (upstream?.url?.env === undefined) return withoutCredential(target);
  const { hostname: host, port, pathname } = new URL(env[upstream.url.env] ?? '');
  return { ...target, upstream: { host, port: Number(port), databases: [pathname.slice(1)], tls: { mode: 'off' } } };
}

function withoutCredential(target: Json): Json {
  const services = Object.entries(only(target, SECTIONS)).map(([name, section]) => {
    const { credential: _, ...rest } = section as Json;
    return [name, rest] as const;
  });
  return { ...target, ...Object.fromEntries(services) };
}

function only(target: Json, keys: readonly string[]): Json {
  return Object.fromEntries(Object.entries(target).filter(([key]) => keys.includes(key)));
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
