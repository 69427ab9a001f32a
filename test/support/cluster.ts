/** Three engines, three enforcers of one target, three NATS nodes: nine real processes, each of which can be ended and started anew. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { install, type Node, type Seat, startNodes, takeSeats } from './cluster-parts.ts';
import type { TokenOptions } from './gateway.ts';
import { mint } from './minted.ts';
import { until } from './nats.ts';
import { startPostgres } from './postgres.ts';
import { type Running, startProcess } from './processes.ts';
import { type Relay, startRelay } from './relay.ts';

export const KINDS = ['engine', 'enforcer', 'nats'] as const;
export type Kind = (typeof KINDS)[number];

/** One of the nine. */
export interface Member {
  readonly kind: Kind;
  readonly name: string;
  readonly running: boolean;
  /** Where it keeps journal and state; of a node, its store. */
  readonly dir: string;
  /** An engine's API while it runs, an enforcer's port for clients. */
  readonly address: string;
  /** Once more, on the same files and addresses; resolves when it accepts. */
  start(): Promise<void>;
  /** Resolves when it is gone: the exit code, or the signal. */
  end(signal: NodeJS.Signals): Promise<number | string | null>;
  /** What it said in this life. */
  log(): string;
  /** Has caught up with the others, as far as it can say so: an operator looks before the next one is taken down. */
  healthy(): Promise<boolean>;
}

export interface ClusterOptions {
  /** Run once on the database. */
  readonly schema: string;
  /** The folder of the policies. */
  readonly policies: string;
}

export class Cluster implements AsyncDisposable {
  /** Between the enforcers and the target. */
  readonly relay: Relay;
  readonly members: readonly Member[];
  readonly #arrivals: Arrivals;
  readonly #issuerFile: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(relay: Relay, arrivals: Arrivals, members: readonly Member[], issuerFile: string, stack: AsyncDisposableStack) {
    this.relay = relay;
    this.#arrivals = arrivals;
    this.members = members;
    this.#issuerFile = issuerFile;
    this.#stack = stack;
  }

  static async start({ schema, policies }: ClusterOptions): Promise<Cluster> {
    await using stack = new AsyncDisposableStack();
    const dir = mkdtempSync(join(tmpdir(), 'interlock-cluster-'));
    stack.defer(() => rmSync(dir, { recursive: true, force: true }));
    const seats = await takeSeats(dir);
    const server = stack.use(await startPostgres());
    await server.query(schema);
    const { nodes, section: nats } = await startNodes(dir, seats, stack);
    const arrivals: Arrivals = new Map();
    const relay = stack.use(await startRelay(server, (from, chunk) => from === 'client' && tell(arrivals, chunk)));
    const { user, password } = server;
    const upstream = { host: relay.host, port: relay.port, user, password, database: 'postgres' };
    await install(seats, { upstream, policies, nats }, (file) => mint(file, { login: 'nobody' }));
    const engines = seats.engines.map((seat) => new Process('engine', seat));
    const enforcers = seats.enforcers.map((seat) => new Process('enforcer', seat));
    stack.defer(async () => void (await Promise.all([...enforcers, ...engines].map((each) => each.end('SIGKILL')))));
    const [first, ...others] = engines;
    await first?.start(); // it has the registry of enforcers; the others learn it from the stream
    await Promise.all(others.map((each) => each.start()));
    await Promise.all(enforcers.map((each) => each.start()));
    const members = [...engines, ...enforcers, ...nodes.map(nodeMember)];
    return new Cluster(relay, arrivals, members, seats.engines[0]?.configFile ?? '', stack.move());
  }

  of(kind: Kind): readonly Member[] {
    return this.members.filter((member) => member.kind === kind);
  }

  /** Starts what does not run; resolves when all have caught up. */
  async whole(): Promise<void> {
    for (const member of this.members) if (!member.running) await member.start();
    for (const member of this.members) await until(() => member.healthy(), HEALTHY_MS, `the health of ${member.name}`);
  }

  /** Resolves when these bytes are next on their way to the target. */
  arrives(bytes: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#arrivals.set(bytes, resolve);
    return promise;
  }

  /** A new one. */
  token(who: TokenOptions): Promise<string> {
    return mint(this.#issuerFile, who);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

type Arrivals = Map<string, () => void>;
const HEALTHY_MS = 30_000;

function tell(arrivals: Arrivals, chunk: Buffer): void {
  for (const [bytes, arrived] of arrivals) {
    if (!chunk.includes(bytes)) continue;
    arrivals.delete(bytes);
    arrived();
  }
}

class Process implements Member {
  readonly kind: 'engine' | 'enforcer';
  readonly #seat: Seat;
  #running: Running | null = null;

  constructor(kind: 'engine' | 'enforcer', seat: Seat) {
    this.kind = kind;
    this.#seat = seat;
  }

  get name(): string {
    return this.#seat.name;
  }
  get dir(): string {
    return this.#seat.dir;
  }
  get running(): boolean {
    const { process: child } = this.#running ?? {};
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }
  get address(): string {
    return this.kind === 'engine' ? (this.#running?.ready.api ?? '') : this.#seat.address;
  }

  async start(): Promise<void> {
    const { configFile } = this.#seat;
    this.#running = await startProcess(this.kind === 'engine' ? ['engine', '-c', configFile] : ['enforce', 'shop', '-c', configFile]);
  }

  async end(signal: NodeJS.Signals): Promise<number | string | null> {
    await this.#running?.end(signal);
    const { exitCode = null, signalCode = null } = this.#running?.process ?? {};
    return exitCode ?? signalCode;
  }

  log(): string {
    return this.#running?.log() ?? '';
  }

  /** It says that it is ready when it is. */
  healthy(): Promise<boolean> {
    return Promise.resolve(this.running);
  }
}

function nodeMember({ node, health, name }: Node): Member {
  return {
    kind: 'nats',
    name,
    dir: node.storeDir,
    address: node.url,
    get running() {
      return node.pid !== -1;
    },
    start: () => node.start(),
    end: async (signal) => {
      await node.stop(signal);
      return signal;
    },
    log: () => node.output,
    healthy: () =>
      fetch(health).then(
        ({ ok }) => ok,
        () => false,
      ),
  };
}
